package live

import (
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Event is an event of a timeline, parsed, with what happened around it. It is
// immutable; a redaction makes a new one.
type Event struct {
	*events.Event
	Pos        store.Pos
	Txn        store.Txn
	Replaces   store.Pos // of the state event whose place it took; 0: none
	RedactedBy store.Pos // of the redaction that pruned it; 0: whole

	// Prev is the event at Replaces and Because the one at RedactedBy; nil
	// while not loaded. They have no such links of their own, so that an
	// event never holds more than its neighbours in memory.
	Prev, Because *Event
}

// Parse makes an Event of a row of the store.
func Parse(v *events.RoomVersion, row store.Event) (*Event, error) {
	ev, err := v.Parse(row.JSON, row.ID)
	if err != nil {
		return nil, fmt.Errorf("parse stored event %s: %w", row.ID, err)
	}
	return &Event{Event: ev, Pos: row.Pos, Txn: row.Txn, Replaces: row.Replaces, RedactedBy: row.RedactedBy}, nil
}

// ParseAll is Parse for many rows of one room.
func ParseAll(v *events.RoomVersion, rows []store.Event) ([]*Event, error) {
	out := make([]*Event, len(rows))
	for i := range rows {
		ev, err := Parse(v, rows[i])
		if err != nil {
			return nil, err
		}
		out[i] = ev
	}
	return out, nil
}

// alone is the event without its links.
func (e *Event) alone() *Event {
	c := *e
	c.Prev, c.Because = nil, nil
	return &c
}

// Linked returns the event with its links replaced by those given, where they
// are not nil.
func (e *Event) Linked(prev, because *Event) *Event {
	c := *e
	if prev != nil {
		c.Prev = prev.alone()
	}
	if because != nil {
		c.Because = because.alone()
	}
	return &c
}

// weight is roughly what the event costs in memory, in bytes.
func (e *Event) weight() int {
	n := len(e.Raw) + 300
	if e.Prev != nil {
		n += len(e.Prev.Raw) + 300
	}
	return n
}
