package sqlstore

import (
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectPushers = `SELECT user_id, app_id, pushkey, device_id, kind, app_display_name, device_display_name,
	profile_tag, lang, data, enabled, pushkey_ts, behind FROM hs_pushers `

func scanPusher(r row) store.Pusher {
	return store.Pusher{
		PusherKey:  store.PusherKey{User: events.UserID(r.text(0)), AppID: r.text(1), Key: r.text(2)},
		Device:     r.text(3),
		Kind:       r.text(4),
		AppName:    r.text(5),
		DeviceName: r.text(6),
		ProfileTag: r.text(7),
		Lang:       r.text(8),
		Data:       r.blob(9),
		Enabled:    r.bool(10),
		KeyTS:      r.int(11),
		Behind:     store.Pos(r.int(12)),
	}
}

// Pusher implements store.Pushers.
func (v *view) Pusher(key store.PusherKey) (store.Pusher, error) {
	return one(v, scanPusher, selectPushers+`WHERE user_id = ? AND app_id = ? AND pushkey = ?`, string(key.User), key.AppID, key.Key)
}

// PushersOf implements store.Pushers.
func (v *view) PushersOf(users []events.UserID) ([]store.Pusher, error) {
	var found []store.Pusher
	for args := range chunks(slices.Sorted(slices.Values(users)), func(u events.UserID) any { return string(u) }) {
		err := v.query(selectPushers+`WHERE user_id IN `+inChunk+` ORDER BY user_id, app_id, pushkey`, func(r row) {
			found = append(found, scanPusher(r))
		}, args...)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// UsersWithPushers implements store.Pushers.
func (v *view) UsersWithPushers() ([]events.UserID, error) {
	return all(v, text[events.UserID], `SELECT DISTINCT user_id FROM hs_pushers ORDER BY user_id`)
}

// PushersBehind implements store.Pushers.
func (v *view) PushersBehind() ([]store.Pusher, error) {
	return all(v, scanPusher, selectPushers+`WHERE behind > 0 ORDER BY behind`)
}

// PutPusher implements store.PusherWriter.
func (t *tx) PutPusher(p store.Pusher) error {
	_, err := t.exec(`INSERT INTO hs_pushers (user_id, app_id, pushkey, device_id, kind, app_display_name,
		device_display_name, profile_tag, lang, data, enabled, pushkey_ts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (user_id, app_id, pushkey) DO UPDATE SET device_id = excluded.device_id, kind = excluded.kind,
		app_display_name = excluded.app_display_name, device_display_name = excluded.device_display_name,
		profile_tag = excluded.profile_tag, lang = excluded.lang, data = excluded.data, enabled = excluded.enabled,
		pushkey_ts = excluded.pushkey_ts`,
		string(p.User), p.AppID, p.Key, p.Device, p.Kind, p.AppName, p.DeviceName, p.ProfileTag, p.Lang, bytes(p.Data),
		integer(p.Enabled), p.KeyTS)
	return err
}

// SetPusherBehind implements store.PusherWriter.
func (t *tx) SetPusherBehind(key store.PusherKey, pos store.Pos) error {
	_, err := t.exec(`UPDATE hs_pushers SET behind = ? WHERE user_id = ? AND app_id = ? AND pushkey = ?`,
		int64(pos), string(key.User), key.AppID, key.Key)
	return err
}

// DeletePusher implements store.PusherWriter.
func (t *tx) DeletePusher(key store.PusherKey) error {
	return t.mustChange(`DELETE FROM hs_pushers WHERE user_id = ? AND app_id = ? AND pushkey = ?`, string(key.User), key.AppID, key.Key)
}

// DeletePushersOf implements store.PusherWriter.
func (t *tx) DeletePushersOf(user events.UserID) error {
	_, err := t.exec(`DELETE FROM hs_pushers WHERE user_id = ?`, string(user))
	return err
}

// DeletePushersOfOthers implements store.PusherWriter.
func (t *tx) DeletePushersOfOthers(key store.PusherKey) error {
	_, err := t.exec(`DELETE FROM hs_pushers WHERE app_id = ? AND pushkey = ? AND user_id <> ?`, key.AppID, key.Key, string(key.User))
	return err
}
