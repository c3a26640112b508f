package homeserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// eventOf reads an event.
func eventOf(t testing.TB, c *homeservertest.Client, room events.RoomID, id events.EventID) gjson.Result {
	t.Helper()
	return c.Get(t, homeservertest.Path("/v3/rooms/{}/event/{}", room, id))
}

// historyOf lists the IDs of a room's events as somebody sees them, the oldest first.
func historyOf(t testing.TB, c *homeservertest.Client, room events.RoomID) (ids []string) {
	t.Helper()
	for _, e := range c.Get(t, homeservertest.Path("/v3/rooms/{}/messages?dir=f&limit=1000", room)).Get("chunk").Array() {
		ids = append(ids, e.Get("event_id").Str)
	}
	return ids
}

func TestSend(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_123)
	hs := homeservertest.New(t, homeserver.WithClock(func() time.Time { return now }))
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	bob.Sync(t)
	for name, content := range map[string]string{
		"a message":      `{"body":"hello","msgtype":"m.text"}`,
		"no content":     `{}`,
		"unknown keys":   `{"body":"x","fi.mau.double_puppet_source":"bridge","nested":{"a":[1,null,true,{"b":""}]}}`, // CLIENT-27
		"text":           `{"body":"<&>\u2028 / \" \\ 😀\u0001"}`,
		"what is ours":   `{"event_id":"$x","origin_server_ts":1,"room_id":"!x:y","sender":"@x:y","unsigned":{"age":7},"redacts":"$x"}`, // SEND-8
		"large integers": `{"a":9007199254740991,"b":-9007199254740991}`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/v3/rooms/{}/send/{}/{}", "/r0/rooms/{}/send/{}/{}"} {
				typ := "org.example." + name
				id := events.EventID(alice.Put(t, homeservertest.Path(path, room, typ, name+path)+"?ts=1", content).Get("event_id").Str) // SEND-1, STATE-15
				for who, e := range map[string]gjson.Result{                                                                             // SEND-9
					"the sender":   eventOf(t, alice, room, id),
					"another":      eventOf(t, bob, room, id),
					"another sync": bob.SyncUntil(t, homeservertest.HasEvent(room, id)).Get("rooms.join.*.timeline.events.@reverse.0"),
				} {
					want := gjson.Parse(content)
					if e.Get("event_id").Str != string(id) || e.Get("type").Str != typ || e.Get("sender").Str != string(alice.User) || // EVT-1, EVT-11, SEND-8
						e.Get("origin_server_ts").Int() != now.UnixMilli() || e.Get("state_key").Exists() || !sameJSON(e.Get("content"), want) {
						t.Errorf("%s sees %s", who, e)
					}
					for key := range e.Map() { // EVT-4, EVT-2
						if !strings.Contains(" content event_id origin_server_ts room_id sender type unsigned ", " "+key+" ") {
							t.Errorf("%s sees %s", who, key)
						}
					}
				}
			}
		})
	}
}

// sameJSON reports whether two values are the same but for the order of keys and the
// way strings are escaped.
func sameJSON(a, b gjson.Result) bool {
	return fmt.Sprint(a.Value()) == fmt.Sprint(b.Value())
}

// What a device sends twice to the same place is one event (SEND-2, TXN-1 to TXN-3).
func TestSendAgain(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	tablet := hs.Login(t, "alice")
	bob := hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	other := alice.CreateRoom(t, nil)
	bob.Join(t, room)
	send := func(c *homeservertest.Client, room events.RoomID, typ, txn, body string) string {
		t.Helper()
		return c.Put(t, homeservertest.Path("/v3/rooms/{}/send/{}/{}", room, typ, txn), body).Get("event_id").Str
	}
	first := send(alice, room, "m.room.message", "1", `{"msgtype":"m.text","body":"one"}`)
	before := historyOf(t, alice, room)
	if again := send(alice, room, "m.room.message", "1", `{"msgtype":"m.text","body":"two"}`); again != first {
		t.Errorf("sent again it is %s, not %s", again, first)
	}
	if again := alice.Put(t, homeservertest.Path("/r0/rooms/{}/send/m.room.message/1", room), `{"msgtype":"m.text","body":"x"}`).Get("event_id").Str; again != first {
		t.Errorf("under r0 it is %s, not %s", again, first)
	}
	same(t, "events after sending again", historyOf(t, alice, room), before)
	if got := eventOf(t, alice, room, events.EventID(first)).Get("content.body").Str; got != "one" {
		t.Errorf("the body has become %s", got)
	}
	seen := map[string]string{first: "the first"}
	for name, id := range map[string]string{
		"another transaction": send(alice, room, "m.room.message", "2", `{"msgtype":"m.text","body":"one"}`),
		"another type":        send(alice, room, "m.other", "1", `{"msgtype":"m.text","body":"one"}`),
		"another room":        send(alice, other, "m.room.message", "1", `{"msgtype":"m.text","body":"one"}`),
		"another device":      send(tablet, room, "m.room.message", "1", `{"msgtype":"m.text","body":"one"}`),
		"another user":        send(bob, room, "m.room.message", "1", `{"msgtype":"m.text","body":"one"}`),
		"another endpoint":    alice.Put(t, homeservertest.Path("/v3/rooms/{}/redact/{}/1", room, first), `{}`).Get("event_id").Str,
		"case":                send(alice, room, "m.room.message", "T", `{"msgtype":"m.text","body":"x"}`),
		"other case":          send(alice, room, "m.room.message", "t", `{"msgtype":"m.text","body":"x"}`),
		"with a slash":        send(alice, room, "m.room.message", "1/1", `{"msgtype":"m.text","body":"x"}`),
		"type with a slash":   send(alice, room, "m.room.message/1", "1", `{"msgtype":"m.text","body":"x"}`),
		"with percent signs":  send(alice, room, "m.room.message", "%00é", `{"msgtype":"m.text","body":"x"}`),
	} {
		if was, ok := seen[id]; ok {
			t.Errorf("%s is the same as %s", name, was)
		}
		seen[id] = name
	}

	// TXN-3, EVT-6: the device is what counts, whatever its token.
	answer := hs.Anonymous().Post(t, "/v3/login", map[string]any{
		"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": "alice"},
		"password": homeservertest.Password, "device_id": alice.Device, "refresh_token": true,
	})
	renewed := *alice
	renewed.Token = answer.Get("access_token").Str
	third := send(&renewed, room, "m.room.message", "3", `{"msgtype":"m.text","body":"x"}`)
	answer = hs.Anonymous().Post(t, "/v3/refresh", map[string]any{"refresh_token": answer.Get("refresh_token").Str})
	renewed.Token = answer.Get("access_token").Str
	if again := send(&renewed, room, "m.room.message", "3", `{"msgtype":"m.text","body":"x"}`); again != third {
		t.Errorf("after a refresh it is %s, not %s", again, third)
	}
	if again := send(&renewed, room, "m.room.message", "1", `{"msgtype":"m.text","body":"x"}`); again != first {
		t.Errorf("after another login it is %s, not %s", again, first)
	}
	for name, tt := range map[string]struct {
		c    *homeservertest.Client
		want string
	}{"the device": {&renewed, "3"}, "another device": {tablet, ""}, "another user": {bob, ""}} {
		for from, e := range map[string]gjson.Result{
			"event":    eventOf(t, tt.c, room, events.EventID(third)),
			"messages": tt.c.Get(t, homeservertest.Path("/v3/rooms/{}/messages?dir=b&limit=1", room)).Get("chunk.0"),
			"context":  tt.c.Get(t, homeservertest.Path("/v3/rooms/{}/context/{}", room, third)).Get("event"),
			"sync":     homeservertest.Room(syncWith(t, tt.c, "", ""), "join", room).Get("timeline.events.@reverse.0"),
		} {
			if e.Get("event_id").Str != third || e.Get("unsigned.transaction_id").Str != tt.want {
				t.Errorf("%s for %s: %s", from, name, e)
			}
		}
	}
}

// A request is repeated although its answer got lost, and what it was is still known
// when the room has moved on (TXN-2).
func TestSendAgainAfterLeaving(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	path := homeservertest.Path("/v3/rooms/{}/send/m.room.message/1", room)
	first := bob.Put(t, path, `{"msgtype":"m.text","body":"x"}`).Get("event_id").Str
	bob.Leave(t, room)
	if again := bob.Put(t, path, `{"msgtype":"m.text","body":"x"}`).Get("event_id").Str; again != first {
		t.Errorf("%s, want %s", again, first)
	}
}

// LEG-10: without a transaction ID every request is a new one.
func TestSendWithoutTransaction(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	path := homeservertest.Path("/v3/rooms/{}/send/m.room.message", room)
	one, two := alice.Post(t, path, `{"msgtype":"m.text","body":"x"}`).Get("event_id").Str, alice.Post(t, path, `{"msgtype":"m.text","body":"x"}`).Get("event_id").Str
	if one == two || one == "" {
		t.Errorf("%s and %s", one, two)
	}
	redact := homeservertest.Path("/v3/rooms/{}/redact/{}", room, one)
	if alice.Post(t, redact, `{}`).Get("event_id").Str == alice.Post(t, redact, nil).Get("event_id").Str {
		t.Error("two redactions are one")
	}
	if e := eventOf(t, alice, room, events.EventID(one)); e.Get("unsigned.transaction_id").Exists() || !e.Get("unsigned.redacted_because").Exists() {
		t.Errorf("%s", e)
	}
}

// Who may send: members with the power to, and nobody else (SEND-1, SEND-3).
func TestSendRefused(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, `{"preset":"public_chat","power_level_content_override":{"events":{"m.special":50},"users_default":10}}`)
	quiet := alice.CreateRoom(t, `{"preset":"public_chat","power_level_content_override":{"events_default":50}}`)
	people := map[string]*homeservertest.Client{"alice": alice}
	for _, name := range []string{"member", "stranger", "invited", "left", "banned", "kicked"} {
		people[name] = hs.User(t, name)
	}
	for _, name := range []string{"member", "left", "banned", "kicked"} {
		people[name].Join(t, room)
		people[name].Join(t, quiet)
	}
	alice.Invite(t, room, people["invited"].User)
	people["left"].Leave(t, room)
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), map[string]any{"user_id": people["banned"].User})
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), map[string]any{"user_id": people["kicked"].User})
	before, beforeQuiet := historyOf(t, alice, room), historyOf(t, alice, quiet)
	for _, tt := range []struct {
		who  string
		room events.RoomID
		typ  string
	}{
		{"stranger", room, "m.room.message"},
		{"invited", room, "m.room.message"},
		{"left", room, "m.room.message"},
		{"banned", room, "m.room.message"},
		{"kicked", room, "m.room.message"},
		{"member", room, "m.special"},
		{"member", quiet, "m.room.message"},
		{"alice", "!unknown:example.org", "m.room.message"},
		{"alice", "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "m.room.message"},
	} {
		people[tt.who].Do(t, http.MethodPut, homeservertest.Path("/v3/rooms/{}/send/{}/1", tt.room, tt.typ), `{"msgtype":"m.text","body":"x"}`).WantError(403, "M_FORBIDDEN")
	}
	same(t, "events afterwards", historyOf(t, alice, room), before)
	same(t, "events in the quiet room", historyOf(t, alice, quiet), beforeQuiet)
	people["member"].Send(t, room, "m.room.message", `{"msgtype":"m.text","body":"x"}`)
	alice.Send(t, quiet, "m.room.message", `{"msgtype":"m.text","body":"x"}`)
}

// Suspended users may take back what they have said, and say nothing more (SEND-11).
func TestSendWhileSuspended(t *testing.T) {
	t.Parallel()
	hs, st := storeOf(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := bob.CreateRoom(t, `{"preset":"public_chat"}`)
	alice.Join(t, room)
	own, others := bob.Say(t, room, "mine"), alice.Say(t, room, "yours")
	bob = change(t, hs, st, bob.User, suspended)
	for path, body := range map[string]string{
		homeservertest.Path("/v3/rooms/{}/send/m.room.message/1", room):   `{"msgtype":"m.text","body":"x"}`,
		homeservertest.Path("/v3/rooms/{}/state/m.room.topic/", room):     `{"topic":"x"}`,
		homeservertest.Path("/v3/rooms/{}/redact/{}/1", room, others):     `{}`,
		homeservertest.Path("/v3/rooms/{}/send/m.room.redaction/2", room): fmt.Sprintf(`{"redacts":%q}`, others),
	} {
		bob.Do(t, http.MethodPut, path, body).WantError(403, "M_USER_SUSPENDED")
	}
	if got := eventOf(t, alice, room, others).Get("content.body").Str; got != "yours" {
		t.Errorf("what alice said is %q", got)
	}
	bob.Redact(t, room, own)
	if e := eventOf(t, alice, room, own); e.Get("content").Raw != "{}" {
		t.Errorf("%s", e)
	}
}
