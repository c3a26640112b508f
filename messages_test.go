package homeserver_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// messagesOf asks for a page of a room's history.
func messagesOf(t testing.TB, c *homeservertest.Client, room events.RoomID, query ...string) *homeservertest.Response {
	t.Helper()
	q := url.Values{}
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	return c.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/messages", room)+"?"+q.Encode(), nil)
}

// idsOf lists the IDs of a list of events.
func idsOf(list gjson.Result) []string {
	ids := []string{}
	for _, e := range list.Array() {
		ids = append(ids, e.Get("event_id").Str)
	}
	return ids
}

func reversed(list []string) []string {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// longRoom makes a room with n messages and returns the IDs of all its events: more
// than memory holds.
func longRoom(t testing.TB, c *homeservertest.Client, n int) (events.RoomID, []string) {
	t.Helper()
	room := roomOf(t, c, "12")
	ids := historyOf(t, c, room)
	for i := range n {
		ids = append(ids, string(c.Say(t, room, fmt.Sprint(i))))
	}
	return room, ids
}

func TestMessages(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room, ids := longRoom(t, alice, 150)
	alice.Say(t, alice.CreateRoom(t, nil), "elsewhere")
	n := len(ids)

	// READ-8, READ-9: ten from the newest, or from the oldest.
	b := messagesOf(t, alice, room, "dir", "b").Want(200)
	same(t, "backwards", idsOf(b.Get("chunk")), reversed(ids[n-10:]))
	f := messagesOf(t, alice, room, "dir", "f").Want(200)
	same(t, "forwards", idsOf(f.Get("chunk")), ids[:10])
	for _, e := range b.Get("chunk").Array() { // EVT-3
		if e.Get("room_id").Str != string(room) {
			t.Errorf("%s", e)
		}
	}
	if b.Get("state").Exists() || f.Get("state").Exists() { // READ-15
		t.Error("there is state without lazy loading")
	}
	if b.Get("start").Type != gjson.String {
		t.Errorf("start %s", b.Get("start"))
	}

	// READ-12, READ-13: one way and back, with any size of pages.
	for _, limit := range []string{"1", "7", "64", "100", "1000", "99999999"} {
		for _, tt := range []struct {
			dir  string
			want []string
		}{{"b", reversed(ids)}, {"f", ids}} {
			if limit == "1" && tt.dir == "f" {
				continue // as slow as it is dull
			}
			var got []string
			var ends []string
			for from := ""; ; {
				query := []string{"dir", tt.dir, "limit", limit}
				if from != "" {
					query = append(query, "from", from)
				}
				answer := messagesOf(t, alice, room, query...).Want(200)
				got = append(got, idsOf(answer.Get("chunk"))...)
				if from != "" && answer.Get("start").Str != from {
					t.Errorf("start is %s, want %s", answer.Get("start"), from)
				}
				if from = answer.Get("end").Str; from == "" {
					break
				}
				ends = append(ends, from)
				// Back from here everything comes again, in the other order.
				back := messagesOf(t, alice, room, "dir", map[string]string{"b": "f", "f": "b"}[tt.dir], "from", from, "limit", "5").Want(200)
				same(t, "back again", idsOf(back.Get("chunk")), reversed(got)[:min(5, len(got))])
			}
			same(t, "dir="+tt.dir+" limit="+limit, got, tt.want)
			if limit == "99999999" && len(ends) != 0 { // READ-18: 1000 at most, and there are not as many
				t.Errorf("pages end at %v", ends)
			}
		}
	}

	// READ-16
	middle := messagesOf(t, alice, room, "dir", "b", "limit", "20").Want(200).Get("end").Str
	same(t, "down to a token", idsOf(messagesOf(t, alice, room, "dir", "b", "limit", "100", "to", middle).Want(200).Get("chunk")), reversed(ids[n-20:]))
	f = messagesOf(t, alice, room, "dir", "f", "limit", "1000", "to", middle).Want(200)
	same(t, "up to a token", idsOf(f.Get("chunk")), ids[:n-20])
	if f.Get("end").Exists() {
		t.Errorf("there is more before the token: %s", f.Get("end"))
	}
	for _, dir := range []string{"b", "f"} { // nothing lies between
		same(t, "from a token to it", idsOf(messagesOf(t, alice, room, "dir", dir, "from", middle, "to", middle).Want(200).Get("chunk")), []string{})
	}
	none := messagesOf(t, alice, room, "dir", "b", "limit", "0").Want(200)
	if none.Get("chunk").Raw != "[]" || none.Get("end").Str != none.Get("start").Str {
		t.Errorf("limit=0: %s", none)
	}
}

// READ-10, READ-11, READ-4: tokens of every kind are places between events.
func TestMessagesFromTokens(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room, ids := longRoom(t, alice, 20)
	n := len(ids)
	section := homeservertest.Room(syncWith(t, alice, "", `{"room":{"timeline":{"limit":4}}}`), "join", room)
	same(t, "the timeline", idsOf(section.Get("timeline.events")), ids[n-4:])
	next := syncWith(t, alice, "", `{"room":{"timeline":{"limit":4}}}`).Get("next_batch").Str
	later := string(alice.Say(t, room, "later"))
	context := alice.Get(t, homeservertest.Path("/v3/rooms/{}/context/{}?limit=2", room, ids[n-6]))
	back := messagesOf(t, alice, room, "dir", "b", "limit", "4").Want(200)
	for _, tt := range []struct {
		name, token, dir string
		want             []string
	}{
		{"prev_batch", section.Get("timeline.prev_batch").Str, "b", reversed(ids[:n-4])[:3]},
		{"prev_batch", section.Get("timeline.prev_batch").Str, "f", ids[n-4 : n-1]},
		{"next_batch", next, "b", reversed(ids)[:3]},
		{"next_batch", next, "f", []string{later}},
		{"end", back.Get("end").Str, "b", reversed(ids)[3:6]},
		{"start", back.Get("start").Str, "b", []string{later, ids[n-1], ids[n-2]}},
		{"start", back.Get("start").Str, "f", []string{}},
		{"start of the context", context.Get("start").Str, "b", reversed(ids)[7:10]},
		{"end of the context", context.Get("end").Str, "f", ids[n-4 : n-1]},
	} {
		got := idsOf(messagesOf(t, alice, room, "dir", tt.dir, "from", tt.token, "limit", "3").Want(200).Get("chunk"))
		same(t, tt.name+" "+tt.dir, got, tt.want)
	}
}

// READ-14, READ-15, FILT-18: what is filtered out is passed over.
func TestMessagesFiltered(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := roomOf(t, alice, "12", bob, carol)
	early := bob.Send(t, room, "org.example.rare", `{"url":"mxc://example.org/x"}`)
	for i := range 60 {
		alice.Say(t, room, fmt.Sprint(i))
	}
	late := carol.Send(t, room, "org.example.rare", `{}`)
	for _, tt := range []struct {
		filter string
		want   []string
	}{
		{`{"types":["org.example.*"]}`, []string{string(late), string(early)}},
		{`{"types":["org.example.*"],"not_senders":["@carol:example.org"]}`, []string{string(early)}},
		{`{"types":["org.example.*"],"senders":[]}`, []string{}},
		{`{"types":["org.example.*"],"contains_url":true}`, []string{string(early)}},
		{`{"types":["org.example.*"],"contains_url":false}`, []string{string(late)}},
		{`{"rooms":["!other:example.org"]}`, []string{}},
		{`{"not_rooms":["` + string(room) + `"]}`, []string{}},
		{`{"types":["org.example.*"],"rooms":["` + string(room) + `"],"unknown":{}}`, []string{string(late), string(early)}},
	} {
		answer := messagesOf(t, alice, room, "dir", "b", "limit", "5", "filter", tt.filter).Want(200)
		same(t, tt.filter, idsOf(answer.Get("chunk")), tt.want)
		if answer.Get("end").Exists() {
			t.Errorf("%s: there seems to be more", tt.filter)
		}
	}
	carol.Leave(t, room)
	senders := func(filter, dir, limit string) []string {
		t.Helper()
		list := []string{}
		for _, e := range messagesOf(t, alice, room, "dir", dir, "limit", limit, "filter", filter).Want(200).Get("state").Array() {
			if e.Get("type").Str != "m.room.member" || e.Get("room_id").Str != string(room) {
				t.Errorf("%s is in the state", e)
			}
			list = append(list, e.Get("state_key").Str)
		}
		slices.Sort(list)
		return list
	}
	for _, dir := range []string{"b", "f"} {
		same(t, "senders "+dir, senders(`{"lazy_load_members":true,"types":["org.example.rare"]}`, dir, "9"), []string{string(bob.User), string(carol.User)})
	}
	same(t, "senders of two", senders(`{"lazy_load_members":true,"types":["m.room.message"]}`, "b", "2"), []string{string(alice.User)})
	if got := messagesOf(t, alice, room, "dir", "b", "limit", "2", "filter", `{"lazy_load_members":true,"types":[]}`).Want(200).Get("state"); got.Raw != "[]" && got.Exists() {
		t.Errorf("state of nobody: %s", got)
	}
}

// READ-17: what those who are not in the room see of it.
func TestMessagesOfDeparted(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := roomOf(t, alice, "12", bob)
	seen := alice.Say(t, room, "seen")
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), map[string]any{"user_id": bob.User})
	hidden := alice.Say(t, room, "hidden")
	ban := historyOf(t, bob, room)
	ban = ban[len(ban)-1:]
	b := messagesOf(t, bob, room, "dir", "b", "limit", "2").Want(200)
	same(t, "the end", idsOf(b.Get("chunk")), []string{ban[0], string(seen)})
	f := messagesOf(t, bob, room, "dir", "f", "from", b.Get("start").Str).Want(200)
	if f.Get("chunk").Raw != "[]" || f.Get("end").Exists() {
		t.Errorf("after the end: %s", f)
	}
	// A token of somebody else's from after the ban leads nowhere else.
	token := messagesOf(t, alice, room, "dir", "b", "limit", "1").Want(200).Get("end").Str
	same(t, "from a later token", idsOf(messagesOf(t, bob, room, "dir", "b", "limit", "1", "from", token).Want(200).Get("chunk")), ban)
	same(t, "forwards from it", idsOf(messagesOf(t, bob, room, "dir", "f", "from", token).Want(200).Get("chunk")), []string{})
	if slices.Contains(historyOf(t, bob, room), string(hidden)) {
		t.Error("bob sees what came after the ban")
	}
	messagesOf(t, carol, room, "dir", "b").WantError(403, "M_FORBIDDEN")
	messagesOf(t, carol, "!unknown:example.org", "dir", "b").WantError(403, "M_FORBIDDEN")
	bob.Post(t, homeservertest.Path("/v3/rooms/{}/forget", room), `{}`) // MEMB-32
	messagesOf(t, bob, room, "dir", "b").WantError(403, "M_FORBIDDEN")
	bob.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/context/{}", room, seen), nil).WantError(403, "M_FORBIDDEN")
	bob.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/members", room), nil).WantError(403, "M_FORBIDDEN")
	bob.Do(t, "GET", homeservertest.Path("/v1/rooms/{}/timestamp_to_event?dir=f&ts=0", room), nil).WantError(403, "M_FORBIDDEN")
	bob.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/event/{}", room, seen), nil).WantError(404, "M_NOT_FOUND") // READ-1
}

// READ-8, READ-18, FILT-5, AMB-14: bad parameters.
func TestMessagesRefused(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	for _, tt := range []struct {
		query []string
		code  string
	}{
		{nil, "M_MISSING_PARAM"},
		{[]string{"dir", ""}, "M_INVALID_PARAM"},
		{[]string{"dir", "up"}, "M_INVALID_PARAM"},
		{[]string{"dir", "b", "limit", "-1"}, "M_INVALID_PARAM"},
		{[]string{"dir", "b", "limit", "ten"}, "M_INVALID_PARAM"},
		{[]string{"dir", "b", "limit", "1.5"}, "M_INVALID_PARAM"},
		{[]string{"dir", "b", "limit", "99999999999999999999"}, "M_INVALID_PARAM"},
		{[]string{"dir", "b", "from", "t392-516_47314_0_7_1_1_1_11444_1"}, "M_INVALID_PARAM"},
		{[]string{"dir", "b", "from", "1-999999"}, "M_INVALID_PARAM"},
		{[]string{"dir", "b", "from", "1-x"}, "M_INVALID_PARAM"},
		{[]string{"dir", "f", "to", "1--1"}, "M_INVALID_PARAM"},
		{[]string{"dir", "f", "to", "\x00"}, "M_INVALID_PARAM"},
		{[]string{"dir", "b", "filter", "{"}, "M_NOT_JSON"},
		{[]string{"dir", "b", "filter", "[]"}, "M_BAD_JSON"},
		{[]string{"dir", "b", "filter", `{"types":"x"}`}, "M_BAD_JSON"},
		{[]string{"dir", "b", "filter", `{"lazy_load_members":"yes"}`}, "M_BAD_JSON"},
		{[]string{"dir", "b", "filter", `{"senders":["nobody"]}`}, "M_BAD_JSON"},
		{[]string{"dir", "b", "filter", `{"limit":-1}`}, "M_BAD_JSON"},
	} {
		messagesOf(t, alice, room, tt.query...).WantError(400, tt.code)
	}
}

// CLIENT-29: a client that knows r0 only fills the gap of a limited timeline from its
// prev_batch, with members loaded lazily.
func TestMessagesFillGaps(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := roomOf(t, alice, "12", bob)
	const filter = `{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":5}}}`
	sync := func(since string) gjson.Result {
		return alice.Get(t, "/r0/sync?since="+since+"&filter="+url.QueryEscape(filter))
	}
	since := sync("").Get("next_batch").Str
	var want []string
	for i := range 23 {
		want = append(want, string([]*homeservertest.Client{alice, bob}[i%2].Say(t, room, fmt.Sprint(i))))
	}
	section := homeservertest.Room(sync(since), "join", room)
	if !section.Get("timeline.limited").Bool() {
		t.Fatalf("%s", section)
	}
	got := reversed(idsOf(section.Get("timeline.events")))
	for from := section.Get("timeline.prev_batch").Str; from != ""; {
		answer := alice.Get(t, homeservertest.Path("/r0/rooms/{}/messages", room)+
			"?dir=b&limit=4&from="+from+"&to="+since+"&filter="+url.QueryEscape(`{"lazy_load_members":true}`))
		got = append(got, idsOf(answer.Get("chunk"))...)
		for _, e := range answer.Get("chunk").Array() {
			if !answer.Get(`state.#(state_key=="` + e.Get("sender").Str + `")`).Exists() {
				t.Errorf("the member event of %s is missing", e.Get("sender"))
			}
		}
		from = answer.Get("end").Str
	}
	same(t, "the timeline and what was before it", got, reversed(want))
}
