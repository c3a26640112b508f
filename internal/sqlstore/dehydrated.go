package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// DehydratedDevice implements store.DehydratedDevices.
func (v *view) DehydratedDevice(user events.UserID) (store.DehydratedDevice, error) {
	return one(v, func(r row) store.DehydratedDevice {
		return store.DehydratedDevice{User: user, Device: r.text(0), Data: r.blob(1)}
	}, `SELECT device_id, data FROM hs_dehydrated_devices WHERE user_id = ?`, string(user))
}

// PutDehydratedDevice implements store.DehydratedDeviceWriter.
func (t *tx) PutDehydratedDevice(d store.DehydratedDevice) error {
	return t.mustChange(`INSERT INTO hs_dehydrated_devices (user_id, device_id, data)
		SELECT user_id, id, ? FROM hs_devices WHERE user_id = ? AND id = ?
		ON CONFLICT (user_id) DO UPDATE SET device_id = excluded.device_id, data = excluded.data`,
		bytes(d.Data), string(d.User), d.Device)
}
