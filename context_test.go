package homeserver_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func contextPath(room events.RoomID, id, query string) string {
	return homeservertest.Path("/v3/rooms/{}/context/{}", room, id) + query
}

func TestContext(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room, ids := longRoom(t, alice, 100)
	n := len(ids)
	for _, tt := range []struct {
		at            int
		query         string
		before, after []string
	}{
		{50, "", reversed(ids[45:50]), ids[51:56]}, // READ-2, READ-3
		{50, "?limit=10", reversed(ids[45:50]), ids[51:56]},
		{50, "?limit=3", ids[49:50], ids[51:53]},
		{50, "?limit=1", []string{}, ids[51:52]},
		{50, "?limit=0", []string{}, []string{}}, // CLIENT-12
		{50, "?limit=100000", reversed(ids[:50]), ids[51:]},
		{0, "?limit=4", []string{}, ids[1:3]},
		{n - 1, "?limit=4", reversed(ids[n-3 : n-1]), []string{}},
	} {
		answer := alice.Get(t, contextPath(room, ids[tt.at], tt.query))
		same(t, tt.query+" event", answer.Get("event.event_id").Str, ids[tt.at])
		same(t, tt.query+" before", idsOf(answer.Get("events_before")), tt.before)
		same(t, tt.query+" after", idsOf(answer.Get("events_after")), tt.after)
		for _, list := range []string{"events_before", "events_after", "state"} { // CLIENT-32
			if !answer.Get(list).IsArray() {
				t.Errorf("%s: %s", list, answer.Get(list).Raw)
			}
		}
		// READ-4: nothing is missing or comes twice.
		more := messagesOf(t, alice, room, "dir", "b", "limit", "1000", "from", answer.Get("start").Str).Want(200)
		same(t, tt.query+" further back", idsOf(more.Get("chunk")), reversed(ids[:tt.at-len(tt.before)]))
		more = messagesOf(t, alice, room, "dir", "f", "limit", "1000", "from", answer.Get("end").Str).Want(200)
		same(t, tt.query+" further on", idsOf(more.Get("chunk")), ids[tt.at+len(tt.after)+1:])
	}
}

// READ-5: the state is that at the last event of the answer.
func TestContextState(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := roomOf(t, alice, "12", bob, carol)
	topics := []events.EventID{}
	var said []string
	for _, topic := range []string{"0", "1", "2"} {
		topics = append(topics, alice.SetState(t, room, "m.room.topic", "", map[string]any{"topic": topic}))
		said = append(said, string(bob.Say(t, room, topic)))
	}
	carol.Leave(t, room)
	alice.Say(t, room, "goodbye")
	for i, id := range said {
		state := map[string]string{}
		for _, e := range alice.Get(t, contextPath(room, id, "?limit=0")).Get("state").Array() {
			state[e.Get("type").Str+e.Get("state_key").Str] = e.Get("event_id").Str
			if e.Get("room_id").Str != string(room) {
				t.Errorf("%s", e)
			}
		}
		if state["m.room.topic"] != string(topics[i]) || state["m.room.member"+string(carol.User)] == "" || state["m.room.create"] == "" {
			t.Errorf("state at %d: %v", i, state)
		}
	}
	state := alice.Get(t, contextPath(room, said[1], "?limit=100")).Get("state")
	for _, e := range state.Array() {
		switch {
		case e.Get("state_key").Str == string(carol.User) && e.Get("content.membership").Str != "leave",
			e.Get("type").Str == "m.room.topic" && e.Get("content.topic").Str != "2":
			t.Errorf("at the end there is %s", e)
		}
	}

	// With lazy loading only those who have said something in it.
	lazy := "&filter=" + url.QueryEscape(`{"lazy_load_members":true}`)
	for query, want := range map[string][]string{
		"?limit=0": {string(bob.User)}, "?limit=2": {string(alice.User), string(bob.User)}, "?limit=100": {string(alice.User), string(bob.User), string(carol.User)},
	} {
		var members []string
		create := false
		for _, e := range alice.Get(t, contextPath(room, said[1], query+lazy)).Get("state").Array() {
			create = create || e.Get("type").Str == "m.room.create"
			if e.Get("type").Str == "m.room.member" {
				members = append(members, e.Get("state_key").Str)
			}
		}
		slices.Sort(members)
		same(t, query+" members", members, want)
		if !create {
			t.Errorf("%s: the rest of the state is missing", query)
		}
	}

	// READ-6: a filter is for all but the event itself.
	filter := "?limit=100&filter=" + url.QueryEscape(`{"types":["m.room.topic"]}`)
	answer := alice.Get(t, contextPath(room, said[1], filter))
	same(t, "filtered event", answer.Get("event.event_id").Str, said[1])
	same(t, "filtered before", idsOf(answer.Get("events_before")), []string{string(topics[1]), string(topics[0])})
	same(t, "filtered after", idsOf(answer.Get("events_after")), []string{string(topics[2])})
	same(t, "filtered state", idsOf(answer.Get("state")), []string{string(topics[2])})
	answer = alice.Get(t, contextPath(room, said[1], "?filter="+url.QueryEscape(`{"not_rooms":["`+string(room)+`"]}`)))
	if answer.Get("event.event_id").Str != said[1] || answer.Get("events_before").Raw+answer.Get("events_after").Raw+answer.Get("state").Raw != "[][][]" {
		t.Errorf("another room's filter: %s", answer)
	}
}

// READ-7: who may not see the event, or the room.
func TestContextRefused(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat","initial_state":[{"type":"m.room.history_visibility","content":{"history_visibility":"joined"}}]}`)
	hidden := alice.Say(t, room, "hidden")
	bob.Join(t, room)
	elsewhere := bob.Say(t, bob.CreateRoom(t, nil), "elsewhere")
	shown := alice.Say(t, room, "shown")
	for _, tt := range []struct {
		c      *homeservertest.Client
		room   events.RoomID
		id     string
		query  string
		status int
		code   string
	}{
		{bob, room, string(hidden), "", 404, "M_NOT_FOUND"},
		{bob, room, "$unknown", "", 404, "M_NOT_FOUND"},
		{bob, room, string(elsewhere), "", 404, "M_NOT_FOUND"},
		{carol, room, string(shown), "", 403, "M_FORBIDDEN"},
		{carol, room, "$unknown", "", 403, "M_FORBIDDEN"},
		{bob, "!unknown:example.org", string(shown), "", 403, "M_FORBIDDEN"},
		{bob, room, string(shown), "?limit=-1", 400, "M_INVALID_PARAM"},
		{bob, room, string(shown), "?limit=x", 400, "M_INVALID_PARAM"},
		{bob, room, string(shown), "?filter=%7B", 400, "M_NOT_JSON"},
		{bob, room, string(shown), "?filter=%5B%5D", 400, "M_BAD_JSON"},
		{bob, room, "shown", "", 400, "M_INVALID_PARAM"},
	} {
		tt.c.Do(t, "GET", contextPath(tt.room, tt.id, tt.query), nil).WantError(tt.status, tt.code)
	}
	answer := bob.Get(t, contextPath(room, string(shown), "?limit=100"))
	if slices.Contains(idsOf(answer.Get("events_before")), string(hidden)) {
		t.Errorf("what is hidden is around it: %s", answer)
	}
}
