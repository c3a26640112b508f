package homeservertest

import (
	"fmt"
	"net/url"
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
	return answer
}

// SyncUntil syncs until an answer satisfies the condition, and returns that
// answer; the test ends if there is none within half a minute. What came before
// is gone: a client that waits for several things asks for all of them in one
// condition, or in the order in which they come.
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
		for _, e := range Timeline(sync, room) {
			if e.Get("event_id").String() == string(event) {
				return true
			}
		}
		return false
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
