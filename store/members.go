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

// Members reads who is where.
type Members interface {
	// Member returns the current membership of a user in a room. ErrNotFound
	// if there is no member event.
	Member(user events.UserID, room RoomNum) (Member, error)

	// RoomsOf returns all rooms that a user has a member event in, ordered
	// by room number.
	RoomsOf(user events.UserID) ([]Member, error)

	// NewestEvents returns the position of the newest event of each room that a
	// user is joined to.
	NewestEvents(user events.UserID) (map[RoomNum]Pos, error)

	// NewestReceipts returns the position of the newest receipt of each room that
	// a user is joined to and that has any.
	NewestReceipts(user events.UserID) (map[RoomNum]Pos, error)

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
