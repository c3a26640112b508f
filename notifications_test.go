package homeserver_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func TestNotifications(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	tea, cake := alice.CreateRoom(t, `{"preset":"public_chat"}`), alice.CreateRoom(t, `{"preset":"public_chat"}`)
	for _, c := range []*homeservertest.Client{bob, carol} {
		c.Join(t, tea)
		c.Join(t, cake)
	}
	alice.Say(t, tea, "one")
	alice.Say(t, cake, "bob: two")
	three := alice.Say(t, tea, "three")
	alice.Say(t, cake, "four")
	texts := func(page gjson.Result) (out []string) {
		for _, n := range page.Get("notifications").Array() {
			out = append(out, n.Get("event.content.body").Str)
		}
		return out
	}
	// NOTIF-1: the newest first, over all rooms.
	page := bob.Get(t, "/v3/notifications")
	same(t, "all", texts(page), []string{"four", "three", "bob: two", "one"})
	if page.Get("next_token").Exists() {
		t.Error("there is nothing further")
	}
	// NOTIF-2
	n := page.Get("notifications.2")
	if n.Get("room_id").Str != string(cake) || n.Get("read").Raw != "false" || n.Get("ts").Int() == 0 ||
		!n.Get("actions").IsArray() || !n.Get("profile_tag").Exists() || n.Get("event.room_id").Exists() || !n.Get("event.event_id").Exists() {
		t.Errorf("an entry: %s", n)
	}
	// NOTIF-1: paging.
	first := bob.Get(t, "/v3/notifications?limit=3")
	same(t, "first page", texts(first), []string{"four", "three", "bob: two"})
	second := bob.Get(t, "/v3/notifications?limit=3&from="+first.Get("next_token").Str)
	same(t, "second page", texts(second), []string{"one"})
	// NOTIF-3
	same(t, "highlights", texts(bob.Get(t, "/v3/notifications?only=highlight")), []string{"bob: two"})
	bob.Do(t, "GET", "/v3/notifications?from=x", nil).WantError(400, "M_INVALID_PARAM")
	bob.Do(t, "GET", "/v3/notifications?limit=-1", nil).WantError(400, "M_INVALID_PARAM")
	// NOTIF-5: fifty unless asked for otherwise.
	for i := range 60 {
		alice.Say(t, cake, fmt.Sprint(i))
	}
	same(t, "default limit", len(texts(bob.Get(t, "/v3/notifications"))), 50)
	same(t, "more than there are", len(texts(bob.Get(t, "/v3/notifications?limit=100000"))), 64)
	read(t, bob, cake, "m.read", events.EventID(bob.Get(t, "/v3/notifications?limit=1").Get("notifications.0.event.event_id").Str), nil)
	// NOTIF-4
	read(t, bob, tea, "m.read.private", three, nil)
	state := map[string]bool{}
	for _, n := range bob.Get(t, "/v3/notifications?limit=100").Get("notifications").Array() {
		state[n.Get("event.content.body").Str] = n.Get("read").Bool()
	}
	alice.Say(t, tea, "five")
	state["five"] = bob.Get(t, "/v3/notifications?limit=1").Get("notifications.0.read").Bool()
	for text, want := range map[string]bool{"one": true, "three": true, "bob: two": true, "four": true, "59": true, "five": false} {
		same(t, text+" is read", state[text], want)
	}
	// EVAL-19, EVAL-20: neither what was redacted nor what those say whom one ignores.
	alice.Redact(t, cake, alice.Say(t, cake, "redacted"))
	carol.Say(t, cake, "psst")
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", bob.User), `{"ignored_users":{"@carol:example.org":{}}}`)
	same(t, "the newest", texts(bob.Get(t, "/v3/notifications?limit=1")), []string{"five"})
	// UNRD-17
	bob.Leave(t, tea)
	for _, text := range texts(bob.Get(t, "/v3/notifications?limit=100")) {
		if slices.Contains([]string{"one", "three", "five"}, text) {
			t.Errorf("%s is still among them after leaving", text)
		}
	}
	hs.Anonymous().Do(t, "GET", "/v3/notifications", nil).WantError(401, "M_MISSING_TOKEN")
}

// Rooms where nothing notifies do not keep those of others from being found, however many they are (NOTIF-1).
func TestNotificationsBehindQuietRooms(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	shared := func() events.RoomID {
		room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
		bob.Join(t, room)
		return room
	}
	hello := alice.Say(t, shared(), "hello")
	for range 110 {
		shared()
	}
	page := bob.Get(t, "/v3/notifications")
	if page.Get("notifications.0.event.event_id").Str != string(hello) || page.Get("next_token").Exists() {
		t.Errorf("notifications: %s", page)
	}
}
