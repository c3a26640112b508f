package homeservertest

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// Sync returns what is new since the last time, without waiting for it: at
// first everything.
func (c *Client) Sync(tb testing.TB) gjson.Result {
	tb.Helper()
	return c.sync(tb, 0)
}

func (c *Client) sync(tb testing.TB, wait time.Duration) gjson.Result {
	tb.Helper()
	query := url.Values{"timeout": {fmt.Sprint(wait.Milliseconds())}}
	if c.Since != "" {
		query.Set("since", c.Since)
	}
	answer := c.Get(tb, "/v3/sync?"+query.Encode())
	c.Since = answer.Get("next_batch").String()
	answer.Get("rooms.join").ForEach(func(room, joined gjson.Result) bool {
		for _, e := range joined.Get("timeline.events").Array() {
			c.heard = append(c.heard, heard{events.RoomID(room.Str), e})
		}
		return true
	})
	return answer
}

// heard is an event that a sync has brought.
type heard struct {
	room  events.RoomID
	event gjson.Result
}

// Hear returns the first event of a room that the client has been told of in the
// timeline of any sync, and for which match is true. If there is none yet, it
// syncs until there is; the test ends if that takes half a minute.
func (c *Client) Hear(tb testing.TB, room events.RoomID, match func(event gjson.Result) bool) gjson.Result {
	tb.Helper()
	looked := 0
	find := func() (gjson.Result, bool) {
		for ; looked < len(c.heard); looked++ {
			if h := c.heard[looked]; h.room == room && match(h.event) {
				return h.event, true
			}
		}
		return gjson.Result{}, false
	}
	event, ok := find()
	if !ok {
		c.SyncUntil(tb, func(gjson.Result) bool {
			event, ok = find()
			return ok
		})
	}
	return event
}

// HearEvent is [Client.Hear] for the event with an ID.
func (c *Client) HearEvent(tb testing.TB, room events.RoomID, event events.EventID) gjson.Result {
	tb.Helper()
	return c.Hear(tb, room, func(e gjson.Result) bool { return e.Get("event_id").Str == string(event) })
}

// SyncUntil syncs until an answer satisfies the condition, and returns that
// answer; the test ends if there is none within a minute. Conditions see
// one answer at a time, each of them once.
func (c *Client) SyncUntil(tb testing.TB, condition func(sync gjson.Result) bool) gjson.Result {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for {
		left := time.Until(deadline)
		answer := c.sync(tb, min(max(left, 0), patience/2))
		if condition(answer) {
			return answer
		}
		if left <= 0 {
			tb.Fatalf("%s waits in vain; the last sync was %s", c, clip([]byte(answer.Raw)))
		}
	}
}

// HasEvent is the condition that the timeline of a joined room has an event.
func HasEvent(room events.RoomID, event events.EventID) func(sync gjson.Result) bool {
	return func(sync gjson.Result) bool {
		return slices.ContainsFunc(Timeline(sync, room), func(e gjson.Result) bool {
			return e.Get("event_id").Str == string(event)
		})
	}
}

// HasRoom is the condition that a room is in a section of the answer: "join",
// "invite", "leave" or "knock".
func HasRoom(section string, room events.RoomID) func(sync gjson.Result) bool {
	return func(sync gjson.Result) bool { return Room(sync, section, room).Exists() }
}

// Room returns what an answer tells about a room in one of its sections.
func Room(sync gjson.Result, section string, room events.RoomID) gjson.Result {
	return sync.Get("rooms." + section + "." + gjson.Escape(string(room)))
}

// Timeline returns the events that an answer has in the timeline of a joined
// room.
func Timeline(sync gjson.Result, room events.RoomID) []gjson.Result {
	return Room(sync, "join", room).Get("timeline.events").Array()
}
