package store

import "github.com/ca4c8834/homeserver/events"

// RoomNum is the store's own short name of a room: what rows refer to instead
// of the long ID. It never changes and is never used again for another room.
type RoomNum int64

// Room is what is fixed about a room, and whether it is open.
type Room struct {
	Num     RoomNum
	ID      events.RoomID
	Version string
	Open    bool // anybody may join it or read it; its members are known to all
}

// Rooms reads rooms.
type Rooms interface {
	// Room returns a room by its ID. ErrNotFound.
	Room(id events.RoomID) (Room, error)

	// RoomByNum returns a room by its number. ErrNotFound.
	RoomByNum(num RoomNum) (Room, error)
}

// RoomWriter changes rooms.
type RoomWriter interface {
	// CreateRoom adds a room and returns its number; r.Num is ignored.
	// ErrExists if the ID is taken.
	CreateRoom(r Room) (RoomNum, error)

	// SetRoomOpen opens or closes a room. ErrNotFound.
	SetRoomOpen(num RoomNum, open bool) error
}
