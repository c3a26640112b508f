package homeserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

const slidingV4Path = "/v4/sync"

// v4 goes on from answer to answer, with everything in the body: what is in its own is
// the rest of a JSON object.
type v4 struct {
	*homeservertest.Client
	pos  string
	body string
}

func (s *v4) next(t *testing.T) gjson.Result {
	t.Helper()
	body := "{" + s.body + "}"
	if s.pos != "" {
		body = fmt.Sprintf(`{"pos":%q,%s}`, s.pos, s.body)
	}
	answer := s.Post(t, slidingV4Path, body)
	s.pos = pos(answer)
	return answer
}

// listV4 asks for one list of all rooms.
func listV4(limit int, state string) string {
	return fmt.Sprintf(`"lists":{"all":{"timeline_limit":%d,"required_state":%s}}`, limit, state)
}

func TestSlidingV4Request(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	hs.Anonymous().Do(t, "POST", slidingV4Path, `{}`).WantError(401, "M_MISSING_TOKEN")
	names := map[events.RoomID]string{}
	var rooms []events.RoomID
	for i := range 4 {
		rooms = append(rooms, alice.CreateRoom(t, nil))
		names[rooms[i]] = fmt.Sprint(i)
	}
	invited := bob.CreateRoom(t, nil)
	names[invited] = "invited"
	bob.Invite(t, invited, alice.User)
	ask := func(list string) gjson.Result {
		t.Helper()
		return alice.Post(t, slidingV4Path, `{"lists":{"a":{"timeline_limit":1,"required_state":{}`+list+`}}}`)
	}
	// SLIDE-50: one range a list, all rooms without one; is_invited.
	for list, want := range map[string][]string{
		``:                                 {"0", "1", "2", "3", "invited"},
		`,"range":[1,2]`:                   {"2", "3"},
		`,"range":[0,9]`:                   {"0", "1", "2", "3", "invited"},
		`,"ranges":[[1,2]]`:                {"0", "1", "2", "3", "invited"},
		`,"filters":{"is_invited":true}`:   {"invited"},
		`,"filters":{"is_invited":false}`:  {"0", "1", "2", "3"},
		`,"filters":{"is_invite":true}`:    {"0", "1", "2", "3", "invited"},
		`,"filters":{"room_types":["m"]}`:  {},
		`,"filters":{"not_tags":["u"]}`:    {"0", "1", "2", "3", "invited"},
		`,"filters":{"room_types":[null]}`: {"0", "1", "2", "3", "invited"},
	} {
		same(t, list, slidRooms(ask(list), names), want)
	}
	same(t, "count", ask(`,"range":[1,2]`).Get("lists.a.count").Raw, "5")
	// SLIDE-50: the position is in the body, and nothing of the query counts.
	s := &v4{Client: alice, body: listV4(1, `{}`)}
	first := s.next(t)
	same(t, "nothing new", len(s.next(t).Get("rooms").Map()), 0)
	again := alice.Post(t, slidingV4Path+"?timeout=60000&set_presence=busy&pos="+pos(first), `{`+s.body+`}`)
	same(t, "from the beginning", len(again.Get("rooms").Map()), 5)
	alice.Do(t, "POST", slidingV4Path, `{"pos":"x"}`).WantError(400, "M_UNKNOWN_POS")
	// SLIDE-50: so is the timeout: it ends with the change.
	s = &v4{Client: alice, body: `"timeout":60000,` + listV4(1, `{}`)}
	s.next(t)
	told := make(chan gjson.Result, 1)
	go func() { told <- s.next(t) }()
	alice.Say(t, rooms[0], "awake")
	select {
	case answer := <-told:
		same(t, "the change", bodies(slid(answer, rooms[0]).Get("timeline_events")), []string{"awake"})
	case <-time.After(2 * time.Minute):
		t.Fatal("a change does not end the wait")
	}
	// SLIDE-50: and the presence.
	alice.Post(t, slidingV4Path, `{"set_presence":"unavailable"}`)
	same(t, "presence", alice.Get(t, homeservertest.Path("/v3/presence/{}/status", alice.User)).Get("presence").Str, "unavailable")

	many := func(format string, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
	const listed, subscribed = `"l%d":{"timeline_limit":1,"required_state":{}}`, `"!r%d:example.org":{"timeline_limit":1,"required_state":{}}`
	alice.Post(t, slidingV4Path, `{"lists":`+many(listed, 100)+`,"room_subscriptions":`+many(subscribed, 100)+`}`)
	for body, code := range map[string]string{
		`{"set_presence":"busy"}`:                                                                 "M_INVALID_PARAM", // SLIDE-50
		`{"lists":` + many(listed, 101) + `}`:                                                     "M_INVALID_PARAM", // SLIDE-50
		`{"room_subscriptions":` + many(subscribed, 101) + `}`:                                    "M_INVALID_PARAM", // SLIDE-50
		`{"lists":{"a":{"timeline_limit":1,"required_state":{},"range":[3]}}}`:                    "M_INVALID_PARAM",
		`{"lists":{"a":{"timeline_limit":1,"required_state":{},"range":[3,2]}}}`:                  "M_INVALID_PARAM",
		`{"lists":{"a":{"timeline_limit":-1,"required_state":{}}}}`:                               "M_INVALID_PARAM",
		`{"lists":{"a b":{"timeline_limit":1,"required_state":{}}}}`:                              "M_INVALID_PARAM",
		`{"lists":{"a":{"timeline_limit":1}}}`:                                                    "M_MISSING_PARAM",
		`{"lists":{"a":{"required_state":{}}}}`:                                                   "M_MISSING_PARAM",
		`{"lists":{"a":{"timeline_limit":1,"required_state":[["m.room.name",""]]}}}`:              "M_BAD_JSON",
		`{"lists":{"a":{"timeline_limit":1,"required_state":{"include":[["m.room.name",""]]}}}}`:  "M_BAD_JSON",
		`{"room_subscriptions":{"!r:example.org":{"timeline_limit":-1,"required_state":{}}}}`:     "M_INVALID_PARAM",
		`{"lists":{"a":{"timeline_limit":1,"required_state":{},"filters":{"is_invited":"yes"}}}}`: "M_BAD_JSON",
	} {
		alice.Do(t, "POST", slidingV4Path, body).WantError(400, code)
	}
}

// What is wanted of the state, in the words of the accepted form (SLIDE-51).
func TestSlidingV4State(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carl := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carl")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"N","topic":"T"}`)
	bob.Join(t, room)
	carl.Join(t, room)
	alice.SetState(t, room, "org.example.a", "x", `{}`)
	alice.SetState(t, room, "org.example.a", "*", `{}`)
	alice.SetState(t, room, "org.example.b", "x", `{}`)
	bob.Say(t, room, "hello")
	entry := func(state string) gjson.Result {
		t.Helper()
		return slid(alice.Post(t, slidingV4Path, `{`+listV4(1, state)+`}`), room)
	}
	show := func(entry gjson.Result) []string { return stateKeys(entry.Get("required_state")) }
	member := func(c *homeservertest.Client) string { return "m.room.member/" + string(c.User) }
	rest := []string{
		"m.room.create", "m.room.guest_access", "m.room.history_visibility", "m.room.join_rules", "m.room.name", "m.room.power_levels", "m.room.topic",
		"org.example.a/*", "org.example.a/x", "org.example.b/x",
	}
	with := func(list []string, more ...string) []string {
		return append(slices.Clip(list), more...)
	}
	everybody := []string{member(alice), member(bob), member(carl)}
	for state, want := range map[string][]string{
		`{}`:               {},
		`{"include":[]}`:   {},
		`{"exclude":[{}]}`: {},
		`{"include":[{"type":"m.room.name","state_key":""}]}`:        {"m.room.name"},
		`{"include":[{"type":"org.example.a"}]}`:                     {"org.example.a/*", "org.example.a/x"},
		`{"include":[{"state_key":"x"}]}`:                            {"org.example.a/x", "org.example.b/x"},
		`{"include":[{"type":"org.example.a","state_key":"*"}]}`:     {"org.example.a/*"},
		`{"include":[{"type":"*"}]}`:                                 {},
		`{"include":[{"type":"m.room.member","state_key":"$ME"}]}`:   {},
		`{"include":[{"type":"m.room.member","state_key":"$LAZY"}]}`: {},
		`{"include":[{}]}`:                                                                            with(rest, everybody...),
		`{"include":[{}],"exclude":[{}]}`:                                                             {},
		`{"include":[{}],"exclude":[{"type":"m.room.member"}]}`:                                       rest,
		`{"include":[{}],"exclude":[{"type":"m.room.member"}],"lazy_members":true}`:                   with(rest, member(bob)), // lazy members are not excluded
		`{"include":[{}],"lazy_members":true}`:                                                        with(rest, member(bob)), // but for members
		`{"lazy_members":true}`:                                                                       {member(bob)},
		`{"include":[{"type":"m.room.member"}],"lazy_members":true}`:                                  everybody,
		`{"include":[{"type":"org.example.a"}],"exclude":[{"state_key":"x"}]}`:                        {"org.example.a/*"},
		`{"include":[{"state_key":"x"}],"exclude":[{"type":"org.example.a"}]}`:                        {"org.example.b/x"},
		`{"include":[{"type":"org.example.a","state_key":"x"}],"exclude":[{"type":"org.example.a"}]}`: {},
	} {
		slices.Sort(want)
		same(t, state, show(entry(state)), want)
	}
	// What one list or subscription excludes, another may include.
	both := fmt.Sprintf(`{"lists":{"a":{"timeline_limit":0,"required_state":{"include":[{"type":"org.example.a"}],"exclude":[{"state_key":"x"}]}}},
		"room_subscriptions":{%q:{"timeline_limit":0,"required_state":{"include":[{"state_key":"x"}],"exclude":[{"type":"org.example.a"}]}}}}`, room)
	same(t, "together", show(slid(alice.Post(t, slidingV4Path, both), room)), []string{"org.example.a/*", "org.example.b/x"})

	// Changes are told likewise, and what is excluded no longer is told at once.
	s := &v4{Client: alice, body: listV4(0, `{"include":[{"type":"org.example.a"}],"exclude":[{"type":"org.example.a","state_key":"x"}]}`)}
	s.next(t)
	for _, key := range []string{"x", "*"} {
		alice.SetState(t, room, "org.example.a", key, `{"v":1}`)
	}
	same(t, "changes", show(slid(s.next(t), room)), []string{"org.example.a/*"})
	s.body = listV4(0, `{"include":[{"type":"org.example.a"}]}`)
	same(t, "not excluded any more", show(slid(s.next(t), room)), []string{"org.example.a/*", "org.example.a/x"})
	s.body = listV4(0, `{"include":[{"type":"org.example.a"}],"exclude":[{"state_key":"x"}]}`)
	same(t, "less", len(s.next(t).Get("rooms").Map()), 0)
}

// How rooms are told of in the accepted form (SLIDE-52).
func TestSlidingV4Room(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"N"}`)
	alice.SetState(t, room, "m.room.avatar", "", `{"url":"mxc://example.org/a"}`)
	bob.Join(t, room)
	for _, text := range []string{"1", "2", "3"} {
		bob.Say(t, room, text)
	}
	lists := func(limit int) string {
		return fmt.Sprintf(`"lists":{"two":{"timeline_limit":%d,"required_state":{}},"one":{"timeline_limit":1,"required_state":{}},
			"none":{"timeline_limit":1,"required_state":{},"filters":{"is_invited":true}}}`, limit)
	}
	s := &v4{Client: alice, body: lists(1)}
	entry := slid(s.next(t), room)
	same(t, "membership", entry.Get("membership").Str, "join")
	same(t, "lists", entry.Get("lists").Raw, `["one","two"]`)
	same(t, "name", entry.Get("name").Str, "N")
	same(t, "avatar", entry.Get("avatar").Str, "mxc://example.org/a")
	same(t, "timeline", bodies(entry.Get("timeline_events")), []string{"3"})
	for _, gone := range []string{"notification_count", "highlight_count", "timeline", "unstable_expanded_timeline"} {
		same(t, gone, entry.Get(gone).Exists(), false)
	}
	// Only with a subscription there is no list.
	alone := alice.Post(t, slidingV4Path, fmt.Sprintf(`{"conn_id":"c","room_subscriptions":{%q:{"timeline_limit":1,"required_state":{}}}}`, room))
	same(t, "lists of a subscription", slid(alone, room).Get("lists").Exists(), false)
	same(t, "membership with a subscription", slid(alone, room).Get("membership").Str, "join")
	// More of the timeline.
	s.body = lists(3)
	entry = slid(s.next(t), room)
	same(t, "expanded", entry.Get("expanded_timeline").Raw, "true")
	same(t, "expanded timeline", bodies(entry.Get("timeline_events")), []string{"1", "2", "3"})
	// What is removed.
	alice.SetState(t, room, "m.room.name", "", `{}`)
	alice.SetState(t, room, "m.room.avatar", "", `{}`)
	entry = slid(s.next(t), room)
	same(t, "name", entry.Get("name").Raw, "null")
	same(t, "avatar", entry.Get("avatar").Raw, "null")
	// Counts of notifications are nothing to tell.
	last := bob.Say(t, room, "4")
	same(t, "unread", slid(s.next(t), room).Get("timeline_events.#").Raw, "1")
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/receipt/m.read/{}", room, last), `{}`)
	same(t, "read elsewhere", len(s.next(t).Get("rooms").Map()), 0)

	// Invites, and invites that were declined.
	invited := bob.CreateRoom(t, `{"name":"I"}`)
	bob.Invite(t, invited, alice.User)
	entry = slid(s.next(t), invited)
	same(t, "membership", entry.Get("membership").Str, "invite")
	same(t, "lists", entry.Get("lists").Raw, `["none","one","two"]`)
	same(t, "stripped name", entry.Get(`stripped_state.#(type=="m.room.name").content.name`).Str, "I")
	same(t, "stripped member", entry.Get(`stripped_state.#(type=="m.room.member")#|#(state_key=="`+string(alice.User)+`").content.membership`).Str, "invite")
	same(t, "invite_state", entry.Get("invite_state").Exists(), false)
	alice.Leave(t, invited)
	entry = slid(s.next(t), invited)
	same(t, "membership", entry.Get("membership").Str, "leave")
	same(t, "stripped", entry.Get("stripped_state.#.content.membership").Raw, `["leave"]`)
	same(t, "required_state", entry.Get("required_state").Exists(), false)
	// Leaving.
	alice.Leave(t, room)
	entry = slid(s.next(t), room)
	same(t, "membership", entry.Get("membership").Str, "leave")
	same(t, "the leave", entry.Get("timeline_events.@reverse.0.content.membership").Str, "leave")

	// A connection may be spoken to in either form.
	other := bob.CreateRoom(t, nil)
	answer := bob.Post(t, slidingV4Path, `{"conn_id":"c",`+listV4(1, `{}`)+`}`)
	same(t, "told", slid(answer, other).Get("membership").Str, "join")
	same(t, "nothing new", len(slide(t, bob, pos(answer), strings.Replace(list(1, `[]`), "{", `{"conn_id":"c",`, 1)).Get("rooms").Map()), 0)
}
