package store

import "github.com/ca4c8834/homeserver/events"

// Typing remembers where somebody is typing, and nothing else: after a restart
// clients have to be told that nobody is any more.
type Typing interface {
	// TypingRooms returns the rooms where somebody is typing, in order.
	TypingRooms() ([]events.RoomID, error)
}

// TypingWriter changes where somebody is typing.
type TypingWriter interface {
	// SetTyping says whether somebody is typing in a room.
	SetTyping(room events.RoomID, typing bool) error
}
