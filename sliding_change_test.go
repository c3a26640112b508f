package homeserver_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// SLIDE-9: whoever asks for more is answered at once, though there is nothing more.
func TestSlidingMoreOfNothing(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	const conn = `{"lists":{"a":{"timeline_limit":1,"ranges":[[0,0]],"required_state":[["m.room.create",""]]}},"room_subscriptions":{}}`
	stateless := strings.Replace(conn, `["m.room.create",""]`, "", 1)
	subscribed := strings.Replace(conn, `"room_subscriptions":{`, fmt.Sprintf(`"room_subscriptions":{%q:{"timeline_limit":1}`, room), 1)
	for what, bodies := range map[string][2]string{
		"a grown range":             {conn, strings.Replace(conn, "[[0,0]]", "[[0,9]]", 1)},
		"another range":             {conn, strings.Replace(conn, "[[0,0]]", "[[5,9]]", 1)},
		"state that there is not":   {stateless, strings.Replace(stateless, `"required_state":[]`, `"required_state":[["none",""]]`, 1)},
		"more of a subscription":    {subscribed, strings.Replace(subscribed, `"timeline_limit":1}}`, `"timeline_limit":1,"required_state":[["none",""]]}}`, 1)},
		"a subscription of nothing": {conn, strings.Replace(conn, `"room_subscriptions":{`, `"room_subscriptions":{"!none:example.org":{"timeline_limit":1}`, 1)},
	} {
		if bodies[0] == bodies[1] {
			t.Fatalf("%s is the same", what)
		}
		t.Run(what, func(t *testing.T) {
			at := pos(slide(t, alice, pos(slide(t, alice, "", bodies[0])), bodies[0]))
			slide(t, alice, at, bodies[1], "timeout", forever)
		})
	}
}

// What lists have follows what is asked for, and what rooms and users become (SLIDE-5, SLIDE-17, SLIDE-19, SLIDE-29).
func TestSlidingListsChange(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	names := map[events.RoomID]string{}
	create := func(c *homeservertest.Client, name, body string) events.RoomID {
		room := c.CreateRoom(t, body)
		names[room] = name
		return room
	}
	create(alice, "third", `{"name":"Tea"}`)
	second := create(alice, "second", `{"name":"Cake"}`)
	first := create(alice, "first", `{"name":"Tea"}`)
	ask := func(filters string) string {
		return `{"lists":{"a":{"timeline_limit":1,"ranges":[[0,0]],"filters":` + filters + `}}}`
	}
	s := &slider{Client: alice, body: ask(`{"is_encrypted":false}`)}
	step := func(what string, count string, want ...string) {
		t.Helper()
		answer := s.next(t)
		same(t, what, slidRooms(answer, names), append([]string{}, want...))
		same(t, what+": count", answer.Get("lists.a.count").Raw, count)
	}
	step("at first", "3", "first")
	// A room that does not match any more leaves its place to the next.
	alice.SetState(t, first, "m.room.encryption", "", `{"algorithm":"m.megolm.v1.aes-sha2"}`)
	step("one is encrypted", "2", "second")
	step("nothing new", "2")
	// Other filters on the list of the same name.
	s.body = ask(`{"room_name_like":"tea"}`)
	step("another filter", "2", "first")
	s.body = ask(`{"room_name_like":"nobody"}`)
	step("a filter for nothing", "0")
	s.body = ask(`{"room_name_like":"cake"}`)
	alice.Say(t, second, "news")
	step("and another one", "1", "second")
	// Invites.
	invites := ask(`{"is_invite":true}`)
	s.body = invites
	step("no invites", "0")
	open := create(bob, "invite", `{"name":"Tea"}`)
	bob.Invite(t, open, alice.User)
	step("an invite", "1", "invite")
	data := func(typ, content string) {
		alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/{}", alice.User, typ), content)
	}
	data("m.ignored_user_list", `{"ignored_users":{"@bob:example.org":{}}}`)
	step("by somebody who is ignored now", "0")
	data("m.ignored_user_list", `{"ignored_users":{}}`)
	step("and is not any more", "1")
	data("m.invite_permission_config", `{"default_action":"block"}`)
	step("all are blocked", "0")
	same(t, "blocked at first", slide(t, alice, "", `{"conn_id":"x",`+invites[1:]).Get("lists.a.count").Raw, "0")
	data("m.invite_permission_config", `{"default_action":"allow"}`)
	step("all are let through", "1")
	// SLIDE-16: who was put out of a room, if they were in it, until they forget it.
	ban := func(room events.RoomID) {
		bob.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), map[string]any{"user_id": alice.User})
	}
	s = &slider{Client: alice, body: ask(`{"room_types":["x"]}`)}
	step("nothing yet", "0")
	in, out := create(bob, "was in", `{"preset":"public_chat","creation_content":{"type":"x"}}`), create(bob, "was not in", `{"creation_content":{"type":"x"}}`)
	ban(out)
	step("a ban", "0")
	alice.Join(t, in)
	ban(in)
	step("a ban of a member", "1", "was in")
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/forget", in), `{}`)
	step("forgotten", "0")
}

// What else of a room is told once it is asked for, and what of it never is.
func TestSlidingExtensionsChange(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	carol.Join(t, room)
	typing := func(room events.RoomID, is bool) {
		alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, alice.User), map[string]any{"typing": is, "timeout": 60000})
	}
	one, two := alice.Say(t, room, "one"), alice.Say(t, room, "two")
	ask := func(extensions string) string {
		return `{"lists":{"l":{"timeline_limit":1}},"extensions":{` + extensions + `}}`
	}
	of := func(answer gjson.Result, extension string, room events.RoomID) gjson.Result {
		return answer.Get("extensions." + extension + ".rooms." + gjson.Escape(string(room)))
	}
	s := &slider{Client: bob, body: ask("")}
	s.next(t)
	read(t, carol, room, "m.read", one, nil)
	bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", bob.User, room), `{}`)
	typing(room, true)
	s.next(t)
	const all = `"account_data":{"enabled":true},"receipts":{"enabled":true},"typing":{"enabled":true}`
	for _, extension := range []string{"typing", "receipts", "account_data"} { // one after the other
		s.body = ask(`"` + extension + `":{"enabled":true}`)
		if answer := s.next(t); !of(answer, extension, room).Exists() {
			t.Errorf("%s is asked for now: %s", extension, answer)
		}
		s.body = ask("")
		s.next(t)
	}
	// SLIDE-46: of a room that is new nothing that is about events further back.
	fresh := &slider{Client: bob, body: ask(all)}
	read(t, alice, room, "m.read", two, nil)
	read(t, carol, room, "m.read.private", two, nil)
	dave := hs.User(t, "dave")
	dave.Join(t, room)
	last := alice.Say(t, room, "last")
	read(t, dave, room, "m.read", two, nil)
	read(t, alice, room, "m.read", last, nil)
	receipts := map[string]string{}
	readReceipts(receipts, of(fresh.next(t), "receipts", room))
	same(t, "receipts of a new room", receipts, map[string]string{"m.read@alice:example.org": string(last)})
	// SLIDE-47: that nobody types is no news of a new room.
	typing(room, true)
	typing(room, false)
	same(t, "nobody types", of(slide(t, bob, "", ask(all)), "typing", room).Raw, "")
	// Nothing of the life of rooms that one is not in.
	invited := alice.CreateRoom(t, nil)
	alice.Invite(t, invited, bob.User)
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), `{"user_id":"@bob:example.org"}`)
	s = &slider{Client: bob, body: ask(all)}
	for _, outside := range []events.RoomID{invited, room} {
		typing(outside, true)
		read(t, alice, outside, "m.read", alice.Say(t, outside, "between us"), nil)
		typing(outside, true)
	}
	for range 2 {
		answer := s.next(t)
		if list := answer.Get("extensions.typing.rooms").Raw + answer.Get("extensions.receipts.rooms").Raw; strings.Contains(list, string(alice.User)) {
			t.Errorf("told to somebody outside: %s", list)
		}
		typing(invited, false)
		bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", bob.User, invited), `{}`)
		bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", bob.User, room), `{}`)
	}
	// SLIDE-45: what changes out of sight with another request is told in sight.
	s = &slider{Client: alice, body: strings.Replace(ask(all), `"timeline_limit":1`, `"timeline_limit":1,"ranges":[[0,1]]`, 1)}
	s.next(t)
	alice.Say(t, invited, "on top")
	s.body = strings.Replace(ask(all), `"timeline_limit":1`, `"timeline_limit":2,"ranges":[[0,0]]`, 1)
	alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", alice.User, room), `{"n":1}`)
	same(t, "out of sight", of(s.next(t), "account_data", room).Raw, "")
	s.body = strings.Replace(ask(all), `"timeline_limit":1`, `"timeline_limit":2,"ranges":[[0,1]]`, 1)
	same(t, "in sight", of(s.next(t), "account_data", room).Get("0.content.n").Raw, "1")
	// SLIDE-43: who has asked for something else of the device has not been told of messages.
	sendToDevice(t, alice, bob, 1)
	slide(t, bob, "", `{"conn_id":"a","extensions":{"e2ee":{"enabled":true}}}`)
	told := slide(t, bob, "", `{"conn_id":"b","extensions":{"to_device":{"enabled":true}}}`)
	same(t, "messages", told.Get("extensions.to_device.events.#").Raw, "1")
}

// What changes in a room on a connection that knows it.
func TestSlidingRoomChanges(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, homeserver.WithRoomMemory(1)) // so that rooms are read anew
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"Tea"}`)
	bob.Join(t, room)
	alice.Say(t, room, "said")
	s := &slider{Client: bob, body: list(5, `[["x","*"],["m.room.member","$ME"]]`)}
	bump := slid(s.next(t), room).Get("bump_stamp").Int()
	// SYNC-27 holds here, too: a new name is no new join.
	bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), `{"displayname":"B"}`)
	entry := slid(s.next(t), room)
	same(t, "initial with a new name", entry.Get("initial").Raw, "")
	same(t, "timeline with a new name", stateKeys(entry.Get("timeline")), []string{"m.room.member/@bob:example.org"})
	// SLIDE-32
	alice.Redact(t, room, alice.SetState(t, room, "m.room.name", "", `{"name":"Coffee"}`))
	same(t, "a redacted name", slid(s.next(t), room).Get("name").Raw, "null")
	name := alice.SetState(t, room, "m.room.name", "", `{"name":"Cake"}`)
	same(t, "a name", slid(s.next(t), room).Get("name").Raw, `"Cake"`)
	alice.Redact(t, room, name)
	same(t, "redacted later", slid(s.next(t), room).Get("name").Raw, "null")
	// SLIDE-33: once, also if it is redacted by now.
	alice.Redact(t, room, alice.SetState(t, room, "x", "a", `{"n":1}`))
	same(t, "redacted state", stateKeys(slid(s.next(t), room).Get("required_state")), []string{"x/a"})
	// SLIDE-36, SYNC-58: the state events of the ignored are told.
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", bob.User), `{"ignored_users":{"@alice:example.org":{}}}`)
	alice.Say(t, room, "psst")
	alice.SetState(t, room, "x", "b", `{}`)
	entry = slid(s.next(t), room)
	same(t, "of somebody ignored", stateKeys(entry.Get("timeline")), []string{"x/b"})
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", bob.User), `{}`)
	// SLIDE-37: however far back.
	bump = max(bump, slid(slide(t, bob, "", strings.Replace(s.body, "{", `{"conn_id":"x",`, 1)), room).Get("bump_stamp").Int())
	for range 250 {
		alice.Send(t, room, "m.reaction", `{}`)
	}
	alice.CreateRoom(t, nil) // which drives the other one out of memory
	same(t, "bump_stamp", slid(slide(t, bob, "", strings.Replace(s.body, "{", `{"conn_id":"x",`, 1)), room).Get("bump_stamp").Int(), bump)
	// SLIDE-31, SLIDE-40: known as an invite, and joined and left since.
	other := alice.CreateRoom(t, nil)
	alice.Invite(t, other, bob.User)
	same(t, "invite", slid(s.next(t), other).Get("invite_state").Exists(), true)
	bob.Join(t, other)
	alice.Say(t, other, "hello")
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/kick", other), `{"user_id":"@bob:example.org"}`)
	entry = slid(s.next(t), other)
	same(t, "initial", entry.Get("initial").Raw, "true")
	same(t, "what there was", bodies(entry.Get("timeline")), []string{"hello"})
	// SLIDE-21: what it is called since is nothing to find it by.
	alice.SetState(t, other, "m.room.name", "", `{"name":"between us"}`)
	found := slide(t, bob, "", `{"conn_id":"y","lists":{"a":{"timeline_limit":1,"filters":{"room_name_like":"between"}}}}`)
	same(t, "found by its later name", found.Get("lists.a.count").Raw, "0")
}

// SLIDE-16: a room that is forgotten while memory does not follow its user goes from the lists of their connections.
func TestSlidingForgottenMeanwhile(t *testing.T) {
	t.Parallel()
	var late atomic.Int64
	hs := homeservertest.New(t, homeserver.WithClock(func() time.Time { return time.Now().Add(time.Duration(late.Load())) }))
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), map[string]any{"user_id": bob.User})
	s := &slider{Client: bob, body: list(1, `[]`)}
	same(t, "kicked", s.next(t).Get("lists.all.count").Raw, "1")
	same(t, "still", s.next(t).Get("lists.all.count").Raw, "1")
	late.Store(int64(time.Hour))
	syncWith(t, carol, "", "", "set_presence", "offline") // whose coming makes room for her
	bob.Post(t, homeservertest.Path("/v3/rooms/{}/forget", room), `{}`)
	same(t, "forgotten", s.next(t).Get("lists.all.count").Raw, "0")
}
