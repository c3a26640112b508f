package homeserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func statePath(room events.RoomID, typ, key string) string {
	return homeservertest.Path("/v3/rooms/{}/state/{}/{}", room, typ, key)
}

func TestState(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := roomOf(t, alice, "12", bob)
	for _, tt := range []struct{ typ, key, content string }{
		{"m.room.topic", "", `{"topic":"Tea"}`},
		{"m.room.name", "", `{"name":7}`}, // EVT-12
		{"org.example.type", "key", `{}`},
		{"org.example.type", "", `{"a":[]}`},
		{"org.example.type", "a/b c+d%?#é", `{"of":"an odd key"}`}, // EVT-33
		{"org/example", "/", `{"of":"slashes"}`},
		{"org.example.type", " ", `{}`},
		{"org.example.type", string(alice.User), `{}`},
		{"m.room.member", string(alice.User), `{"displayname":"A","membership":"join"}`},
	} {
		id := alice.Put(t, statePath(room, tt.typ, tt.key), tt.content).Get("event_id").Str // STATE-6
		for _, c := range []*homeservertest.Client{alice, bob} {
			if got := c.Get(t, statePath(room, tt.typ, tt.key)); !sameJSON(got, gjson.Parse(tt.content)) { // STATE-2
				t.Errorf("%s %q: %s", tt.typ, tt.key, got)
			}
			if got := c.Get(t, statePath(room, tt.typ, tt.key)+"?format=content"); !sameJSON(got, gjson.Parse(tt.content)) {
				t.Errorf("%s %q: %s", tt.typ, tt.key, got)
			}
			e := c.Get(t, statePath(room, tt.typ, tt.key)+"?format=event") // STATE-2
			if e.Get("event_id").Str != id || e.Get("type").Str != tt.typ || e.Get("state_key").Type != gjson.String || e.Get("state_key").Str != tt.key ||
				e.Get("room_id").Str != string(room) || e.Get("sender").Str != string(alice.User) || !sameJSON(e.Get("content"), gjson.Parse(tt.content)) ||
				e.Get("unsigned.membership").Str != "join" { // EVT-2, EVT-3
				t.Errorf("%s %q: %s", tt.typ, tt.key, e)
			}
			if got := eventOf(t, c, room, events.EventID(id)).Get("state_key"); got.Type != gjson.String || got.Str != tt.key {
				t.Errorf("%s %q: its event has the key %s", tt.typ, tt.key, got.Raw)
			}
			found := 0
			for _, e := range c.Get(t, homeservertest.Path("/v3/rooms/{}/state", room)).Array() { // STATE-1
				if e.Get("event_id").Str == id && e.Get("room_id").Str == string(room) && e.Get("state_key").Str == tt.key {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%s %q: %d times in the state", tt.typ, tt.key, found)
			}
		}
	}
	for _, format := range []string{"x", "Event", "content,event"} { // STATE-2
		alice.Do(t, "GET", statePath(room, "m.room.topic", "")+"?format="+format, nil).WantError(400, "M_INVALID_PARAM")
	}
	for _, path := range []string{ // STATE-4
		statePath(room, "m.room.avatar", ""), statePath(room, "m.room.topic", "x"), statePath(room, "M.room.topic", ""),
		statePath(room, "m.room.member", "@nobody:example.org"), statePath(room, "m.room.message", ""),
	} {
		alice.Do(t, "GET", path, nil).WantError(404, "M_NOT_FOUND")
	}
}

// STATE-3, STATE-7: the empty state key with and without a slash, and no more than
// that.
func TestStatePaths(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := roomOf(t, alice, "12")
	for i, version := range []string{"v3", "r0"} {
		base := homeservertest.Path("/"+version+"/rooms/{}/state/m.room.topic", room)
		for j, end := range []string{"", "/"} {
			content := fmt.Sprintf(`{"topic":"%d%d"}`, i, j)
			alice.Put(t, base+end, content)
			for _, end := range []string{"", "/"} {
				if got := alice.Get(t, base+end).Raw; got != content {
					t.Errorf("%s%s: %s, want %s", base, end, got, content)
				}
			}
		}
		for _, end := range []string{"", "/", "/key"} {
			alice.Do(t, http.MethodPost, base+end, `{}`).WantError(405, "M_UNRECOGNIZED")
			alice.Do(t, http.MethodDelete, base+end, nil).WantError(405, "M_UNRECOGNIZED")
		}
		for _, end := range []string{"/key/txn", "//", "/key/"} {
			alice.Do(t, http.MethodPut, base+end, `{}`).WantError(404, "M_UNRECOGNIZED")
			alice.Do(t, http.MethodGet, base+end, nil).WantError(404, "M_UNRECOGNIZED")
		}
		alice.Do(t, http.MethodPost, homeservertest.Path("/"+version+"/rooms/{}/state", room), `{}`).WantError(405, "M_UNRECOGNIZED")
	}
}

// Who may read the state, and which (STATE-1, STATE-4, STATE-5, VIS-7).
func TestStateReaders(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	for _, visibility := range []string{"joined", "invited", "shared", "world_readable"} {
		t.Run(visibility, func(t *testing.T) {
			t.Parallel()
			people := map[string]*homeservertest.Client{}
			for _, name := range []string{"member", "stranger", "invited", "knocking", "left", "kicked", "banned", "returning", "rejected", "outlaw"} {
				people[name] = hs.User(t, name+visibility)
			}
			room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "initial_state": []any{
				map[string]any{"type": "m.room.history_visibility", "content": map[string]any{"history_visibility": visibility}},
			}})
			act := func(what, whom string) {
				alice.Post(t, homeservertest.Path("/v3/rooms/{}/{}", room, what), map[string]any{"user_id": people[whom].User})
			}
			for _, name := range []string{"left", "kicked", "banned", "returning"} {
				people[name].Join(t, room)
			}
			alice.SetState(t, room, "m.room.topic", "", `{"topic":"then"}`)
			people["left"].Leave(t, room)
			people["returning"].Leave(t, room)
			act("kick", "kicked")
			act("ban", "banned")
			act("ban", "outlaw")
			act("invite", "rejected")
			people["rejected"].Leave(t, room)
			alice.SetState(t, room, "m.room.topic", "", `{"topic":"now"}`)
			act("invite", "invited")
			act("invite", "returning")
			people["member"].Join(t, room)
			setRule(t, alice, room, `{"join_rule":"knock"}`)
			people["knocking"].Post(t, homeservertest.Path("/v3/knock/{}", room), `{}`)
			for name, want := range map[string]string{
				"member": "now", "stranger": "", "invited": "", "knocking": "", "left": "then", "kicked": "then", "banned": "then",
				"returning": "", "rejected": "", "outlaw": "",
			} {
				if visibility == "world_readable" {
					want = "now"
				}
				c := people[name]
				if want == "" {
					c.Do(t, "GET", statePath(room, "m.room.topic", ""), nil).WantError(403, "M_FORBIDDEN")
					c.Do(t, "GET", statePath(room, "m.room.none", ""), nil).WantError(403, "M_FORBIDDEN")
					c.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/state", room), nil).WantError(403, "M_FORBIDDEN")
					continue
				}
				if got := c.State(t, room, "m.room.topic", "").Get("topic").Str; got != want {
					t.Errorf("%s reads the topic %q, want %q", name, got, want)
				}
				all := map[string]gjson.Result{}
				for _, e := range c.Get(t, homeservertest.Path("/v3/rooms/{}/state", room)).Array() {
					all[e.Get("type").Str+"/"+e.Get("state_key").Str] = e
				}
				if got := all["m.room.topic/"].Get("content.topic").Str; got != want {
					t.Errorf("%s reads the topic %q in the state, want %q", name, got, want)
				}
				if _, knocks := all["m.room.member/"+string(people["knocking"].User)]; knocks != (want == "now") {
					t.Errorf("%s sees who knocked later: %v", name, knocks)
				}
				if len(all) < 8 || !all["m.room.create/"].Exists() { // VIS-7: what was set before they came, too
					t.Errorf("%s sees the state %v", name, all)
				}
				c.Do(t, "GET", statePath(room, "m.room.none", ""), nil).WantError(404, "M_NOT_FOUND")
			}
		})
	}
	alice.Do(t, "GET", statePath("!unknown:example.org", "m.room.topic", ""), nil).WantError(403, "M_FORBIDDEN")
	alice.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/state", "!unknown:example.org"), nil).WantError(403, "M_FORBIDDEN")
}

// STATE-8: what is the state already is not written again.
func TestStateAgain(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "power_level_content_override": map[string]any{"state_default": 0, "events": map[string]any{}}})
	bob.Join(t, room)
	first := alice.SetState(t, room, "m.room.topic", "", `{"a":1,"topic":"Tea"}`)
	before := historyOf(t, alice, room)
	if again := alice.SetState(t, room, "m.room.topic", "", ` { "topic" : "\u0054ea" , "a":1 } `); again != first {
		t.Errorf("again it is %s, not %s", again, first)
	}
	same(t, "events afterwards", historyOf(t, alice, room), before)
	seen := map[events.EventID]string{first: "the first"}
	for _, tt := range []struct {
		says string
		id   events.EventID
	}{
		{"of another sender", bob.SetState(t, room, "m.room.topic", "", `{"a":1,"topic":"Tea"}`)},
		{"of the first sender again", alice.SetState(t, room, "m.room.topic", "", `{"a":1,"topic":"Tea"}`)},
		{"another content", alice.SetState(t, room, "m.room.topic", "", `{"a":2,"topic":"Tea"}`)},
		{"back again", alice.SetState(t, room, "m.room.topic", "", `{"a":1,"topic":"Tea"}`)},
		{"another key", alice.SetState(t, room, "m.room.topic", "x", `{"a":1,"topic":"Tea"}`)},
	} {
		if was, ok := seen[tt.id]; ok {
			t.Errorf("%s is the same event as %s", tt.says, was)
		}
		seen[tt.id] = tt.says
	}
	bob.Leave(t, room)
	bob.Do(t, "PUT", statePath(room, "m.room.topic", ""), `{"a":1,"topic":"Tea"}`).WantError(403, "M_FORBIDDEN")
}

// What may not be set, and that nothing is.
func TestStateRefused(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	deep := strings.Repeat(`{"a":`, 200) + `1` + strings.Repeat(`}`, 200)
	for _, version := range []string{"1", "5", "6", "10", "11", "12"} {
		t.Run("version "+version, func(t *testing.T) {
			t.Parallel()
			room := roomOf(t, alice, version, bob)
			other := roomOf(t, alice, version)
			before, state := historyOf(t, alice, room), alice.Get(t, homeservertest.Path("/v3/rooms/{}/state", room)).Array()
			strict := version != "1" && version != "5"
			for _, tt := range []struct {
				says       string
				c          *homeservertest.Client
				typ, key   string
				body       string
				status     int
				code       string
				strictOnly bool
			}{
				{"STATE-6 not JSON", alice, "m.room.topic", "", `{"topic":`, 400, "M_NOT_JSON", false},
				{"STATE-6 no body", alice, "m.room.topic", "", ``, 400, "M_NOT_JSON", false},
				{"STATE-6 a list", alice, "m.room.topic", "", `[]`, 400, "M_BAD_JSON", false},
				{"STATE-6 text", alice, "m.room.topic", "", `"x"`, 400, "M_BAD_JSON", false},
				{"STATE-6 null", alice, "m.room.topic", "", `null`, 400, "M_BAD_JSON", false},
				{"STATE-6 no permission", bob, "m.room.topic", "", `{}`, 403, "M_FORBIDDEN", false},
				{"STATE-6 not a member", carol, "m.room.topic", "", `{}`, 403, "M_FORBIDDEN", false},
				{"AUTHZ-26 another's key", alice, "org.example", string(bob.User), `{}`, 403, "M_FORBIDDEN", false},
				{"STATE-9 create", alice, "m.room.create", "", `{"creator":"@alice:example.org"}`, 403, "M_FORBIDDEN", false},
				{"STATE-9 create with a key", alice, "m.room.create", "x", `{}`, 403, "M_FORBIDDEN", false},
				{"STATE-12 levels are text", alice, "m.room.power_levels", "", `{"ban":"50"}`, 400, "M_BAD_JSON", false},
				{"STATE-12 levels are floats", alice, "m.room.power_levels", "", `{"ban":50.5}`, 400, "M_BAD_JSON", false},
				{"STATE-12 levels are objects", alice, "m.room.power_levels", "", `{"users":{"@alice:example.org":{}}}`, 400, "M_BAD_JSON", false},
				{"STATE-12 users are a list", alice, "m.room.power_levels", "", `{"users":[]}`, 400, "M_BAD_JSON", false},
				{"STATE-12 events are text", alice, "m.room.power_levels", "", `{"events":{"m.room.name":"50"}}`, 400, "M_BAD_JSON", false},
				{"STATE-12 too large a level", alice, "m.room.power_levels", "", `{"kick":9007199254740992}`, 400, "M_BAD_JSON", true},
				{"STATE-13 a room that replaces itself", alice, "m.room.tombstone", "", fmt.Sprintf(`{"body":"x","replacement_room":%q}`, room), 400, "M_INVALID_PARAM", false},
				{"STATE-14 membership is no text", alice, "m.room.member", string(carol.User), `{"membership":1}`, 400, "M_BAD_JSON", false},
				{"STATE-14 no membership", alice, "m.room.member", string(carol.User), `{}`, 400, "M_BAD_JSON", false},
				{"STATE-10 bad alias", alice, "m.room.canonical_alias", "", `{"alias":"tea"}`, 400, "M_INVALID_PARAM", false},
				{"STATE-10 unknown alias", alice, "m.room.canonical_alias", "", `{"alt_aliases":["#none:example.org"]}`, 400, "M_BAD_ALIAS", false},
				{"EVT-26, EVT-27 a float", alice, "m.room.topic", "", `{"topic":1.5}`, 400, "M_BAD_JSON", true},
				{"EVT-26, EVT-27 an exponent", alice, "m.room.topic", "", `{"topic":1e3}`, 400, "M_BAD_JSON", true},
				{"EVT-27 a huge integer", alice, "m.room.topic", "", `{"topic":9007199254740992}`, 400, "M_BAD_JSON", true},
				{"EVT-28 not a number", alice, "m.room.topic", "", `{"topic":NaN}`, 400, "M_NOT_JSON", false},
				{"deep nesting", alice, "m.room.topic", "", deep, 400, "M_BAD_JSON", false},
				{"EVT-31 long key", alice, "org.example", strings.Repeat("k", 256), `{}`, 413, "M_TOO_LARGE", false},
				{"EVT-31 long key in bytes", alice, "org.example", strings.Repeat("é", 128), `{}`, 413, "M_TOO_LARGE", false},
				{"EVT-31 long type", alice, strings.Repeat("t", 256), "", `{}`, 413, "M_TOO_LARGE", false},
				{"EVT-30 large event", alice, "org.example", "", `{"x":"` + strings.Repeat("x", 65536) + `"}`, 413, "M_TOO_LARGE", false},
			} {
				if tt.strictOnly && !strict {
					continue
				}
				answer := tt.c.Do(t, http.MethodPut, statePath(room, tt.typ, tt.key), tt.body)
				if code := gjson.GetBytes(answer.Body, "errcode").Str; answer.Status != tt.status || code != tt.code {
					t.Errorf("%s: %d %s, want %d %s: %s", tt.says, answer.Status, code, tt.status, tt.code, answer.Body)
				}
			}
			if version == "12" { // STATE-12, RVER-18
				alice.Do(t, http.MethodPut, statePath(room, "m.room.power_levels", ""), `{"users":{"@alice:example.org":100}}`).WantError(400, "M_BAD_JSON")
			}
			same(t, "events afterwards", historyOf(t, alice, room), before)
			same(t, "state afterwards", len(alice.Get(t, homeservertest.Path("/v3/rooms/{}/state", room)).Array()), len(state))
			if loose := `{"list":[1.5,1e3,9007199254740993,-0.0]}`; !strict { // EVT-27
				alice.SetState(t, room, "org.example", "", loose)
				if got := alice.State(t, room, "org.example", "").Raw; got != loose {
					t.Errorf("stored %s, want %s", got, loose)
				}
			}
			alice.SetState(t, room, "m.room.tombstone", "", map[string]any{"body": "moved", "replacement_room": other})
			alice.SetState(t, room, strings.Repeat("t", 255), strings.Repeat("k", 255), `{}`)
		})
	}
}

// Server ACLs and policy rules are state like any other (ACL-1 to ACL-7).
func TestPolicies(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := roomOf(t, alice, "12", bob)
	set := func(c *homeservertest.Client, typ, key, content string) {
		t.Helper()
		c.SetState(t, room, typ, key, content)
		if got := bob.State(t, room, typ, key); !sameJSON(got, gjson.Parse(content)) {
			t.Errorf("%s %s is %s", typ, key, got)
		}
	}
	bob.Do(t, "PUT", statePath(room, "m.room.server_acl", ""), `{"allow":["*"]}`).WantError(403, "M_FORBIDDEN") // ACL-1
	set(alice, "m.room.server_acl", "", `{"allow":["*"],"allow_ip_literals":false,"deny":["*.evil.example"]}`)
	set(alice, "m.room.server_acl", "", `{"deny":["*"],"allow":[]}`) // ACL-2
	bob.Say(t, room, "still here")
	carol := hs.User(t, "carol")
	carol.Join(t, room)
	// ACL-3, ACL-4: a policy server elsewhere has nobody here and no say, so that nothing
	// has to be signed (ACL-5).
	set(alice, "m.room.policy", "", `{"via":"policy.example","public_keys":{"ed25519":"6yhHGKhCiXTSEN2ksjV7kX_N6rBQZ3Xb-M7LlC6NS-s"}}`)
	bob.Say(t, room, "nobody has signed this")
	set(alice, "m.room.policy", "other", `{"via":7}`)
	for _, typ := range []string{"m.policy.rule.user", "m.policy.rule.room", "m.policy.rule.server"} { // ACL-6
		for _, key := range []string{"", "rule1", "!room:example.com", "*", "a/b", string(alice.User)} { // ACL-7
			set(alice, typ, key, `{"entity":"*example.com","reason":"spam","recommendation":"m.ban"}`)
		}
		alice.Do(t, "PUT", statePath(room, typ, "@spam:example.com"), `{}`).WantError(403, "M_FORBIDDEN")
	}
	bob.Say(t, room, "no rule of a list binds anybody here")
}
