package store

import "github.com/ca4c8834/homeserver/events"

// Thread is a thread by the positions of its root and of its newest event.
type Thread struct{ Root, Latest Pos }

// ThreadParticipant is somebody who has sent the root of a thread or events in it.
type ThreadParticipant struct {
	Root   Pos
	User   events.UserID
	Events int // in the thread, without the root
	Latest Pos // of these; 0 if there are none
}

// Threads reads threads, which are made and changed by [RelationWriter].
type Threads interface {
	// ThreadsBefore returns up to limit threads of a room whose newest event is
	// not after from, the one with the newest first: those that a user takes part
	// in, or all if the user is empty.
	ThreadsBefore(room RoomNum, from Pos, user events.UserID, limit int) ([]Thread, error)

	// ThreadParticipants returns the participants of those of the given events
	// that are or were roots of threads. In no particular order.
	ThreadParticipants(roots []Pos) ([]ThreadParticipant, error)
}
