package sqlstore

import "github.com/ca4c8834/homeserver/events"

// TypingRooms implements store.Typing.
func (v *view) TypingRooms() ([]events.RoomID, error) {
	return all(v, text[events.RoomID], `SELECT room_id FROM hs_typing ORDER BY room_id`)
}

// SetTyping implements store.TypingWriter.
func (t *tx) SetTyping(room events.RoomID, typing bool) error {
	query := `DELETE FROM hs_typing WHERE room_id = ?`
	if typing {
		query = `INSERT INTO hs_typing (room_id) VALUES (?) ON CONFLICT (room_id) DO NOTHING`
	}
	_, err := t.exec(query, string(room))
	return err
}
