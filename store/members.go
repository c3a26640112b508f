package store

import "github.com/ca4c8834/homeserver/events"

// Member is the current membership of a user in a room.
type Member struct {
	Room       RoomNum
	RoomID     events.RoomID
	User       events.UserID
	Membership string // "join", "invite", "knock", "leave", "ban"
	Pos        Pos    // of the member event
	Forgotten  bool

	Been    bool // the user was joined at some time
	Removed bool // the user was joined once, and somebody else ended the membership

	RoomType  string // what the room's create event says; empty: a plain room
	Encrypted bool   // the room has an m.room.encryption event
}

// Activity is when something last happened in a room; a position is 0 if nothing has.
type Activity struct {
	Event   Pos // the newest event
	Receipt Pos // the newest receipt
}

// Newest is the later of the two.
func (a Activity) Newest() Pos { return max(a.Event, a.Receipt) }

// Members reads who is where.
type Members interface {
	// Member returns the current membership of a user in a room. ErrNotFound
	// if there is no member event.
	Member(user events.UserID, room RoomNum) (Member, error)

	// RoomsOf returns all rooms that a user has a member event in, ordered
	// by room number.
	RoomsOf(user events.UserID) ([]Member, error)

	// RoomActivity returns when something last happened in each room that a
	// user is joined to, invited to or knocking on.
	RoomActivity(user events.UserID) (map[RoomNum]Activity, error)

	// MemberCounts returns how many members of each membership a room has; those
	// that it has none of are left out.
	MemberCounts(room RoomNum) (map[string]int, error)

	// FirstMembers returns the members of a membership whose member events are the
	// oldest, in the order of those, at most limit.
	FirstMembers(room RoomNum, membership string, limit int) ([]events.UserID, error)

	// SharingRoom returns those of the others who are joined to a room that
	// the user is joined to, in no particular order.
	SharingRoom(user events.UserID, others []events.UserID) ([]events.UserID, error)

	// SharedRooms returns the rooms that both users are joined to, ordered by
	// number.
	SharedRooms(a, b events.UserID) ([]Room, error)
}

// MemberWriter changes what is not in the member event.
type MemberWriter interface {
	// ForgetRoom marks a room as forgotten by a user, until their next
	// member event. ErrNotFound if there is no member event.
	ForgetRoom(user events.UserID, room RoomNum) error
}
