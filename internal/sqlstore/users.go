package sqlstore

import (
	"strings"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectUser = `SELECT id, password_hash, created_ts, guest, admin, deactivated, locked, suspended, erased, app_service FROM hs_users `

func scanUser(r row) store.User {
	return store.User{
		ID:           events.UserID(r.text(0)),
		PasswordHash: r.text(1),
		CreatedTS:    r.int(2),
		Guest:        r.bool(3),
		Admin:        r.bool(4),
		Deactivated:  r.bool(5),
		Locked:       r.bool(6),
		Suspended:    r.bool(7),
		Erased:       store.Pos(r.int(8)),
		AppService:   r.text(9),
	}
}

// User implements store.Users.
func (v *view) User(id events.UserID) (store.User, error) {
	return one(v, scanUser, selectUser+`WHERE id = ?`, string(id))
}

// UserFold implements store.Users.
func (v *view) UserFold(id events.UserID) (store.User, error) {
	return one(v, scanUser, selectUser+`WHERE folded = ? ORDER BY id <> ?, id LIMIT 1`, fold(id), string(id))
}

// fold is done here and not in SQL, where lower-casing differs between
// databases.
func fold(id events.UserID) string { return strings.ToLower(string(id)) }

// AdminUsers implements store.Users.
func (v *view) AdminUsers() ([]events.UserID, error) {
	return all(v, text[events.UserID], `SELECT id FROM hs_users WHERE admin > 0 ORDER BY id`)
}

// ErasedUsers implements store.Users.
func (v *view) ErasedUsers() (map[events.UserID]store.Pos, error) {
	erased := make(map[events.UserID]store.Pos)
	err := v.query(`SELECT id, erased FROM hs_users WHERE erased > 0`, func(r row) { erased[events.UserID(r.text(0))] = store.Pos(r.int(1)) })
	return erased, err
}

// ExistingUsers implements store.Users.
func (v *view) ExistingUsers(ids []events.UserID) ([]events.UserID, error) {
	return v.usersAmong(ids, `SELECT id FROM hs_users WHERE id IN `+inChunk)
}

// Guests implements store.Users.
func (v *view) Guests(ids []events.UserID) ([]events.UserID, error) {
	return v.usersAmong(ids, `SELECT id FROM hs_users WHERE id IN `+inChunk+` AND guest = 1`)
}

func (v *view) usersAmong(ids []events.UserID, query string) ([]events.UserID, error) {
	var found []events.UserID
	for args := range chunks(ids, func(id events.UserID) any { return string(id) }) {
		some, err := all(v, text[events.UserID], query, args...)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

// CreateUser implements store.UserWriter.
func (t *tx) CreateUser(u store.User) error {
	return t.mustAdd(`INSERT INTO hs_users (id, folded, password_hash, created_ts, guest, admin, deactivated, locked, suspended, erased, app_service)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		string(u.ID), fold(u.ID), u.PasswordHash, u.CreatedTS,
		integer(u.Guest), integer(u.Admin), integer(u.Deactivated), integer(u.Locked), integer(u.Suspended), int64(u.Erased), u.AppService)
}

// UpdateUser implements store.UserWriter.
func (t *tx) UpdateUser(u store.User) error {
	return t.mustChange(`UPDATE hs_users SET password_hash = ?, guest = ?, admin = ?, deactivated = ?, locked = ?, suspended = ?, erased = ?, app_service = ?
		WHERE id = ?`,
		u.PasswordHash, integer(u.Guest), integer(u.Admin), integer(u.Deactivated), integer(u.Locked), integer(u.Suspended), int64(u.Erased), u.AppService,
		string(u.ID))
}
