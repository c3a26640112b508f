package homeserver_test

import (
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func TestIgnoredUsers(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, mallory := hs.User(t, "alice"), hs.User(t, "mallory")
	phone := hs.Login(t, "alice")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	mallory.Join(t, room)
	ignore := func(content string) {
		t.Helper()
		alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", alice.User), content)
	}
	// told says whether the next sync has an event.
	told := func(c *homeservertest.Client, id events.EventID) bool {
		t.Helper()
		return homeservertest.HasEvent(room, id)(c.Sync(t))
	}
	const list = `{"ignored_users":{"@mallory:example.org":{}}}`
	alice.Sync(t)
	phone.Sync(t)

	ignore(list)
	insult := mallory.Say(t, room, "insult")
	for _, c := range []*homeservertest.Client{alice, phone} { // IGN-1: all the user's syncs, at once
		if told(c, insult) { // IGN-2: their non-state events are dropped
			t.Error("an event of an ignored user")
		}
	}
	rename(t, mallory, "M")
	state := mallory.State(t, room, "m.room.member", string(mallory.User))
	seen := false
	for _, e := range homeservertest.Timeline(alice.Sync(t), room) {
		seen = seen || e.Get("sender").Str == string(mallory.User) && e.Get("content").Raw == state.Raw
	}
	if !seen {
		t.Error("a state event of an ignored user is missing") // IGN-2: their state events are kept
	}

	invited := mallory.CreateRoom(t, `{"invite":["@alice:example.org"]}`)
	if homeservertest.HasRoom("invite", invited)(alice.Sync(t)) { // IGN-3
		t.Error("an invite by an ignored user")
	}

	ignore(`{"ignored_users":{}}`)
	late := mallory.Say(t, room, "sorry")
	sync := alice.Sync(t)
	if homeservertest.HasEvent(room, insult)(sync) { // IGN-4: missed events are not delivered
		t.Error("an event that came while its sender was ignored")
	}
	if !homeservertest.HasEvent(room, late)(sync) {
		t.Error("an event after its sender was ignored is missing")
	}
	if fresh := hs.Login(t, "alice").Sync(t); !homeservertest.HasEvent(room, insult)(fresh) || !homeservertest.HasRoom("invite", invited)(fresh) { // IGN-4: a fresh sync shows them
		t.Error("a fresh sync lacks what an ignored user had sent")
	}

	for _, malformed := range []string{ // IGN-1: malformed content is empty
		`{}`, `{"ignored_users":null}`, `{"ignored_users":["@mallory:example.org"]}`, `{"ignored_users":"@mallory:example.org"}`,
		`{"ignored_users":{"@mallory:example.org:x":{}}}`, `{"@mallory:example.org":{}}`,
	} {
		ignore(malformed)
		if !told(alice, mallory.Say(t, room, malformed)) {
			t.Errorf("%s ignores somebody", malformed)
		}
	}
}

// IGN-3: who was removed and invited again by somebody they ignore is told that they were removed (SYNC-48), and
// nothing of the invite.
func TestRemovedAndInvitedByIgnored(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, mallory := hs.User(t, "alice"), hs.User(t, "mallory")
	room := mallory.CreateRoom(t, `{"preset":"public_chat"}`)
	alice.Join(t, room)
	alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", alice.User), `{"ignored_users":{"@mallory:example.org":{}}}`)
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	mallory.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), map[string]any{"user_id": alice.User})
	mallory.Invite(t, room, alice.User)
	answer := syncWith(t, alice, token, "")
	left := homeservertest.Room(answer, "leave", room)
	same(t, "timeline", left.Get("timeline.events.#.content.membership").Raw, `["leave"]`)
	same(t, "an invite", homeservertest.HasRoom("invite", room)(answer), false)
	token = answer.Get("next_batch").Str
	same(t, "told once", syncWith(t, alice, token, "").Get("rooms").Raw, "")
	mallory.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), map[string]any{"user_id": alice.User})
	token = syncWith(t, alice, token, "").Get("next_batch").Str
	mallory.Invite(t, room, alice.User)
	same(t, "another invite", syncWith(t, alice, token, "").Get("rooms").Raw, "")
}

// SLIDE-17, SLIDE-16, SLIDE-40: in sliding sync, too, in lists and subscriptions of every kind; also while the invite is
// withheld because the user wants none. They are told of it when it is not withheld any more.
func TestSlidingRemovedAndInvitedByIgnored(t *testing.T) {
	t.Parallel()
	const detail = `"timeline_limit":5,"required_state":[["m.room.member","$ME"]]`
	for name, asked := range map[string]string{
		"a list":                     `{"lists":{"a":{` + detail + `}}}`,
		"windows":                    `{"lists":{"a":{"ranges":[[0,0],[1,9]],` + detail + `}}}`,
		"a list without invites":     `{"lists":{"a":{"filters":{"is_invite":false},` + detail + `}}}`,
		"a subscription":             `{"room_subscriptions":{"ROOM":{` + detail + `}}}`,
		"a subscription with a list": `{"lists":{"a":{` + detail + `}},"room_subscriptions":{"ROOM":{` + detail + `}}}`,
	} {
		for kind, content := range map[string]string{
			"m.ignored_user_list": `{"ignored_users":{"@mallory:example.org":{}}}`, "m.invite_permission_config": `{"default_action":"block"}`,
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				hs := homeservertest.New(t)
				alice, mallory := hs.User(t, "alice"), hs.User(t, "mallory")
				withhold := func(content string) {
					alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/{}", alice.User, kind), content)
				}
				room := mallory.CreateRoom(t, `{"preset":"public_chat"}`)
				alice.Join(t, room)
				body := strings.ReplaceAll(asked, "ROOM", string(room))
				at := pos(slide(t, alice, "", body))
				mallory.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), map[string]any{"user_id": alice.User})
				mallory.Invite(t, room, alice.User)
				withhold(content)
				answer := slide(t, alice, at, body)
				again := slide(t, alice, at, body) // the first one was lost
				same(t, "told again", slid(again, room).Get("timeline.#.event_id").Raw, slid(answer, room).Get("timeline.#.event_id").Raw)
				left := slid(answer, room)
				same(t, "timeline", left.Get("timeline.#.content.membership").Raw, `["leave"]`)
				same(t, "own member event", left.Get("required_state.#.content.membership").Raw, `["leave"]`)
				same(t, "an invite", left.Get("invite_state").Exists(), false)
				at = pos(again)
				answer = slide(t, alice, at, body)
				same(t, "told once", answer.Get("rooms").Raw, "{}")
				if n := answer.Get("lists.a.count"); n.Exists() {
					same(t, "rooms in the list", n.Int(), 0)
				}
				withhold(`{}`)
				answer = slide(t, alice, at, body)
				same(t, "told of the invite", slid(answer, room).Get("invite_state").Exists(), name != "a list without invites")
			})
		}
	}
}
