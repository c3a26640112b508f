package homeserver_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// READ-1, LEG-5: one event, from the room it is in; everything else is not found.
func TestEvent(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	for _, version := range []string{"1", "3", "10", "12"} { // EVT-33: IDs of version 3 may have slashes in them
		room, other := roomOf(t, alice, version, bob), roomOf(t, alice, version)
		ids := historyOf(t, alice, room)
		elsewhere := string(alice.Say(t, other, "elsewhere"))
		for range 20 {
			ids = append(ids, string(alice.Say(t, room, "hello")))
		}
		for _, id := range ids {
			want := eventOf(t, alice, room, events.EventID(id))
			for _, path := range []string{
				homeservertest.Path("/v3/rooms/{}/event/{}", room, id), homeservertest.Path("/r0/rooms/{}/event/{}", room, id),
				homeservertest.Path("/v3/events/{}", id), homeservertest.Path("/r0/events/{}", id),
			} {
				e := bob.Get(t, path)
				if e.Get("event_id").Str != id || e.Get("room_id").Str != string(room) || e.Get("content").Raw != want.Get("content").Raw || // EVT-3, RVER-15
					e.Get("origin_server_ts").Type != gjson.Number || e.Get("origin_server_ts").Raw != want.Get("origin_server_ts").Raw { // EVT-1
					t.Errorf("%s: %s", path, e)
				}
			}
		}
		for name, path := range map[string]string{
			"in another room":    homeservertest.Path("/v3/rooms/{}/event/{}", room, elsewhere),
			"unknown":            homeservertest.Path("/v3/rooms/{}/event/{}", room, "$unknown"),
			"of an unknown room": homeservertest.Path("/v3/rooms/{}/event/{}", "!unknown:example.org", ids[0]),
			"hidden":             homeservertest.Path("/v3/rooms/{}/event/{}", other, elsewhere),
			"hidden, of no room": homeservertest.Path("/v3/events/{}", elsewhere),
			"unknown, of none":   homeservertest.Path("/v3/events/{}", "$unknown"),
		} {
			t.Log(version, name)
			bob.Do(t, "GET", path, nil).WantError(404, "M_NOT_FOUND")
		}
	}
}

// CLIENT-7: numbers are plain integers, everywhere.
func TestIntegers(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","room_version":"5","power_level_content_override":{"users":{"@alice:example.org":9007199254740991}}}`)
	bob.Join(t, room)
	alice.Redact(t, room, alice.Say(t, room, "1.0"))
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"one"}`)
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"two"}`)
	all := everythingOf(t, alice, room)
	all["timestamp"] = alice.Get(t, homeservertest.Path("/v1/rooms/{}/timestamp_to_event?dir=f&ts=0", room)).Raw
	all["levels"] = alice.State(t, room, "m.room.power_levels", "").Raw
	if got := gjson.Get(all["levels"], `users.@alice:example\.org`).Raw; got != "9007199254740991" {
		t.Errorf("the level is %s", got)
	}
	integer := regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	var walk func(from string, v gjson.Result)
	walk = func(from string, v gjson.Result) {
		if v.Type == gjson.Number && !integer.MatchString(v.Raw) {
			t.Errorf("%s has the number %s", from, v.Raw)
		}
		if v.IsArray() || v.IsObject() {
			v.ForEach(func(_, inner gjson.Result) bool { walk(from, inner); return true })
		}
	}
	for from, answer := range all {
		for line := range strings.Lines(answer) {
			if !gjson.Valid(line) {
				t.Fatalf("%s: %s", from, line)
			}
			walk(from, gjson.Parse(line))
		}
	}
}
