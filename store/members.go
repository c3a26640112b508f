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
}

// Members reads who is where.
type Members interface {
	// Member returns the current membership of a user in a room. ErrNotFound
	// if there is no member event.
	Member(user events.UserID, room RoomNum) (Member, error)

	// RoomsOf returns all rooms that a user has a member event in, ordered
	// by room number.
	RoomsOf(user events.UserID) ([]Member, error)

	// RoomActivity returns the position of the newest event or receipt of each
	// room that a user is joined to, invited to or knocking on.
	RoomActivity(user events.UserID) (map[RoomNum]Pos, error)

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
