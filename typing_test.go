package homeserver_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

func typingIn(answer gjson.Result, room events.RoomID) string {
	return homeservertest.Room(answer, "join", room).Get(`ephemeral.events.#(type=="m.typing").content.user_ids`).Raw
}

func TestTyping(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	path := func(user events.UserID) string { return homeservertest.Path("/v3/rooms/{}/typing/{}", room, user) }
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	next := func() string {
		t.Helper()
		answer := syncWith(t, bob, token, "", "timeout", forever)
		token = answer.Get("next_batch").Str
		return typingIn(answer, room)
	}
	// TYP-1, TYP-5
	alice.Put(t, path(alice.User), `{"typing":true,"timeout":60000}`)
	same(t, "alice types", next(), `["@alice:example.org"]`)
	bob.Put(t, path(bob.User), `{"typing":true}`)
	same(t, "both type", next(), `["@alice:example.org","@bob:example.org"]`)
	same(t, "SYNC-41: a first sync tells who types now", typingIn(syncWith(t, alice, "", ""), room), `["@alice:example.org","@bob:example.org"]`)
	alice.Put(t, path(alice.User), `{"typing":false}`)
	same(t, "alice has stopped", next(), `["@bob:example.org"]`)
	// TYP-3, TYP-4: expiry; a new call replaces the deadline.
	bob.Put(t, path(bob.User), `{"typing":true,"timeout":50}`)
	same(t, "expired", next(), `[]`)
	same(t, "nobody types in a first sync", typingIn(syncWith(t, alice, "", ""), room), "")
	// TYP-4, SEND-10: sending and leaving end it.
	alice.Put(t, path(alice.User), `{"typing":true}`)
	next()
	alice.Say(t, room, "done")
	same(t, "after a message", next(), `[]`)
	alice.Put(t, path(alice.User), `{"typing":true}`)
	next()
	alice.Leave(t, room)
	same(t, "after leaving", next(), `[]`)
	// TYP-5: that it is over is told, wherever somebody types then.
	for _, is := range []bool{true, false} {
		bob.Put(t, path(bob.User), map[string]any{"typing": is})
	}
	other := bob.CreateRoom(t, nil)
	bob.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", other, bob.User), `{"typing":true}`)
	over := syncWith(t, bob, token, "")
	same(t, "it is over here", typingIn(over, room), `[]`)
	same(t, "and begins there", typingIn(over, other), `["@bob:example.org"]`)
	// TYP-1, TYP-2
	bob.Do(t, "PUT", path(bob.User), `{}`).WantError(400, "M_MISSING_PARAM")
	bob.Do(t, "PUT", path(bob.User), `{"typing":"yes"}`).WantError(400, "M_BAD_JSON")
	bob.Do(t, "PUT", path(alice.User), `{"typing":true}`).WantError(403, "M_FORBIDDEN")
	alice.Do(t, "PUT", path(alice.User), `{"typing":true}`).WantError(403, "M_FORBIDDEN")
	alice.Do(t, "PUT", path(alice.User), `{"typing":false}`).WantError(403, "M_FORBIDDEN")
	hs.Anonymous().Do(t, "PUT", path(bob.User), `{"typing":true}`).WantError(401, "M_MISSING_TOKEN")
}

// TYP-6: after a restart nobody types, and those who believed so are told.
func TestTypingEndsWithTheServer(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/hs.db"
	start := func() *homeservertest.Server {
		st, err := sqlite.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		return homeservertest.New(t, homeserver.WithStore(st))
	}
	hs := start()
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, alice.User), `{"typing":true,"timeout":100000}`)
	done, never := alice.CreateRoom(t, `{"preset":"public_chat"}`), alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, done)
	bob.Join(t, never)
	path := homeservertest.Path("/v3/rooms/{}/typing/{}", done, alice.User)
	alice.Put(t, path, `{"typing":true}`)
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	alice.Put(t, path, `{"typing":false}`)
	for _, restart := range []string{"after a restart", "after another"} { // whichever of them the client comes back after
		if err := hs.Close(); err != nil {
			t.Fatal(err)
		}
		hs = start()
		bob = hs.Login(t, "bob")
		answer := syncWith(t, bob, token, "", "timeout", forever)
		same(t, restart, typingIn(answer, room), `[]`)
		same(t, restart+" where it was over before", typingIn(answer, done), `[]`)
		same(t, restart+" where nobody had typed", typingIn(answer, never), "")
		same(t, restart+" in a first sync", typingIn(syncWith(t, bob, "", ""), room), "")
	}
}

// TYP-6: who asks for the whole state, or joins again, may believe that somebody types.
func TestTypingIsOverWithTheWholeState(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	types := func(is bool) {
		t.Helper()
		alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, alice.User), map[string]any{"typing": is})
	}
	types(true)
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	same(t, "who types", typingIn(syncWith(t, bob, token, "", "full_state", "true"), room), `["@alice:example.org"]`)
	types(false)
	answer := syncWith(t, bob, token, "", "full_state", "true")
	same(t, "nobody types", typingIn(answer, room), `[]`)
	same(t, "nothing new", typingIn(syncWith(t, bob, answer.Get("next_batch").Str, "", "full_state", "true"), room), "")
	bob.Leave(t, room)
	bob.Join(t, room)
	same(t, "left and back", typingIn(syncWith(t, bob, token, ""), room), `[]`)
}

// TYP-3: how long somebody types who does not say so again.
func TestTypingDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		token := register(t, srv, "", "alice")
		created := serve(srv, "POST", "/_matrix/client/v3/createRoom", token, `{}`).Body.String()
		room := events.RoomID(gjson.Get(created, "room_id").Str)
		types := func(body string) {
			t.Helper()
			path := "/_matrix/client" + homeservertest.Path("/v3/rooms/{}/typing/{}", room, "@alice:example.org")
			if w := serve(srv, "PUT", path, token, body); w.Code != 200 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		after := func(what string, pass time.Duration, want string) {
			t.Helper()
			time.Sleep(pass)
			synctest.Wait()
			answer := gjson.Parse(serve(srv, "GET", "/_matrix/client/v3/sync?set_presence=offline", token, "").Body.String())
			same(t, what, typingIn(answer, room), want)
		}
		const alice = `["@alice:example.org"]`
		types(`{"typing":true}`)
		after("without a timeout", 29*time.Second, alice)
		after("and later", 2*time.Second, "")
		types(`{"typing":true,"timeout":100000000}`)
		after("with a very long one", 119*time.Second, alice)
		after("and later", 2*time.Second, "")
		types(`{"typing":true,"timeout":40000}`)
		after("for some time", 30*time.Second, alice)
		types(`{"typing":true,"timeout":40000}`)
		after("said again", 30*time.Second, alice)
		types(`{"typing":true,"timeout":1000}`)
		after("for less", 2*time.Second, "")
		for range 100 {
			types(`{"typing":true,"timeout":60000}`)
			time.Sleep(50 * time.Second)
		}
		typed := room
		room = events.RoomID(gjson.Get(serve(srv, "POST", "/_matrix/client/v3/createRoom", token, `{}`).Body.String(), "room_id").Str)
		types(`{"typing":true}`)
		room = typed
		after("for hours, and elsewhere too", 0, alice)
	})
}
