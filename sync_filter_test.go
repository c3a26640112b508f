package homeserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/homeservertest"
)

// FILT-8, FILT-11 to FILT-14: every part of a filter is for its own part of the answer.
func TestSyncFilters(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","topic":"T"}`)
	bob.Join(t, room)
	said := bob.Say(t, room, "said")
	read(t, bob, room, "m.read", said, nil)
	bob.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, bob.User), `{"typing":true,"timeout":60000}`)
	alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", alice.User, room), `{}`)
	all := syncWith(t, alice, "", `{"room":{"timeline":{"limit":1}}}`)
	whole := homeservertest.Room(all, "join", room)
	types := func(list gjson.Result) []string { return slices.Compact(stateKeys(list)) }
	for filter, want := range map[string]map[string][]string{ // of what parts
		`"state":{"types":["m.room.topic"]}`:                  {"state": {"m.room.topic"}},
		`"state":{"types":["m.room.t*","m.room.create"]}`:     {"state": {"m.room.create", "m.room.topic"}},
		`"state":{"types":[]}`:                                {"state": {}},
		`"state":{"not_rooms":["` + string(room) + `"]}`:      {"state": {}},
		`"state":{"rooms":["!other:example.org"]}`:            {"state": {}},
		`"state":{"senders":["@bob:example.org"]}`:            {"state": {"m.room.member/@bob:example.org"}},
		`"state":{"not_senders":["@alice:example.org"]}`:      {"state": {"m.room.member/@bob:example.org"}},
		`"ephemeral":{"types":["m.typing"]}`:                  {"ephemeral": {"m.typing"}},
		`"ephemeral":{"not_types":["m.typing"]}`:              {"ephemeral": {"m.receipt"}},
		`"ephemeral":{"types":[]}`:                            {"ephemeral": {}},
		`"ephemeral":{"not_rooms":["` + string(room) + `"]}`:  {"ephemeral": {}},
		`"account_data":{"not_types":["x"]}`:                  {"account_data": {}},
		`"account_data":{"rooms":["!other:example.org"]}`:     {"account_data": {}},
		`"account_data":{"not_rooms":["*"]}`:                  {"account_data": {}},
		`"account_data":{"rooms":["*"]}`:                      {},
		`"timeline":{"limit":1,"senders":[]}`:                 {"timeline": {}},
		`"timeline":{"limit":1,"not_rooms":["*"]}`:            {"timeline": {}},
		`"timeline":{"limit":1,"contains_url":true}`:          {"timeline": {}},
		`"timeline":{"limit":1,"types":["m.room.message"]}`:   {"timeline": {"m.room.message"}},
		`"timeline":{"limit":1,"senders":["@bob:other.org"]}`: {"timeline": {}},
	} {
		parts := filter
		if !strings.Contains(filter, "timeline") {
			parts += `,"timeline":{"limit":1}`
		}
		got := homeservertest.Room(syncWith(t, alice, "", `{"room":{`+parts+`}}`), "join", room)
		if !got.Exists() { // SYNC-14
			t.Errorf("%s: no room", filter)
		}
		for _, part := range []string{"state", "ephemeral", "account_data", "timeline"} {
			expect, filtered := want[part]
			if !filtered {
				if want["timeline"] != nil && part == "state" {
					continue // which is that before the timeline
				}
				expect = types(whole.Get(part + ".events"))
			}
			same(t, filter+": "+part, types(got.Get(part+".events")), expect)
		}
	}
	// SYNC-17: what is left out is said to be, if nothing else is to be told.
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	bob.Say(t, room, "more")
	none := homeservertest.Room(syncWith(t, alice, token, `{"room":{"timeline":{"limit":0}}}`), "join", room).Get("timeline")
	same(t, "limit 0", none.Get("limited").Raw+none.Get("events").Raw, "true[]")
	// SYNC-34: who is there is told whatever the timeline hides.
	token = syncWith(t, alice, "", "").Get("next_batch").Str
	hs.User(t, "carol").Join(t, room)
	summary := homeservertest.Room(syncWith(t, alice, token, `{"room":{"timeline":{"not_types":["m.room.member"]}}}`), "join", room).Get("summary")
	same(t, "members", summary.Get(`m\.joined_member_count`).Raw, "3")
	// A first sync has no more of a timeline than the server gives at once (FILT-16).
	for i := range 1000 {
		bob.Say(t, room, fmt.Sprint(i))
	}
	most := homeservertest.Room(syncWith(t, alice, "", `{"room":{"timeline":{"limit":1000000}}}`), "join", room).Get("timeline")
	same(t, "a very long timeline", most.Get("events.#").Raw+most.Get("limited").Raw, "1000true")
}

// SYNC-35: heroes are told again when a room gets or loses its name, and nothing of it is told otherwise.
func TestSyncSummaryOfNames(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	alice.Put(t, "/v3/directory/room/%23tea:example.org", map[string]any{"room_id": room})
	summary := func(what string, change func(), want string) {
		t.Helper()
		token := syncWith(t, alice, "", "").Get("next_batch").Str
		change()
		s := homeservertest.Room(syncWith(t, alice, token, ""), "join", room).Get("summary")
		same(t, what, s.Exists(), true)
		same(t, what, s.Get(`m\.heroes`).Raw, want)
	}
	var named string
	set := func(typ, content string) func() {
		return func() { named = string(alice.SetState(t, room, typ, "", content)) }
	}
	const heroes = `["@bob:example.org"]`
	summary("an alias is no canonical one", func() { hs.User(t, "carol"); alice.Invite(t, room, "@carol:example.org") }, `["@bob:example.org","@carol:example.org"]`)
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), `{"user_id":"@carol:example.org"}`)
	summary("a name", set("m.room.name", `{"name":"N"}`), "")
	summary("no name", set("m.room.name", `{"name":""}`), heroes)
	summary("an alias", set("m.room.canonical_alias", `{"alias":"#tea:example.org"}`), "")
	summary("no alias", set("m.room.canonical_alias", `{}`), heroes)
	set("m.room.name", `{"name":"N"}`)()
	summary("a redacted name", func() {
		alice.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/redact/{}/r", room, named), `{}`).Want(200)
	}, heroes)
}

// What lazy loading may leave out and what not (SYNC-29 to SYNC-32).
func TestSyncLazyLoadingInFull(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"Lazy"}`)
	for i := range 4 {
		hs.User(t, fmt.Sprint("u", i)).Join(t, room)
	}
	const lazy = `{"room":{"timeline":{"limit":1},"state":{"types":["m.room.member"],"lazy_load_members":true}}}`
	told := func(token, filter string, more ...string) (string, []string) {
		t.Helper()
		answer := syncWith(t, bob, token, filter, more...)
		return answer.Get("next_batch").Str, stateKeys(homeservertest.Room(answer, "join", room).Get("state.events"))
	}
	const alices, bobs = "m.room.member/@alice:example.org", "m.room.member/@bob:example.org"
	token, _ := told("", lazy)
	bob.Join(t, room)
	alice.Say(t, room, "hello")
	for param, key := range map[string]string{"use_state_after": "state_after", "full_state": "state"} {
		s := homeservertest.Room(syncWith(t, bob, token, lazy, param, "true"), "join", room)
		same(t, "newly joined, "+param, stateKeys(s.Get(key+".events")), []string{alices, bobs})
	}
	token, keys := told(token, lazy)
	same(t, "newly joined", keys, []string{alices, bobs})
	alice.Say(t, room, "known")
	next, keys := told(token, lazy)
	same(t, "known", keys, []string{})
	_, keys = told(token, lazy, "full_state", "true") // SYNC-30, SYNC-4
	same(t, "full_state of what is known", keys, []string{alices, bobs})
	alice.Say(t, room, "one")
	alice.Say(t, room, "two")
	_, keys = told(next, lazy)
	same(t, "known, and a gap", keys, []string{alices})
	// Parts of members are not members.
	fresh, _ := told("", `{"event_fields":["type"],"room":{"timeline":{"limit":1},"state":{"lazy_load_members":true}}}`)
	alice.Say(t, room, "fields")
	_, keys = told(fresh, lazy)
	same(t, "told in part", keys, []string{alices})
}

// SYNC-25, SYNC-41: who comes to a room is told who types there and what was read before they came.
func TestSyncEphemeralOfJoins(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	said := alice.Say(t, room, "said")
	read(t, alice, room, "m.read", said, nil)
	alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, alice.User), `{"typing":true,"timeout":60000}`)
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	bob.Join(t, room)
	answer := syncWith(t, bob, token, "")
	same(t, "typing", typingIn(answer, room), `["@alice:example.org"]`)
	same(t, "receipts", receiptsOf(answer, room).Get(gjson.Escape(string(said))).Get(`m\.read`).Get(gjson.Escape(string(alice.User))).Exists(), true)
	// Nothing of it is told again with what else is new.
	token = answer.Get("next_batch").Str
	bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", bob.User, room), `{}`)
	bob.Say(t, room, "hello")
	again := homeservertest.Room(syncWith(t, bob, token, ""), "join", room)
	same(t, "again", again.Get("ephemeral").Raw, "")
}

// SYNC-47: whatever happens to somebody after they have left, the state stays that of the leaving.
func TestSyncLeavesState(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","topic":"before"}`)
	bob.Join(t, room)
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	bob.Leave(t, room)
	between := syncWith(t, bob, "", "").Get("next_batch").Str
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"after"}`)
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), `{"user_id":"@bob:example.org"}`)
	for _, since := range []string{"", token} {
		for _, after := range []string{"false", "true"} {
			for _, filter := range []string{
				`{"room":{"include_leave":true,"timeline":{"limit":0}}}`, `{"room":{"include_leave":true,"timeline":{"types":[]}}}`, `{"room":{"include_leave":true}}`,
			} {
				left := homeservertest.Room(syncWith(t, bob, since, filter, "use_state_after", after), "leave", room)
				if !left.Exists() || strings.Contains(left.Raw, `"after"`) {
					t.Errorf("since %q, use_state_after %s, %s: %s", since, after, filter, left)
				}
			}
		}
	}
	// SYNC-18: also of a ban that comes alone.
	ban := homeservertest.Room(syncWith(t, bob, between, ""), "leave", room).Get("timeline")
	same(t, "the ban", ban.Get("events.#.content.membership").Raw, `["ban"]`)
	page := bob.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=1&from="+ban.Get("prev_batch").Str)
	same(t, "before the ban", page.Get("chunk.#.content.membership").Raw, `["leave"]`)
	// SYNC-48: that the room was left is told though a filter hides the event.
	const messages = `{"room":{"state":{"types":[]},"timeline":{"types":["m.room.message"]}}}`
	for _, tt := range []struct{ since, filter, want string }{
		{token, messages, `[]`}, {between, messages, `[]`}, {token, `{}`, `["leave","ban"]`}, {between, `{}`, `["ban"]`},
	} {
		left := homeservertest.Room(syncWith(t, bob, tt.since, tt.filter), "leave", room)
		same(t, "since "+tt.since+" timeline with "+tt.filter, left.Get("timeline.events.#.content.membership").Raw, tt.want)
		after := homeservertest.Room(syncWith(t, bob, tt.since, tt.filter, "use_state_after", "true"), "leave", room)
		same(t, "state_after", after.Get("state_after.events.#").Raw != "0", tt.filter == `{}`)
	}
	// SYNC-49: who never was in a room has not left it.
	declined := alice.CreateRoom(t, nil)
	alice.Invite(t, declined, bob.User)
	bob.Leave(t, declined)
	same(t, "declined long ago", homeservertest.HasRoom("leave", declined)(syncWith(t, bob, "", `{"room":{"include_leave":true}}`)), false)
}
