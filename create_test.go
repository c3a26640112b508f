package homeserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// everything is the timeline of a joined room from the beginning, as a first sync
// tells it.
func everything(t testing.TB, c *homeservertest.Client, room events.RoomID) []gjson.Result {
	t.Helper()
	fresh := *c
	fresh.Since = ""
	sync := fresh.Get(t, `/v3/sync?filter=%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:1000%7D%7D%7D`)
	return homeservertest.Timeline(sync, room)
}

// kinds names events by type and, where there is one, state key.
func kinds(list []gjson.Result) (names []string) {
	for _, e := range list {
		name := strings.TrimPrefix(e.Get("type").Str, "m.room.")
		if key := e.Get("state_key").Str; key != "" {
			name += " " + strings.TrimSuffix(key, ":example.org")
		}
		names = append(names, name)
	}
	return names
}

// storeOf starts a server whose store the test can reach.
func storeOf(t testing.TB, options ...homeserver.Option) (*homeservertest.Server, store.Store) {
	t.Helper()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	return homeservertest.New(t, append(options, homeserver.WithStore(st))...), st
}

// change changes an account behind the server's back and signs the user in on a new
// device, whose session knows of it.
func change(t testing.TB, hs *homeservertest.Server, st store.Store, user events.UserID, how func(*store.User)) *homeservertest.Client {
	t.Helper()
	err := st.Update(t.Context(), func(tx store.Tx) error {
		u, err := tx.User(user)
		if err != nil {
			return err
		}
		how(&u)
		return tx.UpdateUser(u)
	})
	if err != nil {
		t.Fatal(err)
	}
	return hs.Login(t, user.Localpart())
}

func suspended(u *store.User) { u.Suspended = true }

// A room begins with its events in this order (CREATE-3), all of them there when the
// answer comes (CREATE-1, CREATE-32).
func TestCreateOrder(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	hs.User(t, "carol")
	for _, version := range events.Versions() {
		answer := alice.Post(t, "/v3/createRoom", `{
			"room_version": "`+version+`", "preset": "public_chat", "visibility": "private", "room_alias_name": "tea`+version+`",
			"name": "Tea", "topic": "<Cups>", "invite": ["@carol:example.org", "@bob:example.org", "@carol:example.org"], "is_direct": true,
			"creation_content": {"type": "m.space", "m.federate": false, "room_version": "7", "creator": "@bob:example.org"},
			"initial_state": [
				{"type": "m.room.encryption", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
				{"type": "m.room.name", "content": {"name": "Coffee"}},
				{"type": "m.room.topic", "content": {"topic": "Mugs"}},
				{"type": "m.room.topic", "state_key": "other", "content": {"topic": "Glasses"}},
				{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}
			]}`)
		room := events.RoomID(answer.Get("room_id").Str)
		got := everything(t, alice, room)
		if diff := cmp.Diff([]string{
			"create", "member @alice", "power_levels", "canonical_alias", "history_visibility", "guest_access",
			"encryption", "topic other", "join_rules", "name", "topic", "member @carol", "member @bob",
		}, kinds(got)); diff != "" {
			t.Errorf("version %s: the room begins otherwise (-want +got):\n%s", version, diff)
			continue
		}
		content := func(i int) string { return got[i].Get("content").Raw }
		creator := map[bool]string{true: `"creator":"@alice:example.org",`, false: `"creator":"@bob:example.org",`}
		old := !slices.Contains([]string{"11", "12"}, version)
		for i, want := range map[int]string{
			0:  `{` + creator[old] + `"m.federate":false,"room_version":"` + version + `","type":"m.space"}`, // CREATE-22, CREATE-24
			1:  `{"displayname":"alice","membership":"join"}`,
			3:  `{"alias":"#tea` + version + `:example.org"}`, // CREATE-25
			4:  `{"history_visibility":"shared"}`,             // CREATE-11
			5:  `{"guest_access":"forbidden"}`,
			8:  `{"join_rule":"knock"}`,                                        // CREATE-12
			9:  `{"name":"Tea"}`,                                               // CREATE-13
			10: `{"m.topic":{"m.text":[{"body":"<Cups>"}]},"topic":"<Cups>"}`,  // CREATE-14
			12: `{"displayname":"bob","is_direct":true,"membership":"invite"}`, // CREATE-28
		} {
			if content(i) != want {
				t.Errorf("version %s: %s has %s, want %s", version, kinds(got)[i], content(i), want)
			}
		}
		found := alice.Get(t, homeservertest.Path("/v3/directory/room/{}", "#tea"+version+":example.org"))
		if found.Get("room_id").Str != string(room) {
			t.Errorf("version %s: the alias names %s", version, found)
		}
		if version == "12" && string(room[1:]) != got[0].Get("event_id").Str[1:] { // RVER-14
			t.Errorf("the room %s has the create event %s", room, got[0].Get("event_id"))
		}
		if !homeservertest.HasRoom("invite", room)(bob.Sync(t)) {
			t.Errorf("version %s: bob is not told of the invite", version)
		}
	}
}

// What a room begins with, by what is asked for.
func TestCreate(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	hs.User(t, "bob")
	const (
		join, history, guests, levels, create = "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access", "m.room.power_levels", "m.room.create"

		trusted = `"preset":"trusted_private_chat","invite":["@bob:example.org","@bob:example.org"]`
	)
	for _, tt := range []struct {
		name, versions, body string
		typ, path, want      string // want "" is: absent
	}{
		{"CREATE-2 no key is required", "1-12", ``, join, "join_rule", `"invite"`},
		{"CREATE-7 visibility public", "12", `"visibility":"public"`, join, "join_rule", `"public"`},
		{"CREATE-7 visibility private", "12", `"visibility":"private"`, join, "join_rule", `"invite"`},
		{"CREATE-27 the preset decides", "12", `"visibility":"public","preset":"private_chat"`, join, "join_rule", `"invite"`},
		{"CREATE-8 history", "12", `"preset":"private_chat"`, history, "history_visibility", `"shared"`},
		{"CREATE-8 guests", "12", `"preset":"private_chat"`, guests, "guest_access", `"can_join"`},
		{"CREATE-9 join rule", "1-12", trusted, join, "join_rule", `"invite"`},
		{"CREATE-9 history", "12", trusted, history, "history_visibility", `"shared"`},
		{"CREATE-9 guests", "12", trusted, guests, "guest_access", `"can_join"`},
		{"CREATE-9 levels", "1-11", trusted, levels, "users", `{"@alice:example.org":100,"@bob:example.org":100}`},
		{"CREATE-10 levels", "12", trusted, levels, "users", `{}`},
		{"CREATE-10 creators", "12", trusted, create, "additional_creators", `["@bob:example.org"]`},
		{
			"CREATE-10 creators are merged", "12",
			trusted + `,"creation_content":{"additional_creators":["@zoe:far.example","@bob:example.org"]}`,
			create, "additional_creators", `["@zoe:far.example","@bob:example.org"]`,
		},
		{"CREATE-10 not before", "1-11", trusted, create, "additional_creators", ``},
		{"CREATE-11 join rule", "12", `"preset":"public_chat"`, join, "join_rule", `"public"`},
		{"CREATE-11 history", "12", `"preset":"public_chat"`, history, "history_visibility", `"shared"`},
		{"CREATE-11 guests", "12", `"preset":"public_chat"`, guests, "guest_access", `"forbidden"`},
		{
			"CREATE-12 initial state replaces", "12", `"initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":"joined"}}]`,
			history, "history_visibility", `"joined"`,
		},
		{"CREATE-13 initial name", "12", `"initial_state":[{"type":"m.room.name","content":{"name":"A"}}]`, "m.room.name", "name", `"A"`},
		{"CREATE-13 name overrides", "12", `"name":"B","initial_state":[{"type":"m.room.name","content":{"name":"A"}}]`, "m.room.name", "name", `"B"`},
		{"CREATE-13 topic overrides", "12", `"topic":"B","initial_state":[{"type":"m.room.topic","content":{"topic":"A"}}]`, "m.room.topic", "topic", `"B"`},
		{"CREATE-14 topic", "12", `"topic":"B"`, "m.room.topic", "m\\.topic.m\\.text", `[{"body":"B"}]`},
		{
			"CREATE-15 initial power levels", "1-11",
			`"initial_state":[{"type":"m.room.power_levels","content":{"users":{"@alice:example.org":70}}}]`,
			levels, "@this", `{"users":{"@alice:example.org":70}}`,
		},
		{"CREATE-16 defaults", "1-12", ``, levels, "[users_default,events_default,state_default,ban,kick,redact,invite]", `[0,0,50,50,50,50,0]`},
		{
			"CREATE-16 events", "1-11", ``, levels, "events", `{"m.room.avatar":50,"m.room.canonical_alias":50,"m.room.encryption":100,` +
				`"m.room.history_visibility":100,"m.room.name":50,"m.room.power_levels":100,"m.room.server_acl":100,"m.room.tombstone":100}`,
		},
		{"CREATE-17 users", "1-11", ``, levels, "users", `{"@alice:example.org":100}`},
		{"CREATE-17 users", "12", ``, levels, "users", `{}`},
		{"CREATE-18 tombstone", "12", ``, levels, "events.m\\.room\\.tombstone", `150`},
		{
			"CREATE-19 override", "1-11", `"power_level_content_override":{"invite":20,"users":{"@alice:example.org":200},"x":{"y":1}}`,
			levels, "[invite,kick,users,x]", `[20,50,{"@alice:example.org":200},{"y":1}]`,
		},
		{
			"CREATE-19 override of initial power levels", "1-11", `"power_level_content_override":{"invite":20},` +
				`"initial_state":[{"type":"m.room.power_levels","content":{"users":{"@alice:example.org":100},"invite":1}}]`,
			levels, "@this", `{"invite":20,"users":{"@alice:example.org":100}}`,
		},
		{"CREATE-19 override of events", "12", `"power_level_content_override":{"events":{"a":1}}`, levels, "events", `{"a":1}`},
		{"CREATE-20 override without the creator", "12", `"power_level_content_override":{"users":{"@bob:example.org":9}}`, levels, "users", `{"@bob:example.org":9}`},
		{"CREATE-22 creator", "1-10", `"creation_content":{"creator":"@bob:example.org"}`, create, "creator", `"@alice:example.org"`},
		{"CREATE-22 no creator", "11-12", ``, create, "creator", ``},
		{"CREATE-22 other keys", "1-12", `"creation_content":{"org.example.x":{"b":[],"a":null}}`, create, `org\.example\.x`, `{"a":null,"b":[]}`},
		{"CREATE-23 creators", "12", `"creation_content":{"additional_creators":["@zoe:far.example"]}`, create, "additional_creators", `["@zoe:far.example"]`},
		{"CREATE-24 type", "1-12", `"creation_content":{"type":"m.space"}`, create, "type", `"m.space"`},
		{"RVER-2 default version", "", ``, create, "room_version", `"12"`},
		{"RVER-20 meaningless creators", "1-11", `"creation_content":{"additional_creators":7}`, create, "additional_creators", `7`},
		{"EVT-27 loose JSON", "1-5", `"initial_state":[{"type":"x","content":{"n":1.5}}]`, "x", "n", `1.5`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, version := range versionsIn(tt.versions) {
				body := strings.TrimSuffix(`{"room_version":"`+version+`",`+tt.body, ",") + `}`
				if version == "" {
					body = `{` + tt.body + `}`
				}
				room := alice.CreateRoom(t, body)
				got := alice.State(t, room, tt.typ, "").Get(tt.path)
				if got.Raw != tt.want {
					t.Errorf("version %s: %s of %s is %s, want %s", version, tt.path, tt.typ, got.Raw, tt.want)
				}
			}
		})
	}
}

// versionsIn lists the room versions of a range such as "1-11"; "" is that of the
// default.
func versionsIn(span string) []string {
	if span == "" {
		return []string{""}
	}
	first, last, found := strings.Cut(span, "-")
	if !found {
		last = first
	}
	all := events.Versions()
	return all[slices.Index(all, first) : slices.Index(all, last)+1]
}

// The canonical alias of the initial state replaces the one that the server would set
// (CREATE-12, CREATE-25).
func TestCreateCanonicalAlias(t *testing.T) {
	t.Parallel()
	alice := homeservertest.New(t).User(t, "alice")
	room := alice.CreateRoom(t, `{"room_alias_name":"tea","initial_state":[
		{"type":"m.room.canonical_alias","content":{"alt_aliases":["#tea:example.org"]}}]}`)
	want := []string{"create", "member @alice", "power_levels", "join_rules", "history_visibility", "guest_access", "canonical_alias"}
	got := everything(t, alice, room)
	if diff := cmp.Diff(want, kinds(got)); diff != "" {
		t.Errorf("the room begins otherwise (-want +got):\n%s", diff)
	}
	if content := got[len(got)-1].Get("content").Raw; content != `{"alt_aliases":["#tea:example.org"]}` {
		t.Errorf("the canonical alias is %s", content)
	}
}

// Rooms that cannot be made are not made, nor any part of them (CREATE-5).
func TestCreateRefused(t *testing.T) {
	t.Parallel()
	hs, st := storeOf(t)
	alice, dave := hs.User(t, "alice"), hs.User(t, "dave")
	hs.User(t, "bob")
	eve := change(t, hs, st, hs.User(t, "eve").User, suspended)
	dave.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.invite_permission_config", dave.User), `{"default_action":"block"}`)
	dave.CreateRoom(t, `{"room_alias_name":"taken"}`)
	threepid := `{"id_server":"id.example","id_access_token":"t","medium":"email","address":"a@b.example"}`
	for _, tt := range []struct {
		name, versions, body string
		status               int
		code                 string
	}{
		{"CREATE-6 not JSON", "", `"name":`, 400, "M_NOT_JSON"},
		{"CREATE-6 name", "", `"name":7`, 400, "M_BAD_JSON"},
		{"CREATE-6 topic", "", `"topic":{}`, 400, "M_BAD_JSON"},
		{"CREATE-6 visibility", "", `"visibility":"secret"`, 400, "M_BAD_JSON"},
		{"CREATE-6 is_direct", "", `"is_direct":"yes"`, 400, "M_BAD_JSON"},
		{"CREATE-6 creation_content", "", `"creation_content":[]`, 400, "M_BAD_JSON"},
		{"CREATE-6 initial_state", "", `"initial_state":{}`, 400, "M_BAD_JSON"},
		{"CREATE-6 override", "", `"power_level_content_override":7`, 400, "M_BAD_JSON"},
		{"CREATE-12 type", "", `"initial_state":[{"content":{}}]`, 400, "M_MISSING_PARAM"},
		{"CREATE-12 content", "", `"initial_state":[{"type":"x"}]`, 400, "M_MISSING_PARAM"},
		{"CREATE-12 state_key", "", `"initial_state":[{"type":"x","state_key":7,"content":{}}]`, 400, "M_BAD_JSON"},
		{"CREATE-12 content is no object", "", `"initial_state":[{"type":"x","content":[]}]`, 400, "M_BAD_JSON"},
		{"CREATE-7 preset", "", `"preset":"party"`, 400, "M_BAD_JSON"},
		{"RVER-4 unknown version", "", `"room_version":"13"`, 400, "M_UNSUPPORTED_ROOM_VERSION"},
		{"RVER-4 no string", "", `"room_version":12`, 400, "M_BAD_JSON"},
		{"CREATE-4 a second create event", "1-12", `"initial_state":[{"type":"m.room.create","content":{}}]`, 400, "M_INVALID_ROOM_STATE"},
		{
			"CREATE-4 state beyond the creator's power", "1-11",
			`"power_level_content_override":{"users":{"@alice:example.org":40}}`, 400, "M_INVALID_ROOM_STATE",
		},
		{"CREATE-4 somebody else's key", "1-12", `"initial_state":[{"type":"x","state_key":"@bob:example.org","content":{}}]`, 400, "M_INVALID_ROOM_STATE"},
		{
			"CREATE-4 somebody else's join", "1-12",
			`"initial_state":[{"type":"m.room.member","state_key":"@bob:example.org","content":{"membership":"join"}}]`, 400, "M_INVALID_ROOM_STATE",
		},
		{"CREATE-4 inviting oneself", "1-12", `"invite":["@alice:example.org"]`, 400, "M_INVALID_ROOM_STATE"},
		{"STATE-10 initial alias", "12", `"initial_state":[{"type":"m.room.canonical_alias","content":{"alias":"#none:example.org"}}]`, 400, "M_BAD_ALIAS"},
		{"CREATE-20 override lists the creator", "12", `"power_level_content_override":{"users":{"@alice:example.org":100}}`, 400, "M_INVALID_ROOM_STATE"},
		{
			"CREATE-20 levels list a creator", "12", `"creation_content":{"additional_creators":["@bob:example.org"]},` +
				`"initial_state":[{"type":"m.room.power_levels","content":{"users":{"@bob:example.org":100}}}]`, 400, "M_INVALID_ROOM_STATE",
		},
		{"CREATE-21 override lacks the creator", "1-11", `"power_level_content_override":{"users":{"@bob:example.org":100}}`, 400, "M_INVALID_ROOM_STATE"},
		{"CREATE-21 whatever power that leaves", "1-11", `"power_level_content_override":{"users":{},"users_default":100}`, 400, "M_INVALID_ROOM_STATE"},
		{"RVER-13 level is a string", "1-12", `"power_level_content_override":{"ban":"50"}`, 400, "M_BAD_JSON"},
		{"RVER-13 level is a float", "1-5", `"power_level_content_override":{"ban":50.5}`, 400, "M_BAD_JSON"},
		{"CREATE-23 no array", "12", `"creation_content":{"additional_creators":"@bob:example.org"}`, 400, "M_INVALID_ROOM_STATE"},
		{"CREATE-23 no array, but invites", "12", `"creation_content":{"additional_creators":{}},"preset":"trusted_private_chat","invite":["@bob:example.org"]`, 400, "M_BAD_JSON"},
		{"CREATE-23 no user", "12", `"creation_content":{"additional_creators":["bob"]}`, 400, "M_INVALID_ROOM_STATE"},
		{"CREATE-23 no server", "12", `"creation_content":{"additional_creators":["@bob:not a server"]}`, 400, "M_INVALID_ROOM_STATE"},
		{"CREATE-26 taken", "1-12", `"room_alias_name":"taken"`, 400, "M_ROOM_IN_USE"},
		{"CREATE-26 white space", "", `"room_alias_name":"a b"`, 400, "M_INVALID_PARAM"},
		{"CREATE-26 tab", "", `"room_alias_name":"a\tb"`, 400, "M_INVALID_PARAM"},
		{"CREATE-26 colon", "", `"room_alias_name":"a:b"`, 400, "M_INVALID_PARAM"},
		{"CREATE-26 colon and port", "", `"room_alias_name":"a:1"`, 400, "M_INVALID_PARAM"},
		{"CREATE-29 invalid ID", "", `"room_alias_name":"free","invite":["@bob:example.org","bob"]`, 400, "M_INVALID_PARAM"},
		{"CREATE-29 no string", "", `"invite":[7]`, 400, "M_BAD_JSON"},
		{"MEMB-19 unknown user", "1-12", `"room_alias_name":"free","invite":["@nobody:example.org"]`, 404, "M_NOT_FOUND"},
		{"CREATE-30 invite blocked", "1-12", `"room_alias_name":"free","invite":["@bob:example.org","@dave:example.org"]`, 403, "M_INVITE_BLOCKED"}, // AMB-6, INVP-2
		{
			"INVP-2 invite blocked in initial state", "12", `"room_alias_name":"free",` +
				`"initial_state":[{"type":"m.room.member","state_key":"@dave:example.org","content":{"membership":"invite"}}]`, 403, "M_INVITE_BLOCKED",
		},
		{"CREATE-31 id_server", "", `"invite_3pid":[` + strings.Replace(threepid, "id_server", "x", 1) + `]`, 400, "M_MISSING_PARAM"},
		{"CREATE-31 id_access_token", "", `"invite_3pid":[` + strings.Replace(threepid, "id_access_token", "x", 1) + `]`, 400, "M_MISSING_PARAM"},
		{"CREATE-31 medium", "", `"invite_3pid":[` + strings.Replace(threepid, "medium", "x", 1) + `]`, 400, "M_MISSING_PARAM"},
		{"CREATE-31 address", "", `"invite_3pid":[` + strings.Replace(threepid, "address", "x", 1) + `]`, 400, "M_MISSING_PARAM"},
		{"MEMB-22 identity server", "", `"invite_3pid":[` + threepid + `]`, 400, "M_SERVER_NOT_TRUSTED"},
		{"too many invites", "", `"invite":[` + strings.Repeat(`"@bob:example.org",`, 1000) + `"@bob:example.org"]`, 400, "M_INVALID_PARAM"},
		{"too much state", "", `"initial_state":[` + strings.Repeat(`{"type":"x","content":{}},`, 1000) + `{"type":"x","content":{}}]`, 400, "M_INVALID_PARAM"},
		{"EVT-27 strict JSON", "6-12", `"initial_state":[{"type":"x","content":{"n":1.5}}]`, 400, "M_BAD_JSON"},
		{"EVT-27 strict create event", "6-12", `"creation_content":{"n":1e3}`, 400, "M_BAD_JSON"},
		{"EVT-30 too large", "1-12", `"topic":"` + strings.Repeat("x", 66000) + `"`, 413, "M_TOO_LARGE"},
		{"EVT-31 type too long", "1-12", `"initial_state":[{"type":"` + strings.Repeat("x", 256) + `","content":{}}]`, 413, "M_TOO_LARGE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, version := range versionsIn(tt.versions) {
				body := `{` + tt.body + `}`
				if version != "" {
					body = `{"room_version":"` + version + `",` + tt.body + `}`
				}
				alice.Do(t, "POST", "/v3/createRoom", body).WantError(tt.status, tt.code)
			}
		})
	}
	eve.Do(t, "POST", "/v3/createRoom", `{}`).WantError(403, "M_USER_SUSPENDED") // ADM-9
	hs.Anonymous().Do(t, "POST", "/v3/createRoom", `{}`).WantError(401, "M_MISSING_TOKEN")
	if rooms := alice.Get(t, "/v3/joined_rooms").Get("joined_rooms").Raw; rooms != "[]" {
		t.Errorf("CREATE-5: rooms are left: %s", rooms)
	}
	alice.Do(t, "GET", homeservertest.Path("/v3/directory/room/{}", "#free:example.org"), nil).WantError(404, "M_NOT_FOUND") // CREATE-5
	alice.CreateRoom(t, `{"room_alias_name":"free"}`)
}

// Creating rooms is limited (CREATE-1), as is joining them.
func TestCreateLimit(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, homeserver.WithRateLimit(homeserver.RateRooms, time.Hour, 2))
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	alice.CreateRoom(t, nil)
	alice.Do(t, "POST", "/v3/createRoom", `{}`).WantError(429, "M_LIMIT_EXCEEDED")
	alice.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/join", room), `{}`).WantError(429, "M_LIMIT_EXCEEDED")
}

// The host chooses the version of new rooms (RVER-2), and clients are told (RVER-1).
func TestDefaultVersion(t *testing.T) {
	t.Parallel()
	for want, options := range map[string][]homeserver.Option{
		"12": nil,
		"10": {homeserver.WithRoomVersion("9"), homeserver.WithRoomVersion("10")},
	} {
		alice := homeservertest.New(t, options...).User(t, "alice")
		room := alice.CreateRoom(t, nil)
		if got := alice.State(t, room, "m.room.create", "").Get("room_version").Str; got != want {
			t.Errorf("a room has version %s, want %s", got, want)
		}
		told := alice.Get(t, "/v3/capabilities").Get("capabilities.m\\.room_versions")
		if told.Get("default").Str != want {
			t.Errorf("the default is told to be %s, want %s", told.Get("default"), want)
		}
		for _, version := range events.Versions() {
			if told.Get("available."+version).Str != "stable" {
				t.Errorf("version %s is told to be %s", version, told.Get("available."+version))
			}
		}
		room = alice.CreateRoom(t, `{"room_version":"6"}`)
		if got := alice.State(t, room, "m.room.create", "").Get("room_version").Str; got != "6" {
			t.Errorf("a room of version 6 has version %s", got)
		}
	}
}

// Rooms made by one user at one time have different IDs (RVER-16).
func TestCreateSameMoment(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, homeserver.WithClock(stoppedClock()))
	alice := hs.User(t, "alice")
	rooms := map[events.RoomID]bool{}
	for range 20 {
		rooms[alice.CreateRoom(t, nil)] = true
	}
	if len(rooms) != 20 {
		t.Errorf("20 rooms have %d IDs", len(rooms))
	}
}

// A public room is in the directory, whatever its join rule (CREATE-27).
func TestCreatePublished(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	for body, want := range map[string]string{
		`{"visibility":"public"}`:                         "public",
		`{"visibility":"public","preset":"private_chat"}`: "public",
		`{"visibility":"private","preset":"public_chat"}`: "private",
		`{"preset":"public_chat"}`:                        "private",
	} {
		room := alice.CreateRoom(t, body)
		got := alice.Get(t, homeservertest.Path("/v3/directory/list/room/{}", room)).Get("visibility").Str
		if got != want {
			t.Errorf("%s makes a %s room, want %s", body, got, want)
		}
	}
}

// BenchmarkCreate is what one room costs, HTTP and all.
func BenchmarkCreate(b *testing.B) {
	srv := newServer(b, homeserver.WithoutRateLimits())
	token := registerFor(b, srv, "alice")
	b.ReportAllocs()
	for b.Loop() {
		w := serve(srv, "POST", "/_matrix/client/v3/createRoom", token, `{"preset":"public_chat","name":"Tea","topic":"Cups"}`)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}

func registerFor(b *testing.B, srv *homeserver.Server, name string) string {
	b.Helper()
	w := serve(srv, "POST", "/_matrix/client/v3/register", "",
		fmt.Sprintf(`{"auth":{"type":"m.login.dummy"},"username":%q,"password":"secret"}`, name))
	if w.Code != 200 {
		b.Fatal(w.Body)
	}
	return gjson.GetBytes(w.Body.Bytes(), "access_token").Str
}

func stoppedClock() func() time.Time {
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	return func() time.Time { return now }
}
