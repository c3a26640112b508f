package homeserver_test

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func TestSyncInvites(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"name":"Tea","topic":"T"}`)
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	alice.Invite(t, room, bob.User)
	// SYNC-44, EVT-36, EVT-37
	second := syncWith(t, bob, token, "")
	state := homeservertest.Room(second, "invite", room).Get("invite_state.events")
	same(t, "invite_state", stateKeys(state), []string{
		"m.room.create", "m.room.join_rules", "m.room.member/@alice:example.org", "m.room.member/@bob:example.org", "m.room.name", "m.room.topic",
	})
	for _, e := range state.Array() {
		e.ForEach(func(key, _ gjson.Result) bool {
			switch key.Str {
			case "sender", "type", "state_key", "content":
			default:
				t.Errorf("stripped state has %s", key)
			}
			return true
		})
	}
	// SYNC-45: once on incremental sync, on every initial one.
	alice.Say(t, room, "not for bob")
	same(t, "later", syncWith(t, bob, second.Get("next_batch").Str, "").Get("rooms").Raw, "")
	if !homeservertest.HasRoom("invite", room)(syncWith(t, bob, "", "")) {
		t.Error("an open invite is missing in a first sync")
	}
	// FILT-12
	if answer := syncWith(t, bob, "", `{"room":{"not_rooms":["`+string(room)+`"]}}`); answer.Get("rooms").Exists() {
		t.Errorf("a filtered room's invite: %s", answer)
	}
	// SYNC-48, SYNC-50: declining.
	token = syncWith(t, bob, "", "").Get("next_batch").Str
	bob.Leave(t, room)
	left := homeservertest.Room(syncWith(t, bob, token, ""), "leave", room)
	same(t, "timeline after declining", stateKeys(left.Get("timeline.events")), []string{"m.room.member/@bob:example.org"})
	same(t, "state after declining", left.Get("state.events").Raw, "[]") // bob never was in the room
	// SYNC-46: all invites while they are blocked.
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.invite_permission_config", bob.User), `{"default_action":"allow"}`)
	alice.Invite(t, room, bob.User)
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.invite_permission_config", bob.User), `{"default_action":"block"}`)
	if homeservertest.HasRoom("invite", room)(syncWith(t, bob, "", "")) {
		t.Error("an invite is told of though all are blocked")
	}
}

func TestSyncKnocks(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"name":"Tea","initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	bob.Post(t, homeservertest.Path("/v3/knock/{}", room), `{}`)
	// SYNC-44, SYNC-45
	for _, since := range []string{token, ""} {
		state := homeservertest.Room(syncWith(t, bob, since, ""), "knock", room).Get("knock_state.events")
		same(t, "knock_state", stateKeys(state), []string{"m.room.create", "m.room.join_rules", "m.room.member/@bob:example.org", "m.room.name"})
	}
	// SYNC-48: a knock that is retracted.
	token = syncWith(t, bob, "", "").Get("next_batch").Str
	bob.Leave(t, room)
	if !homeservertest.HasRoom("leave", room)(syncWith(t, bob, token, "")) {
		t.Error("a retracted knock is not under leave")
	}
}

func TestSyncLeaves(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	alice.Say(t, room, "before")
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"before"}`)
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), `{"user_id":"@bob:example.org"}`)
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"after"}`)
	alice.Say(t, room, "after")
	// SYNC-28, SYNC-47, SYNC-48: up to the leave, and once.
	second := syncWith(t, bob, token, "")
	left := homeservertest.Room(second, "leave", room)
	same(t, "timeline", stateKeys(left.Get("timeline.events")), []string{"m.room.member/@bob:example.org", "m.room.message", "m.room.topic"})
	same(t, "messages", bodies(left.Get("timeline.events")), []string{"before"})
	after := homeservertest.Room(syncWith(t, bob, token, "", "use_state_after", "true"), "leave", room)
	same(t, "state_after", stateKeys(after.Get("state_after.events")), []string{"m.room.member/@bob:example.org", "m.room.topic"})
	same(t, "topic at the leave", after.Get(`state_after.events.#(type=="m.room.topic").content.topic`).Str, "before")
	same(t, "later", syncWith(t, bob, second.Get("next_batch").Str, "").Get("rooms").Raw, "")
	// SYNC-49, CLIENT-11
	same(t, "a first sync", syncWith(t, bob, "", "").Get("rooms").Raw, "")
	const archived = `{"room":{"include_leave":true,"timeline":{"limit":1}}}`
	for _, answer := range []gjson.Result{
		syncWith(t, bob, "", archived),
		syncWith(t, bob, second.Get("next_batch").Str, archived, "full_state", "true"),
	} {
		old := homeservertest.Room(answer, "leave", room)
		if topic := old.Get(`state.events.#(type=="m.room.topic").content.topic`).Str; topic != "before" {
			t.Errorf("topic of an archived room %q: %s", topic, old)
		}
	}
	same(t, "include_leave is for full answers", syncWith(t, bob, second.Get("next_batch").Str, archived).Get("rooms").Raw, "")
	// MEMB-32, MEMB-33, AMB-5: forgotten, and yet told once.
	bob.Post(t, homeservertest.Path("/v3/rooms/{}/forget", room), `{}`)
	if !homeservertest.HasRoom("leave", room)(syncWith(t, bob, token, "")) {
		t.Error("a device that does not know of the leave is not told of it")
	}
	same(t, "a forgotten room", syncWith(t, bob, "", archived).Get("rooms").Raw, "")
	// A ban of somebody who has left is told of by itself.
	token = syncWith(t, bob, "", "").Get("next_batch").Str
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), `{"user_id":"@bob:example.org"}`)
	banned := homeservertest.Room(syncWith(t, bob, token, ""), "leave", room)
	same(t, "ban", banned.Get("timeline.events.0.content.membership").Str, "ban")
	same(t, "nothing of what happened meanwhile", len(banned.Get("timeline.events").Array()), 1)
}

// Clients that ask for the state at the end of the timeline take it from there only,
// their own membership as well (SYNC-23, SYNC-47, SYNC-48).
func TestSyncLeavesStateAfter(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
	act := func(verb string, user *homeservertest.Client) {
		alice.Post(t, homeservertest.Path("/v3/rooms/{}/{}", room, verb), `{"user_id":"`+string(user.User)+`"}`)
	}
	knock := func(user *homeservertest.Client) { user.Post(t, homeservertest.Path("/v3/knock/{}", room), `{}`) }
	for _, tt := range []struct {
		name, want string
		before, in func(user *homeservertest.Client)
	}{
		{"a refused invite", "leave", func(u *homeservertest.Client) { act("invite", u) }, func(u *homeservertest.Client) { u.Leave(t, room) }},
		{"a refused knock", "leave", knock, func(u *homeservertest.Client) { act("kick", u) }},
		{"a knock and its withdrawal", "leave", func(*homeservertest.Client) {}, func(u *homeservertest.Client) { knock(u); u.Leave(t, room) }},
		{"a ban of an invited user", "ban", func(u *homeservertest.Client) { act("invite", u) }, func(u *homeservertest.Client) { act("ban", u) }},
		{"a ban of a former member", "ban", func(u *homeservertest.Client) { act("invite", u); u.Join(t, room); u.Leave(t, room) }, func(u *homeservertest.Client) { act("ban", u) }},
		{"a leave and a ban", "ban", func(u *homeservertest.Client) { act("invite", u); u.Join(t, room) }, func(u *homeservertest.Client) { u.Leave(t, room); act("ban", u) }},
		{"a ban and its end", "leave", func(u *homeservertest.Client) { act("invite", u); u.Join(t, room) }, func(u *homeservertest.Client) { act("ban", u); act("unban", u) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			user := hs.User(t, strings.ReplaceAll(tt.name, " ", "-"))
			tt.before(user)
			token := syncWith(t, user, "", "").Get("next_batch").Str
			tt.in(user)
			left := homeservertest.Room(syncWith(t, user, token, "", "use_state_after", "true"), "leave", room)
			own := left.Get(`state_after.events.#(state_key=="` + string(user.User) + `")#`).Array()
			if len(own) != 1 || own[0].Get("content.membership").Str != tt.want {
				t.Errorf("own membership %s, want %s: %s", own, tt.want, left)
			}
			told := homeservertest.Room(syncWith(t, user, token, ""), "leave", room).Get("timeline.events").Array() // SYNC-26
			if last := told[len(told)-1]; last.Get("state_key").Str != string(user.User) || last.Get("content.membership").Str != tt.want {
				t.Errorf("the timeline ends with %s", last)
			}
		})
	}
}

func TestSyncJoins(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","topic":"T"}`)
	for range 15 {
		alice.Say(t, room, "old")
	}
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	bob.Join(t, room)
	// SYNC-25, MEMB-10: full state and recent history.
	joined := homeservertest.Room(syncWith(t, bob, token, ""), "join", room)
	if len(joined.Get("timeline.events").Array()) != 10 || !joined.Get("timeline.limited").Bool() ||
		!joined.Get(`state.events.#(type=="m.room.topic")`).Exists() || !joined.Get("summary").Exists() {
		t.Errorf("a newly joined room: %s", joined)
	}
	// SYNC-26: one section, that of the final membership.
	bob.Leave(t, room)
	answer := syncWith(t, bob, token, "")
	left := homeservertest.Room(answer, "leave", room)
	if homeservertest.HasRoom("join", room)(answer) || !left.Get(`state.events.#(type=="m.room.topic")`).Exists() {
		t.Errorf("joined and left: %s", answer)
	}
	// SYNC-25: left and joined again.
	bob.Join(t, room)
	token = syncWith(t, bob, "", "").Get("next_batch").Str
	bob.Leave(t, room)
	bob.Join(t, room)
	joined = homeservertest.Room(syncWith(t, bob, token, ""), "join", room)
	if !joined.Get(`state.events.#(type=="m.room.topic")`).Exists() {
		t.Errorf("left and joined again: %s", joined)
	}
	// SYNC-27, PROF-11: a new name is no new join.
	token = syncWith(t, bob, "", "").Get("next_batch").Str
	bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), `{"displayname":"B"}`)
	joined = homeservertest.Room(syncWith(t, bob, token, ""), "join", room)
	same(t, "state with a new name", joined.Get("state.events").Raw, "[]")
	same(t, "timeline with a new name", stateKeys(joined.Get("timeline.events")), []string{"m.room.member/@bob:example.org"})
	// CREATE-32
	fresh := bob.CreateRoom(t, nil)
	if !homeservertest.HasRoom("join", fresh)(syncWith(t, bob, token, "")) {
		t.Error("a room just created is missing")
	}
}

// Who comes back to a room is told of all that they could not be told of while they were
// out: members whom lazy loading would leave out (SYNC-31), and account data (SYNC-42).
func TestSyncRejoins(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol, dave := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol"), hs.User(t, "dave")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	for _, c := range []*homeservertest.Client{bob, carol, dave} {
		c.Join(t, room)
	}
	tag := func(name string) {
		bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/tags/{}", bob.User, room, name), `{}`)
	}
	tag("u.before")
	const lazy = `{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":2}}}`
	next := func(since string) string { return syncWith(t, bob, since, lazy).Get("next_batch").Str }
	token := next("")
	bob.Leave(t, room)
	token = next(token)
	tag("u.meanwhile")
	carol.Leave(t, room)
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), `{"user_id":"@dave:example.org"}`)
	for range 3 {
		alice.Say(t, room, "Where is Bob?")
	}
	token = next(token)
	bob.Join(t, room)
	tag("u.now")
	for param, key := range map[string]string{"": "state", "true": "state_after"} {
		var more []string
		if param != "" {
			more = []string{"use_state_after", param}
		}
		joined := homeservertest.Room(syncWith(t, bob, token, lazy, more...), "join", room)
		for user, want := range map[string]string{"carol": "leave", "dave": "ban"} {
			if got := joined.Get(key + `.events.#(state_key=="@` + user + `:example.org").content.membership`).Str; got != want {
				t.Errorf("%s: membership of %s is %q, want %q: %s", key, user, got, want, joined)
			}
		}
		same(t, "account data", joined.Get("account_data").Raw, `{"events":[{"content":{"tags":{"u.before":{},"u.meanwhile":{},"u.now":{}}},"type":"m.tag"}]}`)
	}
	if room := homeservertest.Room(syncWith(t, bob, token, `{"room":{"account_data":{"not_types":["m.tag"]}}}`), "join", room); room.Get("account_data").Exists() {
		t.Errorf("account data is filtered: %s", room)
	}
}

// Who is asked back before they were told of their leave is told of the invite alone
// (SYNC-26), and of what they have missed when they come: of members who changed
// before the leave, too, whom lazy loading would leave out (SYNC-31).
func TestSyncRejoinsByInvite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		back func(alice, bob *homeservertest.Client, room events.RoomID) // once or several times
	}{
		{"left and invited", func(alice, bob *homeservertest.Client, room events.RoomID) {
			bob.Leave(t, room)
			alice.Invite(t, room, bob.User)
		}},
		{"left, came back, left and invited", func(alice, bob *homeservertest.Client, room events.RoomID) {
			bob.Leave(t, room)
			bob.Join(t, room)
			bob.Leave(t, room)
			alice.Invite(t, room, bob.User)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hs := homeservertest.New(t)
			alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
			room := alice.CreateRoom(t, `{"preset":"public_chat","name":"Tea"}`) // whose members are no heroes
			bob.Join(t, room)
			carol.Join(t, room)
			const lazy = `{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":2}}}`
			first := syncWith(t, bob, "", lazy)
			carol.Put(t, homeservertest.Path("/v3/profile/{}/displayname", carol.User), `{"displayname":"Caroline"}`)
			tt.back(alice, bob, room)
			invited := syncWith(t, bob, first.Get("next_batch").Str, lazy)
			if !homeservertest.HasRoom("invite", room)(invited) || homeservertest.HasRoom("leave", room)(invited) {
				t.Fatalf("asked back: %s", invited)
			}
			bob.Join(t, room)
			alice.Say(t, room, "Hello again")
			for param, key := range map[string]string{"false": "state", "true": "state_after"} {
				joined := homeservertest.Room(syncWith(t, bob, invited.Get("next_batch").Str, lazy, "use_state_after", param), "join", room)
				same(t, "carol in "+key, joined.Get(key+`.events.#(state_key=="@carol:example.org").content.displayname`).Str, "Caroline")
			}
		})
	}
}

// Who has left a room may have dropped it: when they are back, they are introduced to
// senders whom they knew before, too (SYNC-29, SYNC-32).
func TestSyncRejoinsAmongStrangers(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"Tea"}`) // whose members are no heroes
	carol.Join(t, room)
	bob.Join(t, room)
	const lazy = `{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":2}}}`
	next := func(since string) string { return syncWith(t, bob, since, lazy).Get("next_batch").Str }
	alice.Say(t, room, "Hello")
	token := next("")
	bob.Leave(t, room)
	token = next(token)
	bob.Join(t, room)
	carol.Say(t, room, "Hello again")
	token = next(token)
	alice.Say(t, room, "Hello again")
	for param, key := range map[string]string{"false": "state", "true": "state_after"} {
		joined := homeservertest.Room(syncWith(t, bob, token, lazy, "use_state_after", param), "join", room)
		same(t, key, stateKeys(joined.Get(key+".events")), []string{"m.room.member/@alice:example.org"})
	}
}

// Who is told of what became of them after they left is told who did it, like of all
// senders (SYNC-29), unless that is told already.
func TestSyncBannedAfterLeaving(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"Tea","power_level_content_override":{"users":{"@alice:example.org":100,"@carol:example.org":50}},"room_version":"10"}`)
	carol.Join(t, room)
	bob.Join(t, room)
	const lazy = `{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":1}}}`
	token := syncWith(t, bob, "", lazy).Get("next_batch").Str
	bob.Leave(t, room)
	token = syncWith(t, bob, token, lazy).Get("next_batch").Str
	carol.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), `{"user_id":"@bob:example.org"}`)
	for param, want := range map[string][]string{
		"false": {"m.room.member/@carol:example.org"},
		"true":  {"m.room.member/@bob:example.org", "m.room.member/@carol:example.org"},
	} {
		key := map[string]string{"false": "state", "true": "state_after"}[param]
		banned := homeservertest.Room(syncWith(t, bob, token, lazy, "use_state_after", param), "leave", room)
		same(t, key, stateKeys(banned.Get(key+".events")), want)
	}
	// Without lazy loading all members were told before.
	banned := homeservertest.Room(syncWith(t, bob, token, `{"room":{"timeline":{"limit":1}}}`), "leave", room)
	same(t, "state with all members", banned.Get("state.events").Raw, "[]")
}

// Who comes back sees what was there before they had left, but not what the room became while they were out. Clients
// make its state out of that before the timeline and the timeline, so that begins after what they may not see (SYNC-19).
func TestSyncStateWithHiddenHistory(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":"joined"}}]}`)
	bob.Join(t, room)
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"seen"}`)
	bob.Leave(t, room)
	away := syncWith(t, bob, token, "").Get("next_batch").Str
	hidden := alice.SetState(t, room, "m.room.topic", "", `{"topic":"not seen"}`)
	alice.Say(t, room, "not seen")
	bob.Join(t, room)
	said := alice.Say(t, room, "welcome")
	for what, answer := range map[string]gjson.Result{
		"a first sync":       syncWith(t, bob, "", ""),
		"back":               syncWith(t, bob, away, ""),
		"left and back":      syncWith(t, bob, token, ""),
		"with all the state": syncWith(t, bob, token, "", "full_state", "true"),
	} {
		section := homeservertest.Room(answer, "join", room)
		same(t, what+": topic", section.Get(`state.events.#(type=="m.room.topic").event_id`).Str, string(hidden))
		same(t, what+": timeline", section.Get("timeline.events.#.type").Raw, `["m.room.member","m.room.message"]`)
		same(t, what+": its end", section.Get("timeline.events.1.event_id").Str, string(said))
		same(t, what+": limited", section.Get("timeline.limited").Raw, "true")
		before := bob.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=2&from="+section.Get("timeline.prev_batch").Str)
		same(t, what+": before", before.Get("chunk.#.type").Raw, `["m.room.member","m.room.topic"]`)
	}
	// With the state after the timeline there is nothing to be made.
	after := homeservertest.Room(syncWith(t, bob, away, "", "use_state_after", "true"), "join", room)
	same(t, "state_after", after.Get(`state_after.events.#(type=="m.room.topic").event_id`).Str, string(hidden))

	// Leaving again.
	bob.Leave(t, room)
	left := homeservertest.Room(syncWith(t, bob, token, ""), "leave", room)
	same(t, "left: topic", left.Get(`state.events.#(type=="m.room.topic").event_id`).Str, string(hidden))
	same(t, "left: timeline", left.Get("timeline.events.#.type").Raw, `["m.room.member","m.room.message","m.room.member"]`)
}

// SYNC-23: state_after is there also in a section that tells of account data alone.
func TestSyncStateAfterWithAccountData(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", alice.User, room), `{}`)
	after := homeservertest.Room(syncWith(t, alice, token, "", "use_state_after", "true"), "join", room)
	same(t, "state_after", after.Get("state_after.events").Raw, "[]")
	same(t, "without", homeservertest.Room(syncWith(t, alice, token, ""), "join", room).Get("state_after").Exists(), false)
}

// SYNC-28, SYNC-47: what somebody is told of a room that they have left ends with that, though they were invited again
// and might have read on, and with how that ended.
func TestSyncEndsWithTheLeave(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":"invited"}}]}`)
	bob.Join(t, room)
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	alice.Say(t, room, "seen")
	bob.Leave(t, room)
	carol.Join(t, room)
	alice.Invite(t, room, bob.User)
	carol.Say(t, room, "from somebody whom bob does not know")
	bob.Leave(t, room)
	for _, filter := range []string{"", `{"room":{"state":{"lazy_load_members":true}}}`} {
		section := homeservertest.Room(syncWith(t, bob, token, filter), "leave", room)
		same(t, "timeline", section.Get("timeline.events.#.type").Raw, `["m.room.message","m.room.member","m.room.member"]`)
		same(t, "memberships", section.Get("timeline.events.#.unsigned.prev_content.membership").Raw, `["join","invite"]`)
	}
}
