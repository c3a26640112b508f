package sqlstore

import (
	"cmp"
	"slices"

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

// RoomsOf implements store.Members. It is the first thing that is read of somebody, who
// may be in thousands of rooms: all of them come in one row, because each row costs
// more than what is in it.
func (v *view) RoomsOf(user events.UserID) ([]store.Member, error) {
	var members []store.Member
	err := v.query(`SELECT count(*), group_concat(m.room), group_concat(m.pos),
			group_concat(m.forgotten + 2 * m.been + 4 * (m.removed AND m.been) + 8 * r.encrypted
				+ (octet_length(m.membership) << 4) + (octet_length(r.type) << 24) + (octet_length(r.id) << 44)),
			group_concat(r.id || m.membership || r.type, '')
		FROM hs_members m CROSS JOIN hs_rooms r ON r.num = m.room WHERE m.user_id = ?`, func(r row) {
		members = make([]store.Member, r.int(0))
		rooms, positions, rest, texts := numbers(r.text(1)), numbers(r.text(2)), numbers(r.text(3)), r.text(4)
		text := func(size int64) (s string) {
			size &= 1<<20 - 1 // more than an event may have
			s, texts = texts[:size], texts[size:]
			return s
		}
		for i := range members {
			bits := rest.next()
			members[i] = store.Member{
				Room: store.RoomNum(rooms.next()), Pos: store.Pos(positions.next()), User: user,
				RoomID: events.RoomID(text(bits >> 44)), Membership: text(bits >> 4), RoomType: text(bits >> 24),
				Forgotten: bits&1 != 0, Been: bits&2 != 0, Removed: bits&4 != 0, Encrypted: bits&8 != 0,
			}
		}
	}, string(user))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(members, func(a, b store.Member) int { return cmp.Compare(a.Room, b.Room) }) // as they come
	return members, nil
}

// numbers is what group_concat makes of numbers that are not negative.
type numbers string

func (n *numbers) next() (v int64) {
	i := 0
	for ; i < len(*n) && (*n)[i] != ','; i++ {
		v = v*10 + int64((*n)[i]-'0')
	}
	*n = (*n)[min(i+1, len(*n)):]
	return v
}

// NewestEvents implements store.Members.
func (v *view) NewestEvents(user events.UserID) (map[store.RoomNum]store.Pos, error) {
	return v.newest(`SELECT count(*), group_concat(m.room),
			group_concat(coalesce((SELECT e.pos FROM hs_events e WHERE e.room = m.room ORDER BY e.pos DESC LIMIT 1), 0))
		FROM hs_members m WHERE m.user_id = ? AND m.membership = 'join'`, user)
}

// NewestReceipts implements store.Members.
func (v *view) NewestReceipts(user events.UserID) (map[store.RoomNum]store.Pos, error) {
	return v.newest(`SELECT count(*), group_concat(m.room),
			group_concat(coalesce((SELECT r.pos FROM hs_receipts r WHERE r.room = m.room ORDER BY r.pos DESC LIMIT 1), 0))
		FROM hs_members m WHERE m.user_id = ? AND m.membership = 'join'`, user)
}

// newest reads pairs of a room and a position, 0 for none.
func (v *view) newest(query string, user events.UserID) (newest map[store.RoomNum]store.Pos, err error) {
	err = v.query(query, func(r row) {
		rooms, positions := numbers(r.text(1)), numbers(r.text(2))
		newest = make(map[store.RoomNum]store.Pos, r.int(0))
		for range r.int(0) {
			if room, pos := rooms.next(), positions.next(); pos > 0 {
				newest[store.RoomNum(room)] = store.Pos(pos)
			}
		}
	}, string(user))
	return newest, err
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
