package sqlstore

import (
	"errors"

	"github.com/ca4c8834/homeserver/store"
)

// ForgottenRooms implements store.Deletion.
func (v *view) ForgottenRooms(after store.RoomNum, limit int) ([]store.Room, error) {
	return all(v, scanRoom, `SELECT r.num, r.id, r.version, r.open FROM hs_forgotten_rooms f
		CROSS JOIN hs_rooms r ON r.num = f.room WHERE f.room > ? ORDER BY f.room LIMIT ?`, int64(after), int64(max(limit, 0)))
}

// Abandoned implements store.Deletion.
func (v *view) Abandoned(room store.RoomNum) (bool, error) {
	_, err := one(v, func(row) struct{} { return struct{}{} }, `SELECT 1 FROM hs_events e
		CROSS JOIN hs_members m ON m.user_id = e.state_key AND m.room = e.room
		WHERE e.room = ? AND e.member = 1 AND e.ends = ? AND e.type IS NOT NULL
			AND (m.membership IN ('join', 'invite', 'knock') OR m.been = 1 AND m.forgotten = 0) LIMIT 1`,
		int64(room), int64(store.MaxPos))
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// KeepRoom implements store.DeletionWriter.
func (t *tx) KeepRoom(room store.RoomNum) error {
	_, err := t.exec(`DELETE FROM hs_forgotten_rooms WHERE room = ?`, int64(room))
	return err
}

// DeleteRoom implements store.DeletionWriter.
func (t *tx) DeleteRoom(num store.RoomNum) error {
	room, err := t.RoomByNum(num)
	if err != nil {
		return err
	}
	lists, err := t.ListsOf(num)
	for _, list := range lists {
		err = errors.Join(err, t.DeleteListing(list, num))
	}
	if err != nil {
		return err
	}
	for _, table := range []string{"hs_rooms WHERE num", "hs_related_rooms WHERE room", "hs_forgotten_rooms WHERE room"} {
		if _, err := t.exec(`DELETE FROM `+table+` = ?`, int64(num)); err != nil {
			return err
		}
	}
	for _, table := range []string{"hs_aliases", "hs_typing"} {
		if _, err := t.exec(`DELETE FROM `+table+` WHERE room_id = ?`, string(room.ID)); err != nil {
			return err
		}
	}
	_, err = t.exec(`INSERT INTO hs_deleted_rooms (room, id) VALUES (?, ?)`, int64(num), string(room.ID))
	return err
}

// deleted is a room of which there is something left.
type deleted struct {
	num int64
	id  string
}

// PurgeRooms implements store.DeletionWriter.
func (t *tx) PurgeRooms(limit int) (more bool, err error) {
	room, err := one(&t.view, func(r row) deleted { return deleted{r.int(0), r.text(1)} },
		`SELECT room, id FROM hs_deleted_rooms WHERE room > 0 ORDER BY room LIMIT 1`)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	type event struct {
		pos    int64
		member string // "": no member event
	}
	list, err := all(&t.view, func(r row) event { return event{r.int(0), r.text(1)} },
		`SELECT pos, CASE WHEN member = 1 THEN state_key END FROM hs_events WHERE room = ? ORDER BY pos LIMIT ?`, room.num, int64(limit))
	if err != nil {
		return false, err
	}
	for _, e := range list {
		if err := t.purgeEvent(e.pos); err != nil {
			return false, err
		}
		if e.member != "" {
			if err := t.purgeMember(room, e.member); err != nil {
				return false, err
			}
		}
	}
	if len(list) == limit {
		return true, nil
	}
	_, err = t.exec(`DELETE FROM hs_deleted_rooms WHERE room = ?`, room.num)
	return true, err
}

// purgeEvent removes an event and what is known of it. What relates to it is of the
// same room, so no relation is left when all their targets have gone.
func (t *tx) purgeEvent(pos int64) error {
	for _, rows := range []string{
		"hs_relations WHERE target", "hs_annotations WHERE target", "hs_edits WHERE target",
		"hs_threads WHERE root", "hs_thread_participants WHERE root", "hs_search WHERE rowid", "hs_events WHERE pos",
	} {
		if _, err := t.exec(`DELETE FROM `+rows+` = ?`, pos); err != nil {
			return err
		}
	}
	return nil
}

// purgeMember removes what somebody who was once in a room has there.
func (t *tx) purgeMember(room deleted, user string) error {
	_, err := t.exec(`DELETE FROM hs_members WHERE user_id = ? AND room = ?`, user, room.num)
	if err == nil {
		_, err = t.exec(`DELETE FROM hs_account_data WHERE user_id = ? AND room_id = ?`, user, room.id)
	}
	if err == nil {
		_, err = t.exec(`DELETE FROM hs_receipts WHERE room = ? AND user_id = ?`, room.num, user)
	}
	return err
}
