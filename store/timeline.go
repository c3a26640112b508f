package store

import "github.com/ca4c8834/homeserver/events"

// Event is a row of the timeline: an event as it was received, and what
// happened around it.
type Event struct {
	Pos  Pos
	Room RoomNum
	ID   events.EventID
	JSON []byte // events.Event.Raw; after a redaction, of the redacted event

	// Txn is how the event was sent, the path left out; zero if not by a
	// client's request.
	Txn Txn

	// Replaces is the position of the state event whose place this one took;
	// 0 if there was none or it is no state event.
	Replaces Pos

	// RedactedBy is the position of the redaction that pruned the event; 0
	// while it is whole.
	RedactedBy Pos
}

// Moment is a place in a room's history by the clock: events are ordered by their
// origin_server_ts, and those of the same time by position.
type Moment struct {
	TS  int64
	Pos Pos
}

// Txn names a request that a client may repeat.
type Txn struct {
	Device string // of the sender
	ID     string // the transaction ID
	Path   string // what else tells requests apart: endpoint, room, event type; only for finding
}

// Timeline reads events in the order of their positions.
type Timeline interface {
	// Event returns an event by its ID. ErrNotFound.
	Event(id events.EventID) (Event, error)

	// EventsAt returns the events at the given positions, ordered by
	// position; positions that hold no event are left out.
	EventsAt(positions []Pos) ([]Event, error)

	// TimelineBefore returns up to limit events of a room with after < Pos <=
	// from, newest first.
	TimelineBefore(room RoomNum, from, after Pos, limit int) ([]Event, error)

	// TimelineAfter returns up to limit events of a room with from < Pos <=
	// until, oldest first.
	TimelineAfter(room RoomNum, from, until Pos, limit int) ([]Event, error)

	// RoomsSince returns the rooms that have an event after a position, ordered by
	// number.
	RoomsSince(pos Pos) ([]Room, error)

	// MomentsBefore returns the moments of up to limit events of a room that are
	// earlier than m, latest first.
	MomentsBefore(room RoomNum, m Moment, limit int) ([]Moment, error)

	// MomentsAfter returns the moments of up to limit events of a room that are
	// later than m, earliest first.
	MomentsAfter(room RoomNum, m Moment, limit int) ([]Moment, error)

	// SentBy returns the ID of the event that a user's request has sent.
	// ErrNotFound.
	SentBy(user events.UserID, txn Txn) (events.EventID, error)
}

// Append is an event to be added to a room.
type Append struct {
	Pos      Pos // from Tx.Next
	Room     RoomNum
	Event    *events.Event
	Txn      Txn // zero: not sent by a client's request
	Replaces Pos // of the current state event of the same key; 0 if there is none
}

// TimelineWriter adds to rooms.
type TimelineWriter interface {
	// Append adds an event to the end of a room. A state event becomes the
	// current state of its type and key, from its position on, and what it
	// replaces ends there. An m.room.member event also becomes the row of
	// its user in Members, no longer forgotten; m.room.create and
	// m.room.encryption give the type and the encryption of the room there. A
	// Replaces that is not the current state of the key, an ID or a position
	// that is taken, are faults.
	Append(a Append) error

	// Redact replaces the JSON of the event at a position by its redacted
	// form, and remembers the position of the redaction. ErrNotFound.
	Redact(pos Pos, redacted *events.Event, by Pos) error
}
