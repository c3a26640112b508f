package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// ToDevice implements store.ToDevice.
func (v *view) ToDevice(user events.UserID, device string, after, until store.Pos, limit int) ([]store.ToDeviceMessage, error) {
	return all(v, func(r row) store.ToDeviceMessage {
		return store.ToDeviceMessage{User: user, Device: device, Pos: store.Pos(r.int(0)), JSON: r.blob(1)}
	}, `SELECT pos, json FROM hs_to_device WHERE user_id = ? AND device_id = ? AND pos > ? AND pos <= ? ORDER BY pos LIMIT ?`,
		string(user), device, int64(after), int64(until), int64(max(limit, 0)))
}

// FirstToDevice implements store.ToDevice.
func (v *view) FirstToDevice(user events.UserID, device string) (store.Pos, error) {
	return one(v, func(r row) store.Pos { return store.Pos(r.int(0)) },
		`SELECT coalesce(min(pos), ?) FROM hs_to_device WHERE user_id = ? AND device_id = ?`, int64(store.MaxPos), string(user), device)
}

// SentToDevice implements store.ToDevice.
func (v *view) SentToDevice(user events.UserID, txn store.Txn) (sent bool, err error) {
	err = v.query(`SELECT 1 FROM hs_to_device_txns WHERE user_id = ? AND device_id = ? AND txn_key = ?`,
		func(row) { sent = true }, string(user), txn.Device, txnKey(user, txn))
	return sent, err
}

// PutToDevice implements store.ToDeviceWriter.
func (t *tx) PutToDevice(m store.ToDeviceMessage) (int64, error) {
	const query = `INSERT INTO hs_to_device (user_id, device_id, pos, json)
		SELECT user_id, id, ?, ? FROM hs_devices WHERE user_id = ?`
	const keep = ` ON CONFLICT (user_id, device_id, pos) DO NOTHING`
	if m.Device == store.AllDevices {
		return t.exec(query+keep, int64(m.Pos), bytes(m.JSON), string(m.User))
	}
	return t.exec(query+` AND id = ?`+keep, int64(m.Pos), bytes(m.JSON), string(m.User), m.Device)
}

// DeleteToDevice implements store.ToDeviceWriter.
func (t *tx) DeleteToDevice(user events.UserID, device string, until store.Pos) error {
	_, err := t.exec(`DELETE FROM hs_to_device WHERE user_id = ? AND device_id = ? AND pos <= ?`, string(user), device, int64(until))
	return err
}

// PutSentToDevice implements store.ToDeviceWriter.
func (t *tx) PutSentToDevice(user events.UserID, txn store.Txn, now, forget int64) error {
	_, err := t.exec(`DELETE FROM hs_to_device_txns WHERE user_id = ? AND device_id = ? AND sent_ts < ?`, string(user), txn.Device, forget)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO hs_to_device_txns (user_id, device_id, txn_key, sent_ts) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id, device_id, txn_key) DO NOTHING`, string(user), txn.Device, txnKey(user, txn), now)
	return err
}
