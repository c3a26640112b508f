package reader

import (
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// threadHops is how many relations lead at most from an event to another one that is
// in its thread by a relation of its own (UNRD-8).
const threadHops = 3

// Thread returns the root of the thread that an event is in, "" for the main
// timeline (UNRD-8).
func Thread(v store.View, version *events.RoomVersion, e *events.Event) (events.EventID, error) {
	thread := events.EventID("")
	err := walkRelations(v, version, e, func(r events.Relation) bool {
		if r.Type == events.RelThread {
			thread = r.Event
		}
		return thread == ""
	})
	return thread, err
}

// RelatedTo reports whether an event is the root or is related to it, directly or
// through few others (UNRD-10).
func RelatedTo(v store.View, version *events.RoomVersion, e *events.Event, root events.EventID) (bool, error) {
	related := e.ID == root
	if related {
		return true, nil
	}
	err := walkRelations(v, version, e, func(r events.Relation) bool {
		related = r.Event == root
		return !related
	})
	return related, err
}

// walkRelations calls f for the relation of an event, of the event it is related
// to, and so on, until f returns false.
func walkRelations(v store.View, version *events.RoomVersion, e *events.Event, f func(events.Relation) bool) error {
	for hop := 0; ; hop++ {
		r := e.Relation()
		if r.Event == "" || !f(r) || hop == threadHops {
			return nil
		}
		row, err := v.Event(r.Event)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		next, err := live.Parse(version, row)
		if err != nil {
			return err
		}
		if next.Room != e.Room {
			return nil
		}
		e = next.Event
	}
}
