package homeserver_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func TestInitialSync(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","visibility":"public","topic":"T"}`)
	bob.Join(t, room)
	alice.Say(t, room, "one")
	two := alice.Say(t, room, "two")
	read(t, alice, room, "m.read", two, nil)
	bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.tag", bob.User, room), `{"tags":{}}`)
	invited := alice.CreateRoom(t, nil)
	alice.Invite(t, invited, bob.User)
	left := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, left)
	bob.Leave(t, left)
	alice.Say(t, left, "after bob left")

	of := func(answer gjson.Result, id any) gjson.Result {
		for _, r := range answer.Get("rooms").Array() {
			if r.Get("room_id").Str == string(homeservertest.Path("{}", id)) || r.Get("room_id").Value() == any(id) {
				return r
			}
		}
		return gjson.Result{}
	}
	// LEG-6, LEG-7
	answer := bob.Get(t, "/v3/initialSync?limit=2")
	r := of(answer, string(room))
	same(t, "messages, oldest first", bodies(r.Get("messages.chunk")), []string{"one", "two"})
	if r.Get("membership").Str != "join" || r.Get("visibility").Str != "public" || !r.Get(`state.#(type=="m.room.topic")`).Exists() ||
		r.Get("account_data.0.type").Str != "m.tag" || r.Get("messages.chunk.0.room_id").Str != string(room) {
		t.Errorf("a joined room: %s", r)
	}
	if answer.Get("end").Str == "" || !answer.Get("presence").IsArray() || answer.Get("receipts.0.room_id").Str != string(room) {
		t.Errorf("the rest: %s", answer)
	}
	page := bob.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=1&from="+r.Get("messages.start").Str)
	same(t, "before start", page.Get("chunk.0.type").Str, "m.room.member")
	invite := of(answer, string(invited))
	if invite.Get("membership").Str != "invite" || invite.Get("inviter").Str != string(alice.User) || invite.Get("invite.state_key").Str != string(bob.User) {
		t.Errorf("an invite: %s", invite)
	}
	// LEG-8
	same(t, "limit 0", of(bob.Get(t, "/v3/initialSync?limit=0"), string(room)).Get("messages.chunk").Raw, "[]")
	same(t, "a room that was left", of(answer, string(left)).Raw, "")
	archived := of(bob.Get(t, "/v3/initialSync?archived=true"), string(left))
	if archived.Get("membership").Str != "leave" || len(bodies(archived.Get("messages.chunk"))) != 0 {
		t.Errorf("an archived room: %s", archived)
	}
	// Of rooms that one is not in nothing is told but what there was, and nothing of those that are forgotten, of
	// invites that were declined and of those by the ignored.
	read(t, alice, left, "m.read", alice.Say(t, left, "between us"), nil)
	declined := alice.CreateRoom(t, nil)
	alice.Invite(t, declined, bob.User)
	bob.Leave(t, declined)
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", bob.User), `{"ignored_users":{"@alice:example.org":{}}}`)
	answer = bob.Get(t, "/v3/initialSync?archived=true")
	same(t, "rooms with receipts", answer.Get("receipts.#.room_id").Raw, fmt.Sprintf(`[%q]`, room))
	same(t, "an archived room", of(answer, string(left)).Exists(), true)
	same(t, "an invite that was declined", of(answer, string(declined)).Raw, "")
	same(t, "an invite by somebody ignored", of(answer, string(invited)).Raw, "")
	bob.Post(t, homeservertest.Path("/v3/rooms/{}/forget", left), `{}`)
	same(t, "a forgotten room", of(bob.Get(t, "/v3/initialSync?archived=true"), string(left)).Raw, "")
	bob.Do(t, "GET", "/v3/initialSync?limit=-1", nil).WantError(400, "M_INVALID_PARAM")
	hs.Anonymous().Do(t, "GET", "/r0/initialSync", nil).WantError(401, "M_MISSING_TOKEN")
}

// What /sync withholds, what there was before it withholds too.
func TestLegacySyncWithholds(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, mallory := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "mallory")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	mallory.Join(t, room)
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", bob.User), `{"ignored_users":{"@mallory:example.org":{}}}`)
	from := bob.Get(t, "/v3/initialSync").Get("end").Str
	mallory.Say(t, room, "insult")
	read(t, alice, room, "m.read.private", alice.Say(t, room, "hello"), nil)
	rename(t, mallory, "M")
	dubious, welcome := mallory.CreateRoom(t, `{"invite":["@bob:example.org"]}`), alice.CreateRoom(t, `{"invite":["@bob:example.org"]}`)

	chunk := bob.Get(t, "/v3/events?timeout=0&from="+from).Get("chunk")
	own := chunk.Get(`#(state_key=="@mallory:example.org").content.displayname`).Str
	same(t, "messages in /events", bodies(chunk), []string{"hello"}) // IGN-2, SYNC-58
	same(t, "the name of somebody ignored", own, "M")                // state events stay
	invites := func(chunk gjson.Result) string { return chunk.Get(`#(content.membership=="invite")#.room_id`).Raw }
	same(t, "invites in /events", invites(chunk), fmt.Sprintf("[%q]", welcome)) // IGN-3, SYNC-46
	rooms := func() string { return bob.Get(t, "/v3/initialSync").Get(`rooms.#(membership=="invite")#.room_id`).Raw }
	same(t, "invites in /initialSync", rooms(), fmt.Sprintf("[%q]", welcome))
	same(t, "messages in /initialSync", bodies(bob.Get(t, "/v3/initialSync").Get(`rooms.#(membership=="join").messages.chunk`)), []string{"hello"})
	same(t, "messages of the room", bodies(bob.Get(t, homeservertest.Path("/v3/rooms/{}/initialSync", room)).Get("messages.chunk")), []string{"hello"})

	for _, path := range []string{"/v3/events?timeout=0&from=" + from, "/v3/initialSync", homeservertest.Path("/v3/rooms/{}/initialSync", room)} {
		if answer := bob.Get(t, path); strings.Contains(answer.Raw, "m.read.private") { // RCPT-9
			t.Errorf("a private receipt of somebody else: %s", answer)
		}
	}

	// SYNC-46: nobody may invite bob.
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.invite_permission_config", bob.User), `{"default_action":"block"}`)
	same(t, "invites in /events that are blocked", invites(bob.Get(t, "/v3/events?timeout=0&from="+from).Get("chunk")), "[]")
	same(t, "invites in /initialSync that are blocked", rooms(), "[]")
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.invite_permission_config", bob.User), `{}`)
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", bob.User), `{}`)
	same(t, "all invites", bob.Get(t, "/v3/initialSync").Get(fmt.Sprintf(`rooms.#(room_id==%q).membership`, dubious)).Str, "invite") // IGN-4
}

func TestRoomInitialSync(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":"world_readable"}}]}`)
	path := func(room any) string { return homeservertest.Path("/v3/rooms/{}/initialSync", room) }
	alice.Say(t, room, "hello")
	syncWith(t, alice, "", "")
	// VIS-9, VIS-10, CLIENT-13: for those who look in.
	r := carol.Get(t, path(room)+"?limit=1")
	if r.Get("room_id").Str != string(room) || r.Get("membership").Exists() || len(r.Get("messages.chunk").Array()) != 1 ||
		!r.Get("messages.start").Exists() || !r.Get("messages.end").Exists() || !r.Get(`state.#(type=="m.room.create")`).Exists() ||
		r.Get("visibility").Str != "private" || r.Get("account_data").Raw != "[]" || r.Get("presence.0.sender").Str != string(alice.User) || !r.Get("receipts").IsArray() {
		t.Errorf("a room that is looked into: %s", r)
	}
	// VIS-13
	if syncWith(t, carol, "", "").Get("rooms").Exists() {
		t.Error("a room that is looked into is in /sync")
	}
	// VIS-12
	closed := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	carol.Do(t, "GET", path(closed), nil).WantError(403, "M_FORBIDDEN")
	bob.Join(t, closed)
	alice.SetState(t, closed, "m.room.topic", "", `{"topic":"before"}`)
	bob.Leave(t, closed)
	alice.SetState(t, closed, "m.room.topic", "", `{"topic":"after"}`)
	r = bob.Get(t, path(closed))
	same(t, "membership", r.Get("membership").Str, "leave")
	same(t, "topic when bob left", r.Get(`state.#(type=="m.room.topic").content.topic`).Str, "before")
	same(t, "the last message", r.Get("messages.chunk.@reverse.0.content.membership").Str, "leave")
}

func TestEvents(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, homeserver.WithAccountRules(homeserver.AccountRules{Guests: true}))
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":"world_readable"}}]}`)
	bob.Join(t, room)
	from := bob.Get(t, "/v3/initialSync").Get("end").Str
	// LEG-2, LEG-4: waits; time is up.
	answer := bob.Get(t, "/v3/events?timeout=50&from="+from)
	if answer.Get("chunk").Raw != "[]" || answer.Get("start").Str != from || answer.Get("end").Str == "" {
		t.Errorf("nothing new: %s", answer)
	}
	wait := func(c *homeservertest.Client, query string, change func()) gjson.Result {
		t.Helper()
		got := make(chan gjson.Result, 1)
		go func() { got <- c.Get(t, "/v3/events?timeout="+forever+"&"+query) }()
		change()
		return <-got
	}
	answer = wait(bob, "from="+answer.Get("end").Str, func() { alice.Say(t, room, "hello") })
	same(t, "an event", bodies(answer.Get("chunk")), []string{"hello"})
	same(t, "its room", answer.Get("chunk.0.room_id").Str, string(room))
	// LEG-3
	from = answer.Get("end").Str
	answer = wait(bob, "from="+from, func() {
		alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, alice.User), `{"typing":true}`)
	})
	typing := answer.Get(`chunk.#(type=="m.typing")`)
	same(t, "typing", typing.Get("room_id").Str, string(room))
	last := alice.Say(t, room, "read this")
	read(t, alice, room, "m.read", last, nil)
	bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.tag", bob.User, room), `{"tags":{}}`)
	syncWith(t, alice, "", "")
	answer = bob.Get(t, "/v3/events?from="+from)
	for _, typ := range []string{"m.room.message", "m.receipt", "m.tag"} {
		if e := answer.Get(`chunk.#(type=="` + typ + `")`); e.Get("room_id").Str != string(room) {
			t.Errorf("%s: %s", typ, answer)
		}
	}
	if !answer.Get(`chunk.#(type=="m.presence")`).Exists() {
		t.Errorf("no presence: %s", answer)
	}
	from = answer.Get("end").Str
	answer = wait(bob, "from="+from, func() {
		alice.Put(t, homeservertest.Path("/v3/presence/{}/status", alice.User), `{"presence":"unavailable","status_msg":"tea"}`)
	})
	same(t, "presence ends the waiting", answer.Get(`chunk.#(type=="m.presence").content.status_msg`).Str, "tea")
	// VIS-11, CLIENT-13: one room, for those who look in.
	from = carol.Get(t, homeservertest.Path("/v3/rooms/{}/initialSync", room)).Get("messages.end").Str
	answer = wait(carol, homeservertest.Path("room_id={}&from=", room)+from, func() { alice.Say(t, room, "peekaboo") })
	same(t, "for somebody outside", bodies(answer.Get("chunk")), []string{"peekaboo"})
	// and nothing of other rooms: bob sets account data in two.
	other := bob.CreateRoom(t, nil)
	from = bob.Get(t, "/v3/events?timeout=0").Get("end").Str
	for _, id := range []events.RoomID{other, room} {
		bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/org.example", bob.User, id), `{}`)
	}
	answer = bob.Get(t, homeservertest.Path("/v3/events?timeout=0&room_id={}&from=", room)+from)
	same(t, "account data of one room", answer.Get(`chunk.#(type=="org.example")#.room_id`).Raw, fmt.Sprintf(`[%q]`, room))
	closed := alice.CreateRoom(t, nil)
	carol.Do(t, "GET", homeservertest.Path("/v3/events?room_id={}", closed), nil).WantError(403, "M_FORBIDDEN")
	carol.Do(t, "GET", "/v3/events?from=x", nil).WantError(400, "M_INVALID_PARAM")
	// LEG-2, GUEST-7: guests must name a room.
	guest := hs.Anonymous()
	guest.Token = guest.Post(t, "/v3/register?kind=guest", `{}`).Get("access_token").Str
	guest.Do(t, "GET", "/v3/events", nil).WantError(403, "M_GUEST_ACCESS_FORBIDDEN")
	guest.Get(t, homeservertest.Path("/v3/events?room_id={}", room))
	// LEG-5
	same(t, "one event", carol.Get(t, homeservertest.Path("/v3/events/{}", last)).Get("content.body").Str, "read this")
	secret := alice.Say(t, closed, "secret")
	carol.Do(t, "GET", homeservertest.Path("/v3/events/{}", secret), nil).WantError(404, "M_NOT_FOUND")
}

// LEG-9: clients of the very first versions look at top level for what is in unsigned
// now, and for the sender as user_id.
func TestLegacyTopLevel(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","topic":"one"}`)
	said := alice.Say(t, room, "x")
	alice.Redact(t, room, said)
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"two"}`)
	from := bob.Get(t, "/v3/events?timeout=0").Get("end").Str
	alice.Invite(t, room, bob.User)

	topic := `messages.chunk.#(type=="m.room.topic")#|@reverse|0`
	for path, at := range map[string]string{
		homeservertest.Path("/v3/rooms/{}/initialSync", room): "",
		"/v3/initialSync": "rooms.0.",
	} {
		answer := alice.Get(t, path)
		last, redacted := answer.Get(at+topic), answer.Get(at+`messages.chunk.#(type=="m.room.message")`)
		for _, key := range []string{"age", "prev_content", "replaces_state"} {
			if got, want := last.Get(key).Raw, last.Get("unsigned."+key).Raw; got != want || got == "" {
				t.Errorf("%s: %s is %s, want %s", path, key, got, want)
			}
		}
		same(t, "redacted_because", redacted.Get("redacted_because").Raw, redacted.Get("unsigned.redacted_because").Raw)
		same(t, "redacted_because.type", redacted.Get("redacted_because.type").Str, "m.room.redaction")
		same(t, "user_id", last.Get("user_id").Str, string(alice.User))
	}
	invite := bob.Get(t, "/v3/events?timeout=0&from="+from).Get(`chunk.#(type=="m.room.member")`)
	same(t, "invite_room_state", invite.Get("invite_room_state").Raw, invite.Get("unsigned.invite_room_state").Raw)
	same(t, "with the m.room.create event", invite.Get(`invite_room_state.#(type=="m.room.create")#|#`).Int(), 1)
	same(t, "user_id of an invite", invite.Get("user_id").Str, string(alice.User))
	// Nowhere else.
	for _, e := range []gjson.Result{
		homeservertest.Timeline(syncWith(t, alice, "", ""), room)[0], alice.History(t, room, 1)[0], eventOf(t, alice, room, said),
	} {
		if e.Get("user_id").Exists() || e.Get("age").Exists() {
			t.Errorf("%s", e)
		}
	}
}

// LEG-2, LEG-4: whoever follows the tokens is told of every event once and in order, however many there are.
func TestEventsOfALongTime(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	rooms := []events.RoomID{alice.CreateRoom(t, `{"preset":"public_chat"}`), alice.CreateRoom(t, `{"preset":"public_chat"}`)}
	for _, room := range rooms {
		bob.Join(t, room)
	}
	from := bob.Get(t, "/v3/events?timeout=0").Get("end").Str
	for _, busy := range []int{1, 2} { // rooms
		var want, got []string
		for i := range 1100 {
			want = append(want, fmt.Sprint(i))
			alice.Say(t, rooms[i%busy], want[i])
		}
		for range 4 {
			answer := bob.Get(t, "/v3/events?timeout=0&from="+from)
			texts := bodies(answer.Get("chunk"))
			if len(texts) > 1000 {
				t.Errorf("%d messages in one answer", len(texts))
			}
			got, from = append(got, texts...), answer.Get("end").Str
		}
		same(t, fmt.Sprint("messages in ", busy, " rooms"), got, want)
	}
}
