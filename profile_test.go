package homeserver_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

// A changed name or avatar is written into every room that the user is in (PROF-11,
// MEMB-42), and nothing else of a profile is (PROF-13).
func TestProfileInRooms(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	var joined []events.RoomID
	for i := range 40 { // several transactions' worth
		body := `{"preset":"public_chat"}`
		if i < 12 {
			body = `{"preset":"public_chat","room_version":"` + events.Versions()[i] + `"}`
		}
		room := alice.CreateRoom(t, body)
		bob.Post(t, homeservertest.Path("/v3/rooms/{}/join", room), `{"reason":"r","org.example.x":1}`)
		joined = append(joined, room)
	}
	invited := alice.CreateRoom(t, map[string]any{"invite": []any{bob.User}})
	left := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, left)
	bob.Leave(t, left)
	setRule(t, alice, joined[0], `{"join_rule":"private"}`) // where bob's joins are refused
	setRule(t, alice, joined[1], `{"join_rule":"invite"}`)
	field := func(name string) string { return homeservertest.Path("/v3/profile/{}/{}", bob.User, name) }
	alice.Sync(t)
	for _, step := range []struct {
		method, name, body string
		want               string // in the member events
	}{
		{"PUT", "displayname", `{"displayname":"Bob"}`, `{"displayname":"Bob","membership":"join","org.example.x":1}`},
		{"PUT", "avatar_url", `{"avatar_url":"mxc://example.org/b"}`, `{"avatar_url":"mxc://example.org/b","displayname":"Bob","membership":"join","org.example.x":1}`},
		{"PUT", "displayname", `{"displayname":""}`, `{"avatar_url":"mxc://example.org/b","membership":"join","org.example.x":1}`},
		{"DELETE", "avatar_url", ``, `{"membership":"join","org.example.x":1}`},
	} {
		before := len(everything(t, alice, joined[2]))
		for range 2 { // the same again changes nothing
			bob.MustDo(t, step.method, field(step.name), step.body)
		}
		if n := len(everything(t, alice, joined[2])); n != before+1 {
			t.Errorf("%s %s writes %d events", step.method, step.body, n-before)
		}
		for _, room := range joined[1:] {
			if got := contentOf(t, alice, room, bob.User).Raw; got != step.want {
				t.Fatalf("%s %s: a room has %s, want %s", step.method, step.body, got, step.want)
			}
		}
	}
	before := len(everything(t, alice, joined[1]))
	bob.Put(t, field("m.tz"), `{"m.tz":"Europe/Berlin"}`)
	if n := len(everything(t, alice, joined[1])); n != before {
		t.Error("the time zone is told to the rooms")
	}
	if got := contentOf(t, alice, joined[0], bob.User).Get("displayname").Str; got != "bob" {
		t.Errorf("a room that refuses has the name %q", got)
	}
	if membershipOf(t, alice, invited, bob.User) != "invite" || membershipOf(t, alice, left, bob.User) != "leave" {
		t.Error("a membership has changed")
	}
	sync := alice.Sync(t)
	for _, room := range joined[1:] {
		if !homeservertest.HasRoom("join", room)(sync) {
			t.Fatalf("alice is not told of the change in %s", room)
		}
	}
}

// A change in a room's own member event does not outlive one of the profile, and does
// not touch the profile (PROF-13).
func TestProfileForOneRoom(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	alice.SetState(t, room, "m.room.member", string(alice.User), `{"membership":"join","displayname":"Boss","avatar_url":"mxc://example.org/boss"}`)
	alice.Put(t, homeservertest.Path("/v3/profile/{}/displayname", alice.User), `{"displayname":"Al"}`)
	if got := contentOf(t, alice, room, alice.User).Raw; got != `{"avatar_url":"mxc://example.org/boss","displayname":"Al","membership":"join"}` {
		t.Errorf("the room has %s", got)
	}
	if got := alice.Get(t, homeservertest.Path("/v3/profile/{}", alice.User)).Raw; got != `{"displayname":"Al"}` {
		t.Errorf("the profile is %s", got)
	}
}

// Who deactivates their account leaves all rooms and rejects all invites (DEACT-3).
func TestDeactivationLeaves(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	rooms := map[string]events.RoomID{}
	for name, steps := range map[string][]string{
		"join": {"invite", "join"}, "invite": {"invite"}, "knock": {"knock"}, "ban": {"ban"}, "none": nil,
	} {
		rooms[name] = alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
		for _, step := range steps {
			act(t, alice, bob, rooms[name], step, false).Want(200)
		}
	}
	for range 20 { // more than one transaction's worth
		room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
		bob.Join(t, room)
		rooms[string(room)] = room
	}
	bob.Post(t, "/v3/account/deactivate", map[string]any{"auth": map[string]any{
		"type": "m.login.password", "password": homeservertest.Password,
		"identifier": map[string]any{"type": "m.id.user", "user": "bob"},
	}})
	for name, room := range rooms {
		want := map[string]string{"ban": "ban", "none": ""}
		is, ok := want[name]
		if !ok {
			is = "leave"
		}
		if got := membershipOf(t, alice, room, bob.User); got != is {
			t.Errorf("from %s: the membership is %q, want %q", name, got, is)
		}
	}
}

// What a fault, or the end of the server, has kept from some of the rooms comes to them
// when it is asked for again, and otherwise when a server starts on the same data.
func TestProfileInRoomsAfterFault(t *testing.T) {
	t.Parallel()
	inner, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	st := storetest.Faulty(unclosed{inner})
	hs := homeservertest.New(t, homeserver.WithStore(st), homeserver.WithLogger(slog.New(slog.DiscardHandler)))
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	var rooms []events.RoomID
	for range 40 { // several transactions' worth
		room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
		bob.Join(t, room)
		rooms = append(rooms, room)
	}
	named := func(name string) (n int) {
		for _, room := range rooms {
			if contentOf(t, alice, room, bob.User).Get("displayname").Str == name {
				n++
			}
		}
		return n
	}
	path := homeservertest.Path("/v3/profile/{}/displayname", bob.User)
	st.FailAt(0, nil)
	bob.Put(t, path, `{"displayname":"One"}`)
	half := st.Calls() / 2
	fail := func(name string) {
		t.Helper()
		st.FailAt(half, errors.New("disk on fire"))
		bob.Do(t, "PUT", path, map[string]any{"displayname": name}).WantError(500, "M_UNKNOWN")
		st.FailAt(0, nil)
		if n := named(name); n == 0 || n == len(rooms) {
			t.Fatalf("%d of %d rooms show %s", n, len(rooms), name)
		}
	}
	fail("Two")
	bob.Put(t, path, `{"displayname":"Two"}`)
	same(t, "rooms after another try", named("Two"), len(rooms))
	fail("Three")
	if err := hs.Close(); err != nil {
		t.Fatal(err)
	}
	hs = homeservertest.New(t, homeserver.WithStore(inner))
	alice = hs.Login(t, "alice")
	alice.SyncUntil(t, func(gjson.Result) bool { return named("Three") == len(rooms) })
	same(t, "the profile", alice.Get(t, path).Get("displayname").Str, "Three")
}

// A room that has no place for a longer name keeps nobody else from it.
func TestProfileInFullRoom(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	var rooms []events.RoomID
	for range 3 {
		room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
		bob.Join(t, room)
		rooms = append(rooms, room)
	}
	bob.SetState(t, rooms[1], "m.room.member", string(bob.User), map[string]any{"membership": "join", "x": strings.Repeat("x", 64_500)})
	name := strings.Repeat("Bob", 300)
	bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), map[string]any{"displayname": name})
	for i, want := range []string{name, "bob", name} {
		if got := contentOf(t, alice, rooms[i], bob.User).Get("displayname").Str; got != want {
			t.Errorf("room %d has the name %.10q", i, got)
		}
	}
}
