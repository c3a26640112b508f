package homeserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// roomOf makes a public room of a version that others have joined.
func roomOf(t testing.TB, creator *homeservertest.Client, version string, others ...*homeservertest.Client) events.RoomID {
	t.Helper()
	room := creator.CreateRoom(t, map[string]any{"preset": "public_chat", "room_version": version})
	for _, other := range others {
		other.Join(t, room)
	}
	return room
}

// A redaction takes the content of its target and says so, whatever the version and
// the way it is sent.
func TestRedact(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	for _, version := range events.Versions() {
		t.Run("version "+version, func(t *testing.T) {
			t.Parallel()
			bob := *bob
			room := roomOf(t, alice, version, &bob)
			v, _ := events.LookupVersion(version)
			for name, redact := range map[string]func(events.EventID) string{
				"redact": func(id events.EventID) string { // REDACT-1
					return bob.Put(t, homeservertest.Path("/v3/rooms/{}/redact/{}/1", room, id), `{"reason":"spam"}`).Get("event_id").Str
				},
				"with the ID in the body": func(id events.EventID) string { // REDACT-5
					return bob.Put(t, homeservertest.Path("/v3/rooms/{}/redact/{}/1", room, id), map[string]any{"reason": "spam", "redacts": id}).Get("event_id").Str
				},
				"send": func(id events.EventID) string { // SEND-4
					return string(bob.Send(t, room, "m.room.redaction", map[string]any{"reason": "spam", "redacts": id}))
				},
			} {
				id := bob.Say(t, room, "secret") // REDACT-4: bob has no power
				bob.Sync(t)
				because := redact(id)
				told := bob.SyncUntil(t, homeservertest.HasEvent(room, events.EventID(because)))
				if events := homeservertest.Timeline(told, room); len(events) != 1 { // REDACT-14: and nothing else
					t.Errorf("%s: %s", name, told)
				}
				for from, e := range map[string]gjson.Result{
					"event":                  eventOf(t, alice, room, events.EventID(because)),
					"sync":                   homeservertest.Timeline(told, room)[0],
					"its target, as because": eventOf(t, alice, room, id).Get("unsigned.redacted_because"), // EVT-10, CLIENT-4
				} {
					if e.Get("event_id").Str != because || e.Get("type").Str != "m.room.redaction" || e.Get("sender").Str != string(bob.User) ||
						e.Get("redacts").Str != string(id) || e.Get("content.redacts").Str != string(id) || e.Get("content.reason").Str != "spam" { // REDACT-6
						t.Errorf("%s, %s: %s", name, from, e)
					}
				}
				raw := rawEvent(t, alice, room, because)
				atTop, inContent := raw.Get("redacts").Str == string(id), raw.Get("content.redacts").Exists()
				if atTop == v.RedactsInContent || inContent != v.RedactsInContent { // REDACT-5, EVT-16
					t.Errorf("%s: raw %s", name, raw)
				}
				// REDACT-9
				if e := eventOf(t, alice, room, id); e.Get("content").Raw != "{}" || e.Get("type").Str != "m.room.message" || e.Get("sender").Str != string(bob.User) {
					t.Errorf("%s: the target is %s", name, e)
				}
			}
			for from, answer := range everythingOf(t, alice, room) {
				if strings.Contains(answer, "secret") {
					t.Errorf("the content is still in %s: %s", from, answer)
				}
			}
		})
	}
}

// rawEvent returns an event of a joined room in the format of federation.
func rawEvent(t testing.TB, c *homeservertest.Client, room events.RoomID, id string) gjson.Result {
	t.Helper()
	filter := `{"event_format":"federation","room":{"timeline":{"limit":100}}}`
	answer := homeservertest.Room(c.Get(t, "/v3/sync?filter="+url.QueryEscape(filter)), "join", room)
	ids := homeservertest.Room(c.Get(t, "/v3/sync?filter="+url.QueryEscape(`{"room":{"timeline":{"limit":100}}}`)), "join", room)
	for i, e := range ids.Get("timeline.events").Array() {
		if e.Get("event_id").Str == id {
			return answer.Get("timeline.events").Array()[i]
		}
	}
	t.Fatalf("%s is not in the timeline", id)
	return gjson.Result{}
}

// everythingOf collects what the endpoints tell a member about a room, one answer a
// line.
func everythingOf(t testing.TB, c *homeservertest.Client, room events.RoomID) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, path := range []string{
		"/v3/rooms/{}/messages?dir=b&limit=1000", "/v3/rooms/{}/messages?dir=f&limit=1000", "/v3/rooms/{}/state",
		"/v3/rooms/{}/members", "/v3/rooms/{}/joined_members",
	} {
		all[path] = c.Get(t, homeservertest.Path(path, room)).Raw
	}
	fresh := *c
	fresh.Since = ""
	all["sync"] = homeservertest.Room(fresh.Sync(t), "join", room).Raw
	for _, e := range gjson.Get(all["/v3/rooms/{}/messages?dir=f&limit=1000"], "chunk").Array() {
		for _, path := range []string{"/v3/rooms/{}/event/{}", "/v3/rooms/{}/context/{}"} {
			all[path] += c.Get(t, homeservertest.Path(path, room, e.Get("event_id").Str)).Raw + "\n"
		}
	}
	return all
}

// Who may redact what (REDACT-2 to REDACT-4, REDACT-7, REDACT-8).
func TestRedactRefused(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol, dave := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol"), hs.User(t, "dave")
	for _, version := range []string{"1", "2", "3", "10", "11", "12"} {
		t.Run("version "+version, func(t *testing.T) {
			t.Parallel()
			room := roomOf(t, alice, version, bob, carol, dave)
			alice.SetState(t, room, "m.room.server_acl", "", `{"allow":["*"]}`)
			levels := alice.State(t, room, "m.room.power_levels", "").Value().(map[string]any)
			levels["users"].(map[string]any)[string(carol.User)] = 50
			levels["redact"], levels["events"] = 50, map[string]any{"m.room.redaction": 20}
			delete(levels["users"].(map[string]any), "@dave:example.org")
			alice.SetState(t, room, "m.room.power_levels", "", levels)
			daves := dave.Say(t, room, "dave's")
			alices := alice.Say(t, room, "alice's")
			elsewhere := alice.Say(t, alice.CreateRoom(t, nil), "elsewhere")
			left := roomOf(t, alice, version, bob)
			bobs := bob.Say(t, left, "bob's")
			bob.Leave(t, left)
			create, acl := "", ""
			for _, e := range alice.Get(t, homeservertest.Path("/v3/rooms/{}/state", room)).Array() {
				switch e.Get("type").Str {
				case "m.room.create":
					create = e.Get("event_id").Str
				case "m.room.server_acl":
					acl = e.Get("event_id").Str
				}
			}
			before := historyOf(t, alice, room)
			for _, tt := range []struct {
				says   string
				c      *homeservertest.Client
				room   events.RoomID
				target string
				body   string
				status int
				code   string
			}{
				{"REDACT-2 below the level of m.room.redaction", dave, room, string(daves), `{}`, 403, "M_FORBIDDEN"},
				{"REDACT-3 an event of another user of this server", bob, room, string(daves), `{}`, 403, "M_FORBIDDEN"},
				{"REDACT-7 in another room", alice, room, string(elsewhere), `{}`, 400, "M_INVALID_PARAM"},
				{"REDACT-7 unknown", alice, room, "$unknown", `{}`, 404, "M_NOT_FOUND"},
				{"REDACT-8 the create event", alice, room, create, `{}`, 403, "M_FORBIDDEN"},
				{"REDACT-8 the ACL", alice, room, acl, `{}`, 403, "M_FORBIDDEN"},
				{"REDACT-5 another event in the body", alice, room, string(alices), `{"redacts":"$other"}`, 400, "M_INVALID_PARAM"},
				{"REDACT-5 none in the body", alice, room, string(alices), `{"redacts":7}`, 400, "M_INVALID_PARAM"},
				{"not an event ID", alice, room, "hello", `{}`, 400, "M_INVALID_PARAM"},
				{"unknown room", alice, "!unknown:example.org", string(alices), `{}`, 403, "M_FORBIDDEN"},
				{"a room the user has left", bob, left, string(bobs), `{}`, 403, "M_FORBIDDEN"},
			} {
				answer := tt.c.Do(t, http.MethodPut, homeservertest.Path("/v3/rooms/{}/redact/{}/{}", tt.room, tt.target, tt.says), tt.body)
				t.Log(tt.says)
				answer.WantError(tt.status, tt.code)
			}
			// SEND-4: section REDACT applies in full.
			dave.Do(t, http.MethodPut, homeservertest.Path("/v3/rooms/{}/send/m.room.redaction/1", room), map[string]any{"redacts": daves}).WantError(403, "M_FORBIDDEN")
			alice.Do(t, http.MethodPut, homeservertest.Path("/v3/rooms/{}/send/m.room.redaction/2", room), map[string]any{"redacts": elsewhere}).WantError(400, "M_INVALID_PARAM")
			alice.Do(t, http.MethodPut, homeservertest.Path("/v3/rooms/{}/send/m.room.redaction/3", room), `{"reason":"x"}`).WantError(400, "M_MISSING_PARAM")
			alice.Do(t, http.MethodPut, homeservertest.Path("/v3/rooms/{}/send/m.room.redaction/4", room), `{"redacts":["$x"]}`).WantError(400, "M_MISSING_PARAM")
			same(t, "events afterwards", historyOf(t, alice, room), before)
			if got := eventOf(t, alice, room, daves).Get("content.body").Str; got != "dave's" {
				t.Errorf("the message is %q", got)
			}
			carol.Redact(t, room, daves) // REDACT-2: PL >= redact
			if got := eventOf(t, alice, room, daves).Get("content").Raw; got != "{}" {
				t.Errorf("the message is %s", got)
			}
		})
	}
}

// REDACT-4: without the power to redact others one may still redact one's own.
// REDACT-16: options that are in no specification are ignored.
func TestRedactOwn(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := roomOf(t, alice, "12", bob)
	levels := alice.State(t, room, "m.room.power_levels", "").Value().(map[string]any)
	levels["redact"] = 100
	alice.SetState(t, room, "m.room.power_levels", "", levels)
	id := bob.Say(t, room, "mine")
	path := homeservertest.Path("/v3/rooms/{}/redact/{}/t", room, id)
	first := bob.Put(t, path, `{"org.matrix.msc3912.with_relations":["m.thread"]}`).Get("event_id").Str
	if got := eventOf(t, alice, room, id).Get("content").Raw; got != "{}" {
		t.Errorf("the message is %s", got)
	}
	// REDACT-1, TXN-2
	before := historyOf(t, alice, room)
	if again := bob.Put(t, path, `{"reason":"other"}`).Get("event_id").Str; again != first {
		t.Errorf("again it is %s, not %s", again, first)
	}
	same(t, "events afterwards", historyOf(t, alice, room), before)
	// A second redaction is an event too; why it was redacted stays as it was.
	second := alice.Redact(t, room, id)
	if got := eventOf(t, alice, room, id).Get("unsigned.redacted_because.event_id").Str; got != first || second == events.EventID(first) {
		t.Errorf("redacted because of %s, not %s", got, first)
	}
}

// A redacted state event stays the state, without its content (REDACT-10), also where
// it is shown as the one before (REDACT-9, EVT-7).
func TestRedactState(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), `{"displayname":"Secret Bob"}`)
	for _, version := range []string{"1", "5", "6", "8", "9", "10", "11", "12"} {
		t.Run("version "+version, func(t *testing.T) {
			t.Parallel()
			room := roomOf(t, alice, version, bob)
			topic := alice.SetState(t, room, "m.room.topic", "", `{"topic":"Secret topic"}`)
			alice.Redact(t, room, topic)
			if got := alice.State(t, room, "m.room.topic", "").Raw; got != "{}" {
				t.Errorf("the topic is %s", got)
			}
			next := alice.SetState(t, room, "m.room.topic", "", `{"topic":"Tea"}`)
			if e := eventOf(t, alice, room, next); e.Get("unsigned.prev_content").Raw != "{}" || e.Get("unsigned.replaces_state").Str != string(topic) {
				t.Errorf("the next topic: %s", e)
			}
			name := alice.SetState(t, room, "m.room.name", "", `{"name":"Secret name"}`)
			later := alice.SetState(t, room, "m.room.name", "", `{"name":"Later"}`)
			alice.Redact(t, room, name)
			if e := eventOf(t, alice, room, later); e.Get("unsigned.prev_content").Raw != "{}" || e.Get("content.name").Str != "Later" {
				t.Errorf("what has replaced it: %s", e)
			}

			join := alice.Get(t, homeservertest.Path("/v3/rooms/{}/state/m.room.member/{}?format=event", room, bob.User)).Get("event_id").Str
			alice.Redact(t, room, events.EventID(join))
			if got := membershipOf(t, alice, room, bob.User); got != "join" {
				t.Errorf("bob is %q", got)
			}
			if got := contentOf(t, alice, room, bob.User); got.Get("displayname").Exists() {
				t.Errorf("bob is still named: %s", got)
			}
			if got := alice.Get(t, homeservertest.Path("/v3/rooms/{}/joined_members", room)).Get("joined." + gjson.Escape(string(bob.User))).Raw; got != "{}" {
				t.Errorf("bob in joined_members: %s", got)
			}
			bob.Say(t, room, "still here")

			rules := alice.Get(t, homeservertest.Path("/v3/rooms/{}/state/m.room.join_rules/?format=event", room)).Get("event_id").Str
			alice.Redact(t, room, events.EventID(rules))
			if got := alice.State(t, room, "m.room.join_rules", "").Raw; got != `{"join_rule":"public"}` { // RVER-8
				t.Errorf("the join rules are %s", got)
			}
			for from, answer := range everythingOf(t, alice, room) {
				if strings.Contains(answer, "Secret") {
					t.Errorf("what was redacted is still in %s: %s", from, answer)
				}
			}
		})
	}
}

// REDACT-11: whoever redacts a redaction takes back its reason, and nothing comes back.
func TestRedactRedaction(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	for _, version := range []string{"10", "11", "12"} {
		room := roomOf(t, alice, version)
		id := alice.Say(t, room, "secret")
		topic := alice.SetState(t, room, "m.room.topic", "", `{"topic":"secret"}`)
		for _, target := range []events.EventID{id, topic} {
			because := events.EventID(alice.Put(t, homeservertest.Path("/v3/rooms/{}/redact/{}/1", room, target), `{"reason":"slander"}`).Get("event_id").Str)
			why := alice.Redact(t, room, because)
			e := eventOf(t, alice, room, because)
			if e.Get("content.reason").Exists() || e.Get("unsigned.redacted_because.event_id").Str != string(why) {
				t.Errorf("version %s: the redaction is %s", version, e)
			}
			if e = eventOf(t, alice, room, target); e.Get("content").Raw != "{}" || e.Get("unsigned.redacted_because.event_id").Str != string(because) {
				t.Errorf("version %s: its target is %s", version, e)
			}
		}
		for from, answer := range everythingOf(t, alice, room) {
			if strings.Contains(answer, "slander") || strings.Contains(answer, "secret") {
				t.Errorf("version %s: what was redacted is still in %s: %s", version, from, answer)
			}
		}
	}
}

// REDACT-15: administrators of the server may redact what others have said, where they
// may redact at all.
func TestRedactByAdministrator(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, admin := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "admin")
	for _, version := range []string{"1", "12"} {
		room := roomOf(t, alice, version, bob, admin)
		id := bob.Say(t, room, "spam")
		path := homeservertest.Path("/v3/rooms/{}/redact/{}/1", room, id)
		if err := hs.SetAdmin(t.Context(), admin.User, false); err != nil {
			t.Fatal(err)
		}
		admin.Do(t, http.MethodPut, path, `{}`).WantError(403, "M_FORBIDDEN")
		if err := hs.SetAdmin(t.Context(), admin.User, true); err != nil {
			t.Fatal(err)
		}
		admin.Put(t, path, `{}`)
		if got := eventOf(t, alice, room, id).Get("content").Raw; got != "{}" {
			t.Errorf("version %s: the message is %s", version, got)
		}
		other := roomOf(t, alice, version, bob)
		elsewhere := bob.Say(t, other, "not your business")
		admin.Do(t, http.MethodPut, homeservertest.Path("/v3/rooms/{}/redact/{}/1", other, elsewhere), `{}`).WantError(403, "M_FORBIDDEN")
	}
}
