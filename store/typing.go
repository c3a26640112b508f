package store

import "github.com/ca4c8834/homeserver/events"

// Typing remembers where somebody is typing or was a short while ago, and nothing else:
// after a restart clients have to be told that nobody is any more.
type Typing interface {
	// TypingRooms returns the rooms for which that was set, in order.
	TypingRooms() ([]events.RoomID, error)
}

// TypingWriter changes where somebody is typing.
type TypingWriter interface {
	// SetTyping says whether somebody is typing in a room, or was a short while ago.
	SetTyping(room events.RoomID, typing bool) error
}
