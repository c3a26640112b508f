package store

import "github.com/ca4c8834/homeserver/events"

// MaxPos is later than every position: as the position of a state it means
// the current one.
const MaxPos Pos = 1<<63 - 1

// Interval says that an event was the state of its key for the positions from
// From (its own) to before To; To is MaxPos while it still is.
type Interval struct {
	From, To Pos
	Event    Event
}

// State reads the state of rooms as it is and as it was.
type State interface {
	// StateAt returns the whole state as it was right after the position at,
	// without members when members is false. In no particular order.
	StateAt(room RoomNum, at Pos, members bool) ([]Event, error)

	// StateEventAt returns the state event of one key as it was right after
	// the position at. ErrNotFound.
	StateEventAt(room RoomNum, at Pos, key events.StateKey) (Event, error)

	// StateEventsAt returns those of the given keys that had a state event
	// right after the position at. In no particular order.
	StateEventsAt(room RoomNum, at Pos, keys []events.StateKey) ([]Event, error)

	// StateChanges returns for each key whose state changed with from < Pos
	// <= until the last such change, ordered by position.
	StateChanges(room RoomNum, from, until Pos) ([]Event, error)

	// StateHistory returns every event that ever was the state of a key,
	// ordered by position.
	StateHistory(room RoomNum, key events.StateKey) ([]Interval, error)
}
