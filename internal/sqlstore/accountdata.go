package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectAccountDatum = `SELECT room_id, type, content, pos FROM hs_account_data `

func scanAccountDatum(r row) store.AccountDatum {
	return store.AccountDatum{
		Room:    events.RoomID(r.text(0)),
		Type:    r.text(1),
		Content: r.blob(2),
		Pos:     store.Pos(r.int(3)),
	}
}

// AccountDatum implements store.AccountData.
func (v *view) AccountDatum(user events.UserID, room events.RoomID, typ string) (store.AccountDatum, error) {
	return one(v, scanAccountDatum, selectAccountDatum+`WHERE user_id = ? AND room_id = ? AND type = ?`,
		string(user), string(room), typ)
}

// AccountDataSince implements store.AccountData.
func (v *view) AccountDataSince(user events.UserID, since store.Pos) ([]store.AccountDatum, error) {
	return all(v, scanAccountDatum, selectAccountDatum+`WHERE user_id = ? AND pos > ? ORDER BY pos`,
		string(user), int64(since))
}

// AccountDataOf implements store.AccountData.
func (v *view) AccountDataOf(user events.UserID, room events.RoomID) ([]store.AccountDatum, error) {
	return all(v, scanAccountDatum, selectAccountDatum+`WHERE user_id = ? AND room_id = ? ORDER BY type`,
		string(user), string(room))
}

// AccountDataOfType implements store.AccountData. It looks at all keys of the user
// and reads the contents of those that count.
func (v *view) AccountDataOfType(user events.UserID, typ string) ([]store.AccountDatum, error) {
	return all(v, scanAccountDatum, selectAccountDatum+`WHERE user_id = ? AND room_id > '' AND type = ? ORDER BY room_id`,
		string(user), typ)
}

// PutAccountDatum implements store.AccountDataWriter.
func (t *tx) PutAccountDatum(user events.UserID, d store.AccountDatum) error {
	_, err := t.exec(`INSERT INTO hs_account_data (user_id, room_id, type, content, pos) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (user_id, room_id, type) DO UPDATE SET content = excluded.content, pos = excluded.pos`,
		string(user), string(d.Room), d.Type, bytes(d.Content), int64(d.Pos))
	return err
}

// DeleteAccountDatum implements store.AccountDataWriter.
func (t *tx) DeleteAccountDatum(user events.UserID, room events.RoomID, typ string) error {
	_, err := t.exec(`DELETE FROM hs_account_data WHERE user_id = ? AND room_id = ? AND type = ?`, string(user), string(room), typ)
	return err
}

// DeleteAccountData implements store.AccountDataWriter.
func (t *tx) DeleteAccountData(user events.UserID) error {
	_, err := t.exec(`DELETE FROM hs_account_data WHERE user_id = ?`, string(user))
	return err
}
