package homeserver_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
)

func summaryPath(room any) string { return homeservertest.Path("/v1/room_summary/{}", room) }

// What a summary tells of a room (SPACE-1 to SPACE-3).
func TestSummary(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	hall := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	room := alice.CreateRoom(t, fmt.Sprintf(`{"preset":"public_chat","room_version":"11","room_alias_name":"tea","name":"Tea","topic":"Leaves",
		"creation_content":{"type":"org.example.game"},"initial_state":[
			{"type":"m.room.avatar","content":{"url":"mxc://example.org/tea"}},
			{"type":"m.room.encryption","content":{"algorithm":"m.megolm.v1.aes-sha2"}},
			{"type":"m.room.guest_access","content":{"guest_access":"can_join"}},
			{"type":"m.room.history_visibility","content":{"history_visibility":"world_readable"}},
			{"type":"m.room.join_rules","content":{"join_rule":"restricted","allow":[7,{"type":"m.room_membership","room_id":"x"},
				{"type":"m.other","room_id":"!o:example.org"},{"type":"m.room_membership","room_id":%q}]}}]}`, hall))
	full := map[string]any{ // SPACE-2
		"room_id": string(room), "num_joined_members": 1.0, "world_readable": true, "guest_can_join": true,
		"name": "Tea", "topic": "Leaves", "canonical_alias": "#tea:example.org", "avatar_url": "mxc://example.org/tea",
		"join_rule": "restricted", "room_type": "org.example.game", "room_version": "11",
		"encryption": "m.megolm.v1.aes-sha2", "allowed_room_ids": []any{string(hall)},
	}
	check := func(c *homeservertest.Client, path string, membership any) {
		t.Helper()
		want := map[string]any{}
		for key, value := range full {
			want[key] = value
		}
		if membership != nil {
			want["membership"] = membership
		}
		if diff := cmp.Diff(want, c.Get(t, path).Value()); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	check(alice, summaryPath(room), "join")
	check(alice, summaryPath("#tea:example.org"), "join")                                          // SPACE-1: by alias
	check(alice, summaryPath(room)+"?via=a.example&via=b.example", "join")                         // SPACE-1: via is ignored
	check(alice, homeservertest.Path("/unstable/im.nheko.summary/summary/{}", room), "join")       // CLIENT-15
	check(alice, homeservertest.Path("/unstable/im.nheko.summary/rooms/{}/summary", room), "join") // CLIENT-15
	check(hs.Anonymous(), homeservertest.Path("/unstable/im.nheko.summary/summary/{}", room), nil) // CLIENT-15, SPACE-3
	check(hs.Anonymous(), summaryPath(room), nil)                                                  // SPACE-3: no membership without a user
	check(bob, summaryPath(room), "leave")                                                         // SPACE-3: the caller's own
	alice.Invite(t, room, bob.User)
	check(bob, summaryPath(room), "invite")
	check(alice, summaryPath(room), "join")
	bob.Leave(t, room)
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), map[string]any{"user_id": bob.User})
	check(bob, summaryPath(room), "ban")

	t.Run("what is not set is omitted", func(t *testing.T) { // SPACE-2, SPACE-3
		plain := alice.CreateRoom(t, `{"room_version":"10","initial_state":[
			{"type":"m.room.guest_access","content":{}},
			{"type":"m.room.join_rules","content":{"join_rule":"invite","allow":[{"type":"m.room_membership","room_id":"!a:b"}]}}]}`)
		want := map[string]any{
			"room_id": string(plain), "num_joined_members": 1.0, "world_readable": false, "guest_can_join": false,
			"join_rule": "invite", "room_version": "10", "membership": "join",
		}
		if diff := cmp.Diff(want, alice.Get(t, summaryPath(plain)).Value()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("unknown rooms are 404 M_NOT_FOUND, what names none is 400", func(t *testing.T) { // SPACE-1
		bob.Do(t, "GET", summaryPath("!nothing:example.org"), nil).WantError(404, "M_NOT_FOUND")
		bob.Do(t, "GET", summaryPath("#nothing:example.org"), nil).WantError(404, "M_NOT_FOUND")
		hs.Anonymous().Do(t, "GET", summaryPath("#nothing:example.org"), nil).WantError(404, "M_NOT_FOUND")
		bob.Do(t, "GET", summaryPath("tea"), nil).WantError(400, "M_INVALID_PARAM")
	})
	t.Run("a token that is sent must be valid", func(t *testing.T) { // AUTH-6
		stranger := *hs.Anonymous()
		stranger.Token = "wrong"
		stranger.Do(t, "GET", summaryPath(room), nil).WantError(401, "M_UNKNOWN_TOKEN")
	})
}

// access is a way in which a room is open, and to whom.
type access struct {
	name, version, state string
	outsider             bool // somebody with no membership
	fellow               bool // somebody in the room that a condition names
	anonymous            bool
}

func accesses() []access {
	rule := func(rule string) string {
		return `{"type":"m.room.join_rules","content":{"join_rule":"` + rule +
			`","allow":[{"type":"m.room_membership","room_id":"!gone:example.org"},{"type":"m.room_membership","room_id":"HALL"}]}}`
	}
	return []access{
		{"public", "12", rule("public"), true, true, true},
		{"knock", "12", rule("knock"), true, true, true},
		{"knock in a version without it", "6", rule("knock"), false, false, false},
		{"knock_restricted", "12", rule("knock_restricted"), true, true, true},
		{"knock_restricted in a version without it", "9", rule("knock_restricted"), false, false, false},
		{"restricted", "12", rule("restricted"), false, true, false},
		{"restricted in a version without it", "7", rule("restricted"), false, false, false},
		{"restricted without conditions", "12", `{"type":"m.room.join_rules","content":{"join_rule":"restricted"}}`, false, false, false},
		{"invite", "12", rule("invite"), false, false, false},
		{"a rule that nobody knows", "12", rule("org.example.dice"), false, false, false},
		{"world_readable", "12", `{"type":"m.room.history_visibility","content":{"history_visibility":"world_readable"}}`, true, true, true},
		{"shared", "12", `{"type":"m.room.history_visibility","content":{"history_visibility":"shared"}}`, false, false, false},
	}
}

// Who may be told of a room: whoever is in it or invited, could join or knock, or
// read it from outside (SPACE-4, SPACE-5).
func TestSummaryAccess(t *testing.T) {
	t.Parallel()
	hs, st := storeOf(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	guest := change(t, hs, st, hs.User(t, "guest").User, func(u *store.User) { u.Guest = true })
	hall := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	carol.Join(t, hall)
	want := func(t *testing.T, c *homeservertest.Client, room events.RoomID, visible bool) {
		t.Helper()
		r := c.Do(t, "GET", summaryPath(room), nil)
		switch {
		case visible:
			r.Want(200)
		case c.User == "":
			r.WantError(401, "M_MISSING_TOKEN")
		default:
			r.WantError(404, "M_NOT_FOUND")
		}
	}
	for _, tt := range accesses() {
		t.Run(tt.name, func(t *testing.T) {
			room := accessRoom(t, alice, tt, hall)
			want(t, alice, room, true)
			want(t, bob, room, tt.outsider)
			want(t, guest, room, tt.outsider)
			want(t, carol, room, tt.fellow)
			want(t, hs.Anonymous(), room, tt.anonymous)
			alice.Invite(t, room, bob.User)
			want(t, bob, room, true)
			bob.Leave(t, room)
			want(t, bob, room, tt.outsider)
			alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), map[string]any{"user_id": bob.User})
			want(t, bob, room, tt.outsider)
		})
	}
	t.Run("who leaves the room of the condition does not meet it any more", func(t *testing.T) { // SPACE-4
		room := accessRoom(t, alice, access{version: "12", state: `{"type":"m.room.join_rules","content":{"join_rule":"restricted","allow":[
			{"type":"m.room_membership","room_id":"HALL"}]}}`}, hall)
		want(t, carol, room, true)
		carol.Leave(t, hall)
		want(t, carol, room, false)
	})
	t.Run("without authentication nobody learns whether a room exists", func(t *testing.T) { // SPACE-5
		want(t, hs.Anonymous(), "!nothing:example.org", false)
	})
}

// accessRoom makes a room that is accessible in a way, named after it.
func accessRoom(t testing.TB, c *homeservertest.Client, a access, hall events.RoomID) events.RoomID {
	t.Helper()
	state := gjson.Parse(strings.ReplaceAll(a.state, "HALL", string(hall)))
	return c.CreateRoom(t, map[string]any{"room_version": a.version, "name": a.name, "initial_state": []any{state.Value()}})
}
