package homeservertest

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// CreateRoom creates a room and returns its ID. A nil body makes a private room
// with the defaults.
func (c *Client) CreateRoom(tb testing.TB, body any) events.RoomID {
	tb.Helper()
	if body == nil {
		body = "{}"
	}
	return events.RoomID(c.Post(tb, "/v3/createRoom", body).Get("room_id").String())
}

// Invite invites another user to a room.
func (c *Client) Invite(tb testing.TB, room events.RoomID, user events.UserID) {
	tb.Helper()
	c.Post(tb, Path("/v3/rooms/{}/invite", room), map[string]any{"user_id": user})
}

// Join joins a room.
func (c *Client) Join(tb testing.TB, room events.RoomID) {
	tb.Helper()
	c.Post(tb, Path("/v3/rooms/{}/join", room), "{}")
}

// Leave leaves a room, or rejects the invitation to it.
func (c *Client) Leave(tb testing.TB, room events.RoomID) {
	tb.Helper()
	c.Post(tb, Path("/v3/rooms/{}/leave", room), "{}")
}

// Send sends an event and returns its ID.
func (c *Client) Send(tb testing.TB, room events.RoomID, eventType string, content any) events.EventID {
	tb.Helper()
	path := Path("/v3/rooms/{}/send/{}/{}", room, eventType, rand.Text())
	return events.EventID(c.Put(tb, path, content).Get("event_id").String())
}

// Say sends a text message and returns the event's ID.
func (c *Client) Say(tb testing.TB, room events.RoomID, text string) events.EventID {
	tb.Helper()
	return c.Send(tb, room, "m.room.message", map[string]any{"msgtype": "m.text", "body": text})
}

// SetState sends a state event and returns its ID.
func (c *Client) SetState(tb testing.TB, room events.RoomID, eventType, stateKey string, content any) events.EventID {
	tb.Helper()
	path := Path("/v3/rooms/{}/state/{}/{}", room, eventType, stateKey)
	return events.EventID(c.Put(tb, path, content).Get("event_id").String())
}

// State returns the content of a state event.
func (c *Client) State(tb testing.TB, room events.RoomID, eventType, stateKey string) gjson.Result {
	tb.Helper()
	return c.Get(tb, Path("/v3/rooms/{}/state/{}/{}", room, eventType, stateKey))
}

// Redact redacts an event and returns the ID of the redaction.
func (c *Client) Redact(tb testing.TB, room events.RoomID, event events.EventID) events.EventID {
	tb.Helper()
	path := Path("/v3/rooms/{}/redact/{}/{}", room, event, rand.Text())
	return events.EventID(c.Put(tb, path, "{}").Get("event_id").String())
}

// History returns the last events of a room, up to limit, the newest first.
func (c *Client) History(tb testing.TB, room events.RoomID, limit int) []gjson.Result {
	tb.Helper()
	return c.Get(tb, Path("/v3/rooms/{}/messages", room)+fmt.Sprintf("?dir=b&limit=%d", limit)).Get("chunk").Array()
}
