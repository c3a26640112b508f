package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Profile implements store.Profiles.
func (v *view) Profile(user events.UserID) ([]store.ProfileField, error) {
	return all(v, func(r row) store.ProfileField {
		return store.ProfileField{Name: r.text(0), Value: r.blob(1)}
	}, `SELECT name, value FROM hs_profiles WHERE user_id = ? ORDER BY name`, string(user))
}

// ProfileFieldOf implements store.Profiles.
func (v *view) ProfileFieldOf(users []events.UserID, name string) (map[events.UserID][]byte, error) {
	found := make(map[events.UserID][]byte, len(users))
	for args := range chunks(users, func(id events.UserID) any { return string(id) }) {
		err := v.query(`SELECT user_id, value FROM hs_profiles WHERE user_id IN `+inChunk+` AND name = ?`,
			func(r row) { found[events.UserID(r.text(0))] = r.blob(1) }, append(args, name)...)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

const selectProfileChange = `SELECT user_id, name, pos FROM hs_profile_changes `

func scanProfileChange(r row) store.ProfileChange {
	return store.ProfileChange{User: events.UserID(r.text(0)), Name: r.text(1), Pos: store.Pos(r.int(2))}
}

// ProfileChange implements store.Profiles.
func (v *view) ProfileChange(user events.UserID, name string) (store.ProfileChange, error) {
	return one(v, scanProfileChange, selectProfileChange+`WHERE user_id = ? AND name = ?`, string(user), name)
}

// ProfileChanges implements store.Profiles.
func (v *view) ProfileChanges(after store.Pos, limit int) ([]store.ProfileChange, error) {
	return all(v, scanProfileChange, selectProfileChange+`WHERE pos > ? ORDER BY pos LIMIT ?`, int64(after), int64(limit))
}

// PutProfileField implements store.ProfileWriter.
func (t *tx) PutProfileField(user events.UserID, f store.ProfileField) error {
	_, err := t.exec(`INSERT INTO hs_profiles (user_id, name, value) VALUES (?, ?, ?)
		ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value`,
		string(user), f.Name, bytes(f.Value))
	return err
}

// DeleteProfileField implements store.ProfileWriter.
func (t *tx) DeleteProfileField(user events.UserID, name string) error {
	_, err := t.exec(`DELETE FROM hs_profiles WHERE user_id = ? AND name = ?`, string(user), name)
	return err
}

// PutProfileChange implements store.ProfileWriter.
func (t *tx) PutProfileChange(c store.ProfileChange) error {
	_, err := t.exec(`INSERT INTO hs_profile_changes (user_id, name, pos) VALUES (?, ?, ?)
		ON CONFLICT (user_id, name) DO UPDATE SET pos = excluded.pos`, string(c.User), c.Name, int64(c.Pos))
	return err
}

// DeleteProfileChange implements store.ProfileWriter.
func (t *tx) DeleteProfileChange(c store.ProfileChange) error {
	_, err := t.exec(`DELETE FROM hs_profile_changes WHERE user_id = ? AND name = ? AND pos <= ?`, string(c.User), c.Name, int64(c.Pos))
	return err
}
