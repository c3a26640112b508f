package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// DeviceListChanges implements store.DeviceLists.
func (v *view) DeviceListChanges(reader events.UserID, since store.Pos) ([]store.DeviceListChange, error) {
	return all(v, func(r row) store.DeviceListChange {
		return store.DeviceListChange{
			Audience: events.UserID(r.text(0)), User: events.UserID(r.text(1)), Pos: store.Pos(r.int(2)),
		}
	}, `SELECT audience, user_id, pos FROM hs_device_lists WHERE audience IN ('', ?) AND pos > ?`, string(reader), int64(since))
}

// DeviceListPositions implements store.DeviceLists.
func (v *view) DeviceListPositions(users []events.UserID) (map[events.UserID]store.Pos, error) {
	positions := make(map[events.UserID]store.Pos, len(users))
	_, err := eachUser(v, users, func(r row) struct{} {
		positions[events.UserID(r.text(0))] = store.Pos(r.int(1))
		return struct{}{}
	}, `SELECT user_id, pos FROM hs_device_lists WHERE audience = '' AND user_id IN `+inChunk)
	return positions, err
}

// PutDeviceListChange implements store.DeviceListWriter.
func (t *tx) PutDeviceListChange(c store.DeviceListChange) error {
	_, err := t.exec(`INSERT INTO hs_device_lists (audience, user_id, pos) VALUES (?, ?, ?)
		ON CONFLICT (audience, user_id) DO UPDATE SET pos = excluded.pos`,
		string(c.Audience), string(c.User), int64(c.Pos))
	return err
}
