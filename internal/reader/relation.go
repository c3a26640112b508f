package reader

import (
	"errors"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// threadHops is how many relations lead at most from an event to its thread
// (UNRD-8).
const threadHops = 3

// Relation is what an event says about another one in m.relates_to.
type Relation struct {
	Type  string // rel_type
	Event events.EventID
}

// RelationOf returns an event's relation; zero if it has none that is well-formed.
func RelationOf(e *events.Event) Relation {
	r := gjson.GetManyBytes(e.Content, `m\.relates_to.rel_type`, `m\.relates_to.event_id`)
	if r[0].Type != gjson.String || r[1].Type != gjson.String {
		return Relation{}
	}
	return Relation{r[0].Str, events.EventID(r[1].Str)}
}

// Thread returns the root of the thread that an event is in, "" for the main
// timeline (UNRD-8).
func Thread(v store.View, version *events.RoomVersion, e *events.Event) (events.EventID, error) {
	thread := events.EventID("")
	err := walkRelations(v, version, e, func(r Relation) bool {
		if r.Type == "m.thread" {
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
	err := walkRelations(v, version, e, func(r Relation) bool {
		related = r.Event == root
		return !related
	})
	return related, err
}

// walkRelations calls f for the relation of an event, of the event it is related
// to, and so on, until f returns false.
func walkRelations(v store.View, version *events.RoomVersion, e *events.Event, f func(Relation) bool) error {
	for range threadHops {
		r := RelationOf(e)
		if r.Event == "" || !f(r) {
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
	return nil
}
