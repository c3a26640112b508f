package homeserver_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// seenBy returns what somebody sees of an event, one way after the other, as JSON.
func seenBy(t *testing.T, c *homeservertest.Client, room events.RoomID, id events.EventID) map[string]gjson.Result {
	t.Helper()
	seen := map[string]gjson.Result{
		"event":   c.Get(t, homeservertest.Path("/v3/rooms/{}/event/{}", room, id)),
		"context": c.Get(t, homeservertest.Path("/v3/rooms/{}/context/{}", room, id)).Get("event"),
	}
	for _, e := range c.History(t, room, 100) {
		if e.Get("event_id").Str == string(id) {
			seen["messages"] = e
		}
	}
	fresh := *c
	fresh.Since = ""
	path := "rooms.join." + strings.NewReplacer(".", `\.`).Replace(string(room)) + ".timeline.events"
	for _, e := range fresh.Get(t, `/v3/sync?filter=%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:100%7D%7D%7D`).Get(path).Array() {
		if e.Get("event_id").Str == string(id) {
			seen["sync"] = e
		}
	}
	if len(seen) != 4 {
		t.Errorf("%s sees the event in %d of 4 ways", c, len(seen))
	}
	return seen
}

// DEACT-4: those who join after a user was erased see only redacted copies of the user's events; those who were there keep them;
// nothing is redacted for real; also after a restart.
func TestErase(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hs.db")
	open := func() *homeservertest.Server {
		st, err := sqlite.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		return homeservertest.New(t, homeserver.WithStore(st))
	}
	hs := open()
	alice, bob, dan := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "dan")
	room := bob.CreateRoom(t, `{"preset":"public_chat"}`)
	alice.Join(t, room)
	said := alice.Say(t, room, "my secret")
	dan.Join(t, room) // after the event, before the end of its sender
	kept := bob.Say(t, room, "bob's")
	alice.Post(t, "/v3/account/deactivate", `{"erase":true,"auth":{"type":"m.login.password","user":"alice","password":"`+homeservertest.Password+`"}}`)
	carol := hs.User(t, "carol")
	carol.Join(t, room)
	for range 2 {
		for _, c := range []*homeservertest.Client{bob, dan, carol} {
			for way, e := range seenBy(t, c, room, said) {
				content, redacted := e.Get("content").Raw, c == carol
				if redacted != (content == "{}") || !redacted && e.Get("content.body").Str != "my secret" || e.Get("unsigned.redacted_because").Exists() {
					t.Errorf("%s sees in %s: %s", c, way, e)
				}
			}
			for way, e := range seenBy(t, c, room, kept) {
				if e.Get("content.body").Str != "bob's" {
					t.Errorf("%s sees in %s: %s", c, way, e)
				}
			}
		}
		for _, e := range bob.History(t, room, 100) {
			if e.Get("type").Str == "m.room.redaction" {
				t.Errorf("there is a redaction: %s", e)
			}
		}
		hs.Close()
		hs = open()
		bob, dan, carol = hs.Login(t, "bob"), hs.Login(t, "dan"), hs.Login(t, "carol")
	}
}
