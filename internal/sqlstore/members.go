package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectMembers = `SELECT m.room, r.id, m.membership, m.pos, m.forgotten,
		m.been, m.removed AND m.been, r.type, r.encrypted
	FROM hs_members m CROSS JOIN hs_rooms r ON r.num = m.room WHERE m.user_id = ? `

func scanMember(user events.UserID) func(row) store.Member {
	return func(r row) store.Member {
		return store.Member{
			Room:       store.RoomNum(r.int(0)),
			RoomID:     events.RoomID(r.text(1)),
			User:       user,
			Membership: r.text(2),
			Pos:        store.Pos(r.int(3)),
			Forgotten:  r.bool(4),
			Been:       r.bool(5),
			Removed:    r.bool(6),
			RoomType:   r.text(7),
			Encrypted:  r.bool(8),
		}
	}
}

// Member implements store.Members.
func (v *view) Member(user events.UserID, room store.RoomNum) (store.Member, error) {
	return one(v, scanMember(user), selectMembers+`AND m.room = ?`, string(user), int64(room))
}

// RoomsOf implements store.Members.
func (v *view) RoomsOf(user events.UserID) ([]store.Member, error) {
	return all(v, scanMember(user), selectMembers+`ORDER BY m.room`, string(user))
}

// NewestEvents implements store.Members.
func (v *view) NewestEvents(user events.UserID) (map[store.RoomNum]store.Pos, error) {
	return v.newest(`SELECT m.room, (SELECT e.pos FROM hs_events e WHERE e.room = m.room ORDER BY e.pos DESC LIMIT 1)
		FROM hs_members m WHERE m.user_id = ? AND m.membership = 'join'`, user)
}

// NewestReceipts implements store.Members.
func (v *view) NewestReceipts(user events.UserID) (map[store.RoomNum]store.Pos, error) {
	return v.newest(`SELECT m.room, (SELECT r.pos FROM hs_receipts r WHERE r.room = m.room ORDER BY r.pos DESC LIMIT 1)
		FROM hs_members m WHERE m.user_id = ? AND m.membership = 'join'`, user)
}

// newest collects pairs of a room and a position, those with NULL aside.
func (v *view) newest(query string, user events.UserID) (map[store.RoomNum]store.Pos, error) {
	newest := make(map[store.RoomNum]store.Pos)
	err := v.query(query, func(r row) {
		if pos := r.int(1); pos > 0 {
			newest[store.RoomNum(r.int(0))] = store.Pos(pos)
		}
	}, string(user))
	if err != nil {
		return nil, err
	}
	return newest, nil
}

// MemberCounts implements store.Members.
func (v *view) MemberCounts(room store.RoomNum) (map[string]int, error) {
	counts := map[string]int{}
	err := v.query(`SELECT membership, count(*) FROM hs_members WHERE room = ? GROUP BY membership`,
		func(r row) { counts[r.text(0)] = int(r.int(1)) }, int64(room))
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// FirstMembers implements store.Members.
func (v *view) FirstMembers(room store.RoomNum, membership string, limit int) ([]events.UserID, error) {
	return all(v, text[events.UserID], `SELECT user_id FROM hs_members WHERE room = ? AND membership = ? ORDER BY pos LIMIT ?`,
		int64(room), membership, int64(max(limit, 0)))
}

// SharingRoom implements store.Members.
func (v *view) SharingRoom(user events.UserID, others []events.UserID) ([]events.UserID, error) {
	return eachUser(v, others, text[events.UserID], `WITH k (user_id) AS (`+valuesChunk+`)
		SELECT k.user_id FROM k WHERE EXISTS (SELECT 1 FROM hs_members o CROSS JOIN hs_members m ON m.room = o.room
			WHERE o.user_id = k.user_id AND o.membership = 'join' AND m.user_id = ? AND m.membership = 'join')`, string(user))
}

// SharedRooms implements store.Members.
func (v *view) SharedRooms(a, b events.UserID) ([]store.Room, error) {
	return all(v, scanRoom, `SELECT r.num, r.id, r.version, r.open FROM hs_members o
		CROSS JOIN hs_members m ON m.user_id = ? AND m.room = o.room CROSS JOIN hs_rooms r ON r.num = o.room
		WHERE o.user_id = ? AND o.membership = 'join' AND m.membership = 'join' ORDER BY o.room`, string(a), string(b))
}

// ForgetRoom implements store.MemberWriter.
func (t *tx) ForgetRoom(user events.UserID, room store.RoomNum) error {
	if err := t.mustChange(`UPDATE hs_members SET forgotten = 1 WHERE user_id = ? AND room = ?`, string(user), int64(room)); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO hs_forgotten_rooms (room) VALUES (?) ON CONFLICT (room) DO NOTHING`, int64(room))
	return err
}

// putMember keeps the row of a member event's user.
func (t *tx) putMember(a store.Append) error {
	membership, user := a.Event.Membership(), *a.Event.StateKey
	removed := (membership == events.MembershipLeave || membership == events.MembershipBan) && user != string(a.Event.Sender)
	_, err := t.exec(`INSERT INTO hs_members (user_id, room, membership, pos, forgotten, been, removed) VALUES (?, ?, ?, ?, 0, ?, ?)
		ON CONFLICT (user_id, room) DO UPDATE SET membership = excluded.membership, pos = excluded.pos, forgotten = 0,
			been = max(been, excluded.been), removed = excluded.removed`,
		user, int64(a.Room), membership, int64(a.Pos), integer(membership == events.MembershipJoin), integer(removed))
	return err
}
