package homeserver_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// membershipOf is what the room's state says of a user, as a member sees it; "" if
// there is no member event.
func membershipOf(t testing.TB, member *homeservertest.Client, room events.RoomID, user events.UserID) string {
	t.Helper()
	r := member.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, user), nil)
	if r.Status == 404 {
		return ""
	}
	return r.Want(200).Get("membership").Str
}

func setRule(t testing.TB, c *homeservertest.Client, room events.RoomID, content string) {
	t.Helper()
	c.SetState(t, room, "m.room.join_rules", "", content)
}

// act asks for a change of bob's membership through its own endpoint, or with put by
// writing the member event (MEMB-43).
func act(t testing.TB, alice, bob *homeservertest.Client, room events.RoomID, what string, put bool) *homeservertest.Response {
	t.Helper()
	who, membership := alice, what
	switch what {
	case "join", "leave", "knock":
		who = bob
	case "kick", "unban":
		membership = "leave"
	}
	if put {
		path := homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, bob.User)
		return who.Do(t, "PUT", path, `{"membership":"`+membership+`"}`)
	}
	body := `{"user_id":"` + string(bob.User) + `"}`
	if who == bob {
		body = `{}`
	}
	path := homeservertest.Path("/v3/rooms/{}/"+what, room)
	if what == "knock" {
		path = homeservertest.Path("/v3/knock/{}", room)
	}
	return who.Do(t, "POST", path, body)
}

// The table of memberships, each cell through its endpoint and as a state event
// (MEMB-1, MEMB-43).
func TestMemberships(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	reach := map[string][]string{ // what leads to a membership
		"none": nil, "leave": {"invite", "leave"}, "invite": {"invite"}, "join": {"invite", "join"}, "knock": {"knock"}, "ban": {"ban"},
	}
	const refused = "403 M_FORBIDDEN"
	type cell struct {
		from, rule, do string
		endpoint       string // the new membership, "same" for no new event, or the refusal
		put            string // "": the same
	}
	var cells []cell
	for _, from := range []string{"none", "leave"} {
		cells = append(cells,
			cell{from, "knock", "invite", "invite", ""},
			cell{from, "invite", "join", refused, ""},
			cell{from, "knock", "join", refused, ""},
			cell{from, "public", "join", "join", ""},
			cell{from, "knock", "kick", refused, ""},
			cell{from, "knock", "ban", "ban", ""},
			cell{from, "knock", "unban", "403 M_BAD_STATE", refused}, // MEMB-38
			cell{from, "knock", "knock", "knock", ""},
			cell{from, "invite", "knock", refused, ""}, // MEMB-25
			cell{from, "public", "knock", refused, ""},
		)
	}
	cells = append(cells,
		cell{"none", "knock", "leave", refused, ""}, // MEMB-29
		cell{"leave", "knock", "leave", "same", ""},

		cell{"invite", "knock", "invite", "same", ""}, // MEMB-16
		cell{"invite", "knock", "join", "join", ""},
		cell{"invite", "invite", "join", "join", ""},
		cell{"invite", "knock", "leave", "leave", ""}, // MEMB-28
		cell{"invite", "knock", "kick", "leave", ""},
		cell{"invite", "knock", "ban", "ban", ""},
		cell{"invite", "knock", "unban", "403 M_BAD_STATE", "leave"}, // as a state event it is the kick
		cell{"invite", "knock", "knock", refused, ""},                // AMB-1

		cell{"join", "knock", "invite", refused, ""}, // MEMB-17
		cell{"join", "knock", "join", "same", ""},    // MEMB-8
		cell{"join", "public", "join", "same", ""},
		cell{"join", "private", "join", "same", refused}, // nobody may join under a rule that does not exist
		cell{"join", "knock", "leave", "leave", ""},
		cell{"join", "knock", "kick", "leave", ""}, // MEMB-36
		cell{"join", "knock", "ban", "ban", ""},    // MEMB-37
		cell{"join", "knock", "unban", "403 M_BAD_STATE", "leave"},
		cell{"join", "knock", "knock", refused, ""},

		cell{"knock", "knock", "invite", "invite", ""}, // MEMB-27
		cell{"knock", "knock", "join", refused, ""},    // AMB-1
		cell{"knock", "public", "join", "join", ""},
		cell{"knock", "knock", "leave", "leave", ""},
		cell{"knock", "knock", "kick", "leave", ""}, // MEMB-27
		cell{"knock", "knock", "ban", "ban", ""},
		cell{"knock", "knock", "unban", "403 M_BAD_STATE", "leave"},
		cell{"knock", "knock", "knock", "same", ""}, // MEMB-26

		cell{"ban", "knock", "invite", refused, ""}, // MEMB-39
		cell{"ban", "public", "join", refused, ""},
		cell{"ban", "knock", "leave", refused, ""},
		cell{"ban", "knock", "kick", refused, "leave"}, // as a state event it is the unbanning
		cell{"ban", "knock", "ban", "same", ""},
		cell{"ban", "knock", "unban", "leave", ""},
		cell{"ban", "knock", "knock", refused, ""},
	)
	for _, c := range cells {
		for _, put := range []bool{false, true} {
			want := c.endpoint
			if put && c.put != "" {
				want = c.put
			}
			t.Run(fmt.Sprintf("%s, %s under %s, put %v", c.from, c.do, c.rule, put), func(t *testing.T) {
				t.Parallel()
				room := alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
				for _, step := range reach[c.from] {
					act(t, alice, bob, room, step, false).Want(200)
				}
				if c.rule != "knock" {
					setRule(t, alice, room, `{"join_rule":"`+c.rule+`"}`)
				}
				before := everything(t, alice, room)
				was := membershipOf(t, alice, room, bob.User)
				r := act(t, alice, bob, room, c.do, put)
				after := everything(t, alice, room)
				is := membershipOf(t, alice, room, bob.User)
				switch {
				case strings.HasPrefix(want, "403"):
					r.WantError(403, want[len("403 "):])
					if len(after) != len(before) || is != was {
						t.Errorf("something was written: %v", kinds(after[len(before):]))
					}
				case want == "same":
					body := r.Want(200)
					if len(after) != len(before) {
						t.Errorf("a new event was written: %v", after[len(before):])
					}
					if put && body.Get("event_id").Str == "" {
						t.Errorf("no event ID in %s", body)
					}
				default:
					r.Want(200)
					if len(after) != len(before)+1 || is != want {
						t.Errorf("the membership is %q after %v, want %s", is, kinds(after[len(before):]), want)
					}
				}
			})
		}
	}
}

// Who may not: the powerless, those who are not in the room, and nobody above their
// own level.
func TestMembershipPower(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol, dave := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol"), hs.User(t, "dave")
	equal := hs.User(t, "equal")
	room := alice.CreateRoom(t, map[string]any{
		"room_version": "11", "preset": "public_chat",
		"power_level_content_override": map[string]any{
			"invite": 50, "users": map[string]int{string(alice.User): 100, string(bob.User): 50, string(equal.User): 50},
		},
	})
	for _, c := range []*homeservertest.Client{bob, carol, equal} {
		c.Join(t, room)
	}
	banned := hs.User(t, "banned")
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), map[string]any{"user_id": banned.User})
	before := len(everything(t, alice, room))
	for _, tt := range []struct {
		name   string
		who    *homeservertest.Client
		do     string
		target *homeservertest.Client
		status int
		code   string
	}{
		{"MEMB-17 invite without power", carol, "invite", dave, 403, "M_FORBIDDEN"},
		{"MEMB-17 invite from outside", dave, "invite", banned, 403, "M_FORBIDDEN"},
		{"MEMB-17 invite oneself", bob, "invite", bob, 403, "M_FORBIDDEN"},
		{"MEMB-17 invite oneself from outside", dave, "invite", dave, 403, "M_FORBIDDEN"},
		{"MEMB-36 kick without power", carol, "kick", bob, 403, "M_FORBIDDEN"},
		{"MEMB-36 kick from outside", dave, "kick", carol, 403, "M_FORBIDDEN"},
		{"MEMB-36 kick an equal", bob, "kick", equal, 403, "M_FORBIDDEN"},
		{"MEMB-36 kick upwards", bob, "kick", alice, 403, "M_FORBIDDEN"},
		{"MEMB-37 ban without power", carol, "ban", dave, 403, "M_FORBIDDEN"},
		{"MEMB-37 ban from outside", dave, "ban", carol, 403, "M_FORBIDDEN"},
		{"MEMB-37 ban an equal", bob, "ban", equal, 403, "M_FORBIDDEN"},
		{"MEMB-38 unban without power", carol, "unban", banned, 403, "M_FORBIDDEN"},
		{"MEMB-38 unban from outside", dave, "unban", banned, 403, "M_FORBIDDEN"},
		{"MEMB-38 unban nobody from outside", dave, "unban", carol, 403, "M_FORBIDDEN"},
		{"MEMB-38 unban oneself", banned, "unban", banned, 403, "M_FORBIDDEN"},
	} {
		path := homeservertest.Path("/v3/rooms/{}/"+tt.do, room)
		t.Run(tt.name, func(t *testing.T) {
			tt.who.Do(t, "POST", path, map[string]any{"user_id": tt.target.User}).WantError(tt.status, tt.code)
		})
	}
	for _, tt := range []struct {
		name string
		who  *homeservertest.Client
		key  events.UserID
		body string
	}{
		{"AUTHZ-11 join for another", alice, dave.User, `{"membership":"join"}`},
		{"AUTHZ-21 knock for another", alice, dave.User, `{"membership":"knock"}`},
		{"AUTHZ-22 unknown membership", bob, bob.User, `{"membership":"dancing"}`},
		{"AUTHZ-19 kick upwards", bob, alice.User, `{"membership":"leave"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, tt.key)
			tt.who.Do(t, "PUT", path, tt.body).WantError(403, "M_FORBIDDEN")
		})
	}
	bob.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, "bob"), `{"membership":"ban"}`).WantError(400, "M_INVALID_PARAM")
	bob.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", room, bob.User), `{"membership":7}`).WantError(400, "M_BAD_JSON") // STATE-14
	if list := everything(t, alice, room); len(list) != before {
		t.Errorf("something was written: %v", kinds(list[before:]))
	}
	nobody := events.UserID("@nobody:far.example")
	bob.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), map[string]any{"user_id": nobody})
	if got := membershipOf(t, bob, room, nobody); got != "ban" { // MEMB-37
		t.Errorf("%s is %q, want banned", nobody, got)
	}
}

// Creators of a room of version 12 stand above everybody else and beside each other
// (RVER-19).
func TestCreatorsPower(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, map[string]any{
		"preset": "trusted_private_chat", "invite": []any{bob.User},
		"power_level_content_override": map[string]any{"users": map[string]any{string(carol.User): 9007199254740991}},
	})
	bob.Join(t, room)
	alice.Invite(t, room, carol.User)
	carol.Join(t, room)
	remove := func(who, whom *homeservertest.Client, how string) *homeservertest.Response {
		return who.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/"+how, room), map[string]any{"user_id": whom.User})
	}
	for _, how := range []string{"kick", "ban"} {
		remove(carol, bob, how).WantError(403, "M_FORBIDDEN")
		remove(alice, bob, how).WantError(403, "M_FORBIDDEN")
		remove(bob, alice, how).WantError(403, "M_FORBIDDEN")
	}
	remove(bob, carol, "kick").Want(200)
}

// Each change can be given a reason (MEMB-3), and nothing but text is one.
func TestReasons(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
	path := func(what string) string { return homeservertest.Path("/v3/rooms/{}/"+what, room) }
	knock := homeservertest.Path("/v3/knock/{}", room)
	for i, step := range []struct {
		who  *homeservertest.Client
		path string
		want string
	}{
		{bob, knock, "knock"},
		{alice, path("kick"), "leave"},
		{bob, knock, "knock"},
		{alice, path("invite"), "invite"},
		{bob, path("join"), "join"},
		{bob, path("leave"), "leave"},
		{alice, path("ban"), "ban"},
		{alice, path("ban"), "ban"}, // again, with another reason
		{alice, path("unban"), "leave"},
		{alice, path("invite"), "invite"},
		{bob, homeservertest.Path("/v3/join/{}", room), "join"},
	} {
		why := fmt.Sprintf("because of <%d>", i)
		body := map[string]any{"reason": why}
		if step.who == alice {
			body["user_id"] = bob.User
		}
		step.who.Do(t, "POST", step.path, map[string]any{"reason": 7, "user_id": bob.User}).WantError(400, "M_BAD_JSON")
		step.who.Post(t, step.path, body)
		got := alice.State(t, room, "m.room.member", string(bob.User))
		if got.Get("membership").Str != step.want || got.Get("reason").Str != why {
			t.Errorf("step %d leads to %s", i, got)
		}
	}
	bob.Post(t, path("leave"), `{"reason":null}`)
	if got := alice.State(t, room, "m.room.member", string(bob.User)); got.Raw != `{"membership":"leave"}` {
		t.Errorf("no reason is stored as %s", got)
	}
}

// Bodies that are no requests.
func TestMembershipBodies(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	for _, what := range []string{"invite", "kick", "ban", "unban"} {
		path := homeservertest.Path("/v3/rooms/{}/"+what, room)
		for body, code := range map[string]string{ // MEMB-18
			`{`: "M_NOT_JSON", ``: "M_NOT_JSON", `[]`: "M_BAD_JSON", `{}`: "M_MISSING_PARAM", `{"user_id":null}`: "M_MISSING_PARAM",
			`{"user_id":7}`: "M_BAD_JSON", `{"user_id":"bob"}`: "M_INVALID_PARAM",
		} {
			if what == "invite" && body == `` {
				code = "M_MISSING_PARAM" // an empty body is an empty object
			}
			r := alice.Do(t, "POST", path, body)
			r.WantError(400, code)
		}
	}
	for _, what := range []string{"join", "leave", "forget"} { // MEMB-4: no body is an empty one
		bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/"+what, room), nil).Want(200)
	}
	for _, body := range []string{`[]`, `{"reason":[]}`, `{"third_party_signed":7}`} {
		bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/join", room), body).WantError(400, "M_BAD_JSON")
	}
}

// Rooms that do not exist.
func TestMembershipWithoutRoom(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	for _, tt := range []struct {
		name, path string
		status     int
		code       string
	}{
		{"MEMB-7 join", homeservertest.Path("/v3/rooms/{}/join", "!none:example.org"), 404, "M_NOT_FOUND"},
		{"MEMB-7 join by ID", homeservertest.Path("/v3/join/{}", "!none"), 404, "M_NOT_FOUND"},
		{"MEMB-7 join by alias", homeservertest.Path("/v3/join/{}", "#none:example.org"), 404, "M_NOT_FOUND"},
		{"MEMB-7 join by alias of another server", homeservertest.Path("/v3/join/{}", "#none:far.example"), 404, "M_NOT_FOUND"},
		{"MEMB-7 neither", homeservertest.Path("/v3/join/{}", "none"), 400, "M_INVALID_PARAM"},
		{"MEMB-7 no alias", homeservertest.Path("/v3/join/{}", "#none"), 400, "M_INVALID_PARAM"},
		{"MEMB-25 knock", homeservertest.Path("/v3/knock/{}", "!none:example.org"), 404, "M_NOT_FOUND"},
		{"MEMB-25 knock by alias", homeservertest.Path("/v3/knock/{}", "#none:example.org"), 404, "M_NOT_FOUND"},
		{"MEMB-18 invite", homeservertest.Path("/v3/rooms/{}/invite", "!none:example.org"), 403, "M_FORBIDDEN"},
		{"MEMB-29 leave", homeservertest.Path("/v3/rooms/{}/leave", "!none:example.org"), 403, "M_FORBIDDEN"},
		{"MEMB-36 kick", homeservertest.Path("/v3/rooms/{}/kick", "!none:example.org"), 403, "M_FORBIDDEN"},
		{"MEMB-37 ban", homeservertest.Path("/v3/rooms/{}/ban", "!none:example.org"), 403, "M_FORBIDDEN"},
		{"MEMB-38 unban", homeservertest.Path("/v3/rooms/{}/unban", "!none:example.org"), 403, "M_FORBIDDEN"},
		{"MEMB-31 forget", homeservertest.Path("/v3/rooms/{}/forget", "!none:example.org"), 403, "M_FORBIDDEN"},
	} {
		alice.Do(t, "POST", tt.path, map[string]any{"user_id": "@bob:example.org"}).WantError(tt.status, tt.code)
	}
}

// GET joined_rooms lists the rooms that the user is in and no others (MEMB-40).
func TestJoinedRooms(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	if got := bob.Get(t, "/v3/joined_rooms").Raw; got != `{"joined_rooms":[]}` {
		t.Errorf("at first %s", got)
	}
	rooms := map[string]events.RoomID{}
	for _, name := range []string{"joined", "invited", "left", "banned", "knocking", "apart"} {
		rooms[name] = alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
	}
	act(t, alice, bob, rooms["knocking"], "knock", false).Want(200)
	act(t, alice, bob, rooms["banned"], "ban", false).Want(200)
	for _, name := range []string{"joined", "invited", "left"} {
		alice.Invite(t, rooms[name], bob.User)
	}
	bob.Join(t, rooms["joined"])
	bob.Join(t, rooms["left"])
	bob.Leave(t, rooms["left"])
	got := bob.Get(t, "/v3/joined_rooms").Get("joined_rooms").Array()
	if len(got) != 1 || got[0].Str != string(rooms["joined"]) {
		t.Errorf("bob is in %v, want %s", got, rooms["joined"])
	}
}

// Suspended users may leave and reject, and do nothing else (SEND-11, ADM-9).
func TestSuspendedMembers(t *testing.T) {
	t.Parallel()
	hs, st := storeOf(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	open := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	in := bob.CreateRoom(t, nil)
	invited := alice.CreateRoom(t, map[string]any{"invite": []any{bob.User}})
	knocking := alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
	bob = change(t, hs, st, bob.User, suspended)
	for _, tt := range []struct{ method, path, body string }{
		{"POST", homeservertest.Path("/v3/rooms/{}/join", open), `{}`},
		{"POST", homeservertest.Path("/v3/rooms/{}/join", invited), `{}`},
		{"POST", homeservertest.Path("/v3/knock/{}", knocking), `{}`},
		{"POST", homeservertest.Path("/v3/rooms/{}/invite", in), `{"user_id":"@alice:example.org"}`},
		{"POST", homeservertest.Path("/v3/rooms/{}/ban", in), `{"user_id":"@alice:example.org"}`},
		{"PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", open, bob.User), `{"membership":"join"}`},
		{"PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", in, alice.User), `{"membership":"invite"}`},
	} {
		bob.Do(t, tt.method, tt.path, tt.body).WantError(403, "M_USER_SUSPENDED")
	}
	bob.Leave(t, invited)
	bob.Put(t, homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}", in, bob.User), `{"membership":"leave"}`)
	if got := bob.Get(t, "/v3/joined_rooms").Get("joined_rooms").Raw; got != "[]" {
		t.Errorf("bob is in %s", got)
	}
	if got := membershipOf(t, alice, invited, bob.User); got != "leave" {
		t.Errorf("the invite is %q", got)
	}
}

// Suspended users may write where an administrator of the server reads it (ADM-10).
func TestSuspendedTalkToAdmins(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	bob, root := hs.User(t, "bob"), hs.User(t, "root")
	room := bob.CreateRoom(t, `{"preset":"public_chat"}`)
	if err := errors.Join(hs.SetSuspended(t.Context(), bob.User, true), hs.SetAdmin(t.Context(), root.User, true)); err != nil {
		t.Fatal(err)
	}
	send := func(txn string) *homeservertest.Response {
		return bob.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/send/m.room.message/{}", room, txn), `{"msgtype":"m.text","body":"why?"}`)
	}
	send("1").WantError(403, "M_USER_SUSPENDED")
	root.Join(t, room)
	send("2").Want(200)
	bob.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.topic/", room), `{"topic":"x"}`).WantError(403, "M_USER_SUSPENDED")
	root.Leave(t, room)
	send("3").WantError(403, "M_USER_SUSPENDED")
}

// A room is left by the last one too (MEMB-28).
func TestLastToLeave(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	alice.Sync(t)
	alice.Leave(t, room)
	if !homeservertest.HasRoom("leave", room)(alice.Sync(t)) {
		t.Error("alice is not told that she has left")
	}
	alice.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/join", room), `{}`).WantError(403, "M_FORBIDDEN")
}

// contentOf is the content of a user's member event.
func contentOf(t testing.TB, member *homeservertest.Client, room events.RoomID, user events.UserID) gjson.Result {
	t.Helper()
	return member.State(t, room, "m.room.member", string(user))
}
