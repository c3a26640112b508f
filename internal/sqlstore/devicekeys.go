package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectDeviceKey = `SELECT k.user_id, k.device_id, d.display_name, k.json FROM hs_device_keys k
	CROSS JOIN hs_devices d ON d.user_id = k.user_id AND d.id = k.device_id `

func scanDeviceKey(r row) store.DeviceKey {
	return store.DeviceKey{
		User:   events.UserID(r.text(0)),
		Device: r.text(1),
		Name:   r.text(2),
		JSON:   r.blob(3),
	}
}

// DeviceKey implements store.DeviceKeys.
func (v *view) DeviceKey(user events.UserID, device string) (store.DeviceKey, error) {
	return one(v, scanDeviceKey, selectDeviceKey+`WHERE k.user_id = ? AND k.device_id = ?`, string(user), device)
}

// DeviceKeys implements store.DeviceKeys.
func (v *view) DeviceKeys(users []events.UserID) ([]store.DeviceKey, error) {
	return eachUser(v, users, scanDeviceKey, selectDeviceKey+`WHERE k.user_id IN `+inChunk+` ORDER BY k.user_id, k.device_id`)
}

// eachUser returns the rows of a query that takes a chunk of users and then the
// other arguments.
func eachUser[T any](v *view, users []events.UserID, scan func(row) T, query string, others ...any) ([]T, error) {
	var found []T
	for args := range chunks(users, func(id events.UserID) any { return string(id) }) {
		err := v.query(query, func(r row) { found = append(found, scan(r)) }, append(args, others...)...)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// PutDeviceKey implements store.DeviceKeyWriter.
func (t *tx) PutDeviceKey(k store.DeviceKey) error {
	return t.mustChange(`INSERT INTO hs_device_keys (user_id, device_id, json)
		SELECT user_id, id, ? FROM hs_devices WHERE user_id = ? AND id = ?
		ON CONFLICT (user_id, device_id) DO UPDATE SET json = excluded.json`,
		bytes(k.JSON), string(k.User), k.Device)
}
