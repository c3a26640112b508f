package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectDevice = `SELECT user_id, id, display_name, created_ts, last_seen_ts, last_seen_ip, user_agent, tag FROM hs_devices `

func scanDevice(r row) store.Device {
	return store.Device{
		User:        events.UserID(r.text(0)),
		ID:          r.text(1),
		DisplayName: r.text(2),
		CreatedTS:   r.int(3),
		LastSeenTS:  r.int(4),
		LastSeenIP:  r.text(5),
		UserAgent:   r.text(6),
		Tag:         r.text(7),
	}
}

// Device implements store.Devices.
func (v *view) Device(user events.UserID, id string) (store.Device, error) {
	return one(v, scanDevice, selectDevice+`WHERE user_id = ? AND id = ?`, string(user), id)
}

// DeviceByTag implements store.Devices.
func (v *view) DeviceByTag(tag string) (store.Device, error) {
	return one(v, scanDevice, selectDevice+`WHERE tag = ?`, tag)
}

// Devices implements store.Devices.
func (v *view) Devices(user events.UserID) ([]store.Device, error) {
	return all(v, scanDevice, selectDevice+`WHERE user_id = ? ORDER BY id`, string(user))
}

// PutDevice implements store.DeviceWriter.
func (t *tx) PutDevice(d store.Device) error {
	_, err := t.exec(`INSERT INTO hs_devices (user_id, id, display_name, created_ts, last_seen_ts, last_seen_ip, user_agent, tag)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user_id, id) DO UPDATE SET
		display_name = excluded.display_name, last_seen_ts = excluded.last_seen_ts,
		last_seen_ip = excluded.last_seen_ip, user_agent = excluded.user_agent, tag = excluded.tag`,
		string(d.User), d.ID, d.DisplayName, d.CreatedTS, d.LastSeenTS, d.LastSeenIP, d.UserAgent, d.Tag)
	return err
}

// DeleteDevice implements store.DeviceWriter.
func (t *tx) DeleteDevice(user events.UserID, id string) error {
	if err := t.mustChange(`DELETE FROM hs_devices WHERE user_id = ? AND id = ?`, string(user), id); err != nil {
		return err
	}
	for _, table := range ownedByDevice {
		if _, err := t.exec(`DELETE FROM `+table+` WHERE user_id = ? AND device_id = ?`, string(user), id); err != nil {
			return err
		}
	}
	return t.DeleteTokens(user, id)
}

// ownedByDevice are the tables whose rows go with their device, beside its
// tokens.
var ownedByDevice = []string{
	"hs_pushers", "hs_device_keys", "hs_one_time_keys", "hs_key_pools", "hs_fallback_keys", "hs_to_device", "hs_to_device_txns", "hs_dehydrated_devices",
}
