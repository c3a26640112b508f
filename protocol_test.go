package homeserver_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// EVT-20: however many send at once, each event has the one before it as its only
// predecessor, and its depth is one more (EVT-17).
func TestRoomsAreLinear(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	var wg sync.WaitGroup
	for i := range 8 {
		c := hs.User(t, fmt.Sprint("u", i))
		wg.Go(func() {
			c.Join(t, room)
			for range 10 {
				c.Say(t, room, "at once")
			}
		})
	}
	wg.Wait()
	ids := []string{}
	for _, e := range homeservertest.Room(syncWith(t, alice, "", `{"room":{"timeline":{"limit":1000}}}`), "join", room).Get("timeline.events").Array() {
		ids = append(ids, e.Get("event_id").Str)
	}
	raw := homeservertest.Room(syncWith(t, alice, "", `{"event_format":"federation","room":{"timeline":{"limit":1000}}}`), "join", room).Get("timeline.events").Array()
	if len(raw) != len(ids) || len(ids) < 8*11 {
		t.Fatalf("%d events, %d in raw format", len(ids), len(raw))
	}
	for i, e := range raw {
		before := e.Get("prev_events").Array()
		if i == 0 {
			same(t, "before the first event", len(before), 0)
		} else if len(before) != 1 || before[0].Str != ids[i-1] {
			t.Errorf("event %d follows %v, not %s", i, before, ids[i-1])
		}
		same(t, "depth", e.Get("depth").Int(), int64(i+1))
	}
}

// RVER-22: rooms of all versions live side by side, each by its own rules.
func TestRoomVersionsCoexist(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	rooms := map[string]events.RoomID{}
	for _, version := range events.Versions() {
		rooms[version] = alice.CreateRoom(t, map[string]any{"room_version": version, "preset": "public_chat"})
	}
	for version, room := range rooms {
		v, _ := events.LookupVersion(version)
		id := alice.Say(t, room, "to be redacted")
		if opaque := v.EventIDFormat == events.IDOpaque; opaque != strings.HasSuffix(string(id), ":example.org") {
			t.Errorf("version %s: event %s", version, id)
		}
		if v.HashRoomID == strings.Contains(string(room), ":") {
			t.Errorf("version %s: room %s", version, room)
		}
		create := alice.State(t, room, "m.room.create", "")
		same(t, "creator in version "+version, create.Get("creator").Exists(), v.CreatorInContent)
		levels := alice.State(t, room, "m.room.power_levels", "")
		same(t, "creator's level in version "+version, levels.Get("users").Get(gjson.Escape(string(alice.User))).Exists(), !v.PrivilegedCreators)
		alice.Redact(t, room, id)
		raw := homeservertest.Room(syncWith(t, alice, "", `{"event_format":"federation","room":{"timeline":{"limit":1}}}`), "join", room).Get("timeline.events.0")
		same(t, "redacts at top level in version "+version, raw.Get("redacts").Exists(), !v.RedactsInContent)
		same(t, "redacts in content in version "+version, raw.Get("content.redacts").Exists(), v.RedactsInContent)
		same(t, "event_id in raw format in version "+version, raw.Get("event_id").Exists(), v.EventIDFormat == events.IDOpaque)
	}
}

// AUTHZ-1: what the rules refuse is 403 M_FORBIDDEN and leaves nothing.
func TestAuthorisationRefusalsLeaveNothing(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	before := snapshot(t, alice, room)
	for _, path := range []string{
		homeservertest.Path("/v3/rooms/{}/state/m.room.name/", room),
		homeservertest.Path("/v3/rooms/{}/state/m.room.power_levels/", room),
		homeservertest.Path("/v3/rooms/{}/state/x/{}", room, alice.User),
		homeservertest.Path("/v3/rooms/{}/state/m.room.create/", room),
		homeservertest.Path("/v3/rooms/{}/redact/{}/t", room, alice.History(t, room, 50)[3].Get("event_id").Str),
	} {
		bob.Do(t, "PUT", path, `{}`).WantError(403, "M_FORBIDDEN")
	}
	bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/ban", room), map[string]any{"user_id": alice.User}).WantError(403, "M_FORBIDDEN")
	hs.User(t, "carol").Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/send/m.room.message/t", room), `{"msgtype":"m.text","body":"x"}`).WantError(403, "M_FORBIDDEN")
	same(t, "the room", snapshot(t, alice, room), before)
}

// API-11: no next_batch where nothing follows, and what it is goes into from or since.
func TestPagesEnd(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	for range 3 {
		alice.CreateRoom(t, `{"visibility":"public"}`)
	}
	page := alice.Get(t, "/v3/publicRooms?limit=2")
	if page = alice.Get(t, "/v3/publicRooms?limit=2&since="+page.Get("next_batch").Str); page.Get("next_batch").Exists() || len(page.Get("chunk").Array()) != 1 {
		t.Errorf("last page of rooms: %s", page)
	}
	room := alice.CreateRoom(t, nil)
	for from, n := "", 0; ; n++ {
		page := alice.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=4"+from)
		if !page.Get("end").Exists() {
			break
		}
		if from = "&from=" + page.Get("end").Str; n > 5 {
			t.Fatal("the history does not end")
		}
	}
}

// ERR-3: M_UNKNOWN comes with the status that says what it is.
func TestUnknownErrorsHaveTheirStatus(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, `{"room_alias_name":"tea"}`)
	alice.Do(t, "PUT", homeservertest.Path("/v3/directory/room/{}", "#tea:example.org"), map[string]any{"room_id": room}).WantError(409, "M_UNKNOWN")
	alice.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/forget", room), `{}`).WantError(400, "M_UNKNOWN")
	hs.Anonymous().Do(t, "POST", "/v3/login", `{"type":"org.example.magic"}`).WantError(400, "M_UNKNOWN")
}
