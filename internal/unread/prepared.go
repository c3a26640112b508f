package unread

import (
	"sync"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
)

// prepared keeps the latest events that push rules were asked about: a message that
// wakes a thousand members is judged by the rules of each of them within the same
// moment, and what the first one's look up in it serves all others'.
type prepared [64]preparedEvent

// preparedEvent is a place for one event at a time.
type preparedEvent struct {
	mu    sync.Mutex // held while rules look at event
	of    *events.Event
	room  push.Room
	event *push.Event
}

// evaluate is Ruleset.Evaluate of an event.
func (p *prepared) evaluate(rules *push.Ruleset, e *live.Event, room push.Room, member *events.Event) push.Outcome {
	place := &p[e.Pos%store.Pos(len(p))]
	if !place.mu.TryLock() { // rather than wait for somebody's rules
		return rules.Evaluate(push.NewEvent(e.Event, room), member)
	}
	defer place.mu.Unlock()
	if place.of != e.Event || place.room != room {
		place.of, place.room, place.event = e.Event, room, push.NewEvent(e.Event, room)
	}
	return rules.Evaluate(place.event, member)
}
