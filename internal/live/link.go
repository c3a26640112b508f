package live

import (
	"cmp"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// complete reports whether the event has all the links it can have.
func (e *Event) complete() bool {
	return (e.Replaces == 0 || e.Prev != nil) && (e.RedactedBy == 0 || e.Because != nil)
}

// Complete reports whether all of the events have their links.
func Complete(list []*Event) bool {
	return !slices.ContainsFunc(list, func(e *Event) bool { return !e.complete() })
}

// Link replaces those events of one room's list that lack links by copies that
// have them, reading what is missing from the store in one go.
func Link(v store.View, version *events.RoomVersion, list []*Event) error {
	var missing []store.Pos
	for _, e := range list {
		if e.Replaces != 0 && e.Prev == nil {
			missing = append(missing, e.Replaces)
		}
		if e.RedactedBy != 0 && e.Because == nil {
			missing = append(missing, e.RedactedBy)
		}
	}
	if missing == nil {
		return nil
	}
	rows, err := v.EventsAt(missing)
	if err != nil {
		return err
	}
	found, err := ParseAll(version, rows)
	if err != nil {
		return err
	}
	at := func(pos store.Pos) *Event {
		if i, ok := slices.BinarySearchFunc(found, pos, func(e *Event, p store.Pos) int { return cmp.Compare(e.Pos, p) }); ok {
			return found[i]
		}
		return nil
	}
	for i, e := range list {
		if !e.complete() {
			list[i] = e.Linked(at(e.Replaces), at(e.RedactedBy))
		}
	}
	return nil
}
