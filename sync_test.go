package homeserver_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// forever is a timeout, in milliseconds, of which no client lives to see the end: it loses
// its patience before. So what is answered at all was woken, or did not wait.
const forever = "300000"

// syncWith syncs with a filter and other parameters; since "" is a first sync.
func syncWith(t *testing.T, c *homeservertest.Client, since, filter string, more ...string) gjson.Result {
	t.Helper()
	query := url.Values{}
	if since != "" {
		query.Set("since", since)
	}
	if filter != "" {
		query.Set("filter", filter)
	}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return c.Get(t, "/v3/sync?"+query.Encode())
}

// stateKeys lists type and key of the events of a list.
func stateKeys(list gjson.Result) []string {
	keys := []string{}
	for _, e := range list.Array() {
		keys = append(keys, strings.TrimSuffix(e.Get("type").Str+"/"+e.Get("state_key").Str, "/"))
	}
	slices.Sort(keys)
	return keys
}

// bodies lists the bodies of the messages of a timeline.
func bodies(list gjson.Result) []string {
	out := []string{}
	for _, e := range list.Array() {
		if e.Get("type").Str == "m.room.message" {
			out = append(out, e.Get("content.body").Str)
		}
	}
	return out
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestSyncTokens(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)

	// SYNC-2, SYNC-13, SYNC-14
	first := syncWith(t, alice, "", "")
	token := first.Get("next_batch").Str
	if token == "" || !homeservertest.HasRoom("join", room)(first) {
		t.Fatalf("a first sync: %s", first)
	}
	// EVT-35
	if len(token) > 32 || strings.Trim(token, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._~=-") != "" {
		t.Errorf("token %q", token)
	}
	empty := syncWith(t, alice, token, "")
	if !empty.Get("next_batch").Exists() || empty.Get("rooms").Exists() || empty.Get("account_data").Exists() {
		t.Errorf("nothing has changed: %s", empty)
	}
	// SYNC-6: the same token says the same and what is new.
	alice.Say(t, room, "one")
	same(t, "after one message", bodies(homeservertest.Room(syncWith(t, alice, token, ""), "join", room).Get("timeline.events")), []string{"one"})
	alice.Say(t, room, "two")
	same(t, "the same token again", bodies(homeservertest.Room(syncWith(t, alice, token, ""), "join", room).Get("timeline.events")), []string{"one", "two"})

	// SYNC-7, AMB-14, CLIENT-3
	for _, bad := range []string{"x", "1", "1-", "1--1", "1-01", "2-1", "1-9999999", "1-99999999999999999999999", "s1_2", " " + token} {
		alice.Do(t, "GET", "/v3/sync?since="+url.QueryEscape(bad), nil).WantError(400, "M_INVALID_PARAM")
	}
	// SYNC-8
	alice.Do(t, "GET", "/v3/sync?set_presence=busy", nil).WantError(400, "M_INVALID_PARAM")
	// SYNC-1: wrong types
	for _, query := range []string{"timeout=soon", "full_state=1", "use_state_after=x"} {
		alice.Do(t, "GET", "/v3/sync?"+query, nil).WantError(400, "M_INVALID_PARAM")
	}
	hs.Anonymous().Do(t, "GET", "/v3/sync", nil).WantError(401, "M_MISSING_TOKEN")
	// LEG-1
	alice.Get(t, "/r0/sync?since="+token)
}

func TestSyncWaits(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	token := syncWith(t, bob, "", "").Get("next_batch").Str

	// SYNC-3: time is up.
	start := time.Now()
	answer := syncWith(t, bob, token, "", "timeout", "150")
	if waited := time.Since(start); waited < 150*time.Millisecond || answer.Get("next_batch").Str == "" {
		t.Errorf("answered after %v: %s", waited, answer)
	}
	// SYNC-10: what wakes; each without a change of anything else.
	for what, change := range map[string]func(){
		"timeline":  func() { alice.Say(t, room, "wake up") },
		"state":     func() { alice.SetState(t, room, "m.room.topic", "", `{"topic":"t"}`) },
		"an invite": func() { alice.Invite(t, alice.CreateRoom(t, nil), bob.User) },
		"typing": func() {
			alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, alice.User), `{"typing":true}`)
		},
		"global account data": func() { bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/x", bob.User), `{}`) },
		"room account data": func() {
			bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", bob.User, room), `{}`)
		},
		"push rules": func() {
			bob.Put(t, "/v3/pushrules/global/override/.m.rule.master/enabled", `{"enabled":true}`)
			bob.Put(t, "/v3/pushrules/global/override/.m.rule.master/enabled", `{"enabled":false}`)
		},
	} {
		token = syncWith(t, bob, "", "").Get("next_batch").Str
		got := make(chan gjson.Result, 1)
		go func() { got <- syncWith(t, bob, token, "", "timeout", forever) }()
		change()
		if answer := <-got; !answer.Get("rooms").Exists() && !answer.Get("account_data").Exists() {
			t.Errorf("%s: woken with nothing: %s", what, answer)
		}
	}
	// A change that the filter hides does not end the waiting, and is not waited for again.
	token = syncWith(t, bob, "", "").Get("next_batch").Str
	alice.Say(t, room, "hidden")
	answer = syncWith(t, bob, token, `{"room":{"not_rooms":["`+string(room)+`"]}}`, "timeout", "100")
	if answer.Get("rooms").Exists() || answer.Get("next_batch").Str == token {
		t.Errorf("a filtered change: %s", answer)
	}
	// SYNC-9: several at once, of one device and of two, get everything.
	tablet := hs.Login(t, "bob")
	token = syncWith(t, bob, "", "").Get("next_batch").Str
	got := make(chan gjson.Result)
	for _, c := range []*homeservertest.Client{bob, bob, tablet} {
		go func() { got <- syncWith(t, c, token, "", "timeout", forever) }()
	}
	id := alice.Say(t, room, "for all")
	for range 3 {
		if answer := <-got; !homeservertest.HasEvent(room, id)(answer) {
			t.Errorf("one of three got %s", answer)
		}
	}
	// SYNC-4: full_state does not wait.
	answer = syncWith(t, bob, token, "", "timeout", forever, "full_state", "true")
	if len(homeservertest.Room(answer, "join", room).Get("state.events").Array()) < 6 {
		t.Errorf("full_state: %s", answer)
	}
}

func TestSyncTimeline(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	for i := range 12 {
		alice.Say(t, room, fmt.Sprint(i))
	}
	// SYNC-16, SYNC-17, FILT-16: the newest ten unless the filter says otherwise, oldest first.
	section := homeservertest.Room(syncWith(t, alice, "", ""), "join", room)
	same(t, "default", bodies(section.Get("timeline.events")), []string{"2", "3", "4", "5", "6", "7", "8", "9", "10", "11"})
	if !section.Get("timeline.limited").Bool() {
		t.Error("not limited, though there is more")
	}
	section = homeservertest.Room(syncWith(t, alice, "", `{"room":{"timeline":{"limit":100}}}`), "join", room)
	if section.Get("timeline.limited").Raw != "false" || section.Get("timeline.events.0.type").Str != "m.room.create" {
		t.Errorf("everything fits: %s", section.Get("timeline"))
	}
	// SYNC-19: the state before the timeline, of which nothing is repeated.
	same(t, "state before the create event", section.Get("state.events").Raw, "[]")
	// EVT-3: no room_id where the key says it.
	if strings.Contains(section.Raw, `"room_id"`) {
		t.Errorf("room_id in %s", section)
	}
	// FILT-16, AMB-3
	section = homeservertest.Room(syncWith(t, alice, "", `{"room":{"timeline":{"limit":0}}}`), "join", room)
	if section.Get("timeline.events").Raw != "[]" || !section.Get("timeline.limited").Bool() || len(section.Get("state.events").Array()) < 5 {
		t.Errorf("limit 0: %s", section)
	}
	// SYNC-18, READ-10, READ-11: prev_batch leads to the event just before.
	section = homeservertest.Room(syncWith(t, alice, "", `{"room":{"timeline":{"limit":2}}}`), "join", room)
	page := alice.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=2&from="+section.Get("timeline.prev_batch").Str)
	same(t, "before the timeline", bodies(page.Get("chunk")), []string{"9", "8"})

	// SYNC-22: what a timeline filter drops is not moved to the state.
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"t"}`)
	alice.Say(t, room, "after")
	section = homeservertest.Room(syncWith(t, alice, token, `{"room":{"timeline":{"types":["m.room.message"]}}}`), "join", room)
	same(t, "filtered timeline", bodies(section.Get("timeline.events")), []string{"after"})
	same(t, "state beside it", stateKeys(section.Get("state.events")), []string{})
	// FILT-21: the filter does not hold the token back.
	answer := syncWith(t, alice, token, `{"room":{"timeline":{"types":[]}}}`)
	same(t, "after it", syncWith(t, alice, answer.Get("next_batch").Str, "").Get("rooms").Raw, "")

	// FILT-9, FILT-10, EVT-13
	section = homeservertest.Room(syncWith(t, alice, "", `{"event_fields":["content.body"],"room":{"timeline":{"limit":1}}}`), "join", room)
	if e := section.Get("timeline.events.0"); e.Get("content").Raw != `{"body":"after"}` || !e.Get("event_id").Exists() {
		t.Errorf("event_fields: %s", e)
	}
	section = homeservertest.Room(syncWith(t, alice, "", `{"event_format":"federation","room":{"timeline":{"limit":1}}}`), "join", room)
	if e := section.Get("timeline.events.0"); !e.Get("hashes.sha256").Exists() || !e.Get("signatures").Exists() || !e.Get("prev_events").IsArray() {
		t.Errorf("federation format: %s", e)
	}
}

func TestSyncState(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	const two = `{"room":{"timeline":{"limit":2}}}`
	section := func(since, filter string, more ...string) gjson.Result {
		t.Helper()
		return homeservertest.Room(syncWith(t, alice, since, filter, more...), "join", room)
	}
	// SYNC-20: not limited, so no state.
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"1"}`)
	s := section(token, "")
	same(t, "state without a gap", s.Get("state.events").Raw, "[]")
	same(t, "timeline", stateKeys(s.Get("timeline.events")), []string{"m.room.topic"})
	// SYNC-21: in a gap the last value before the timeline, once; what is in the timeline stays there.
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"2"}`)
	alice.SetState(t, room, "x", "k", `{}`)
	alice.Say(t, room, "m")
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"3"}`)
	s = section(token, two)
	same(t, "state of the gap", stateKeys(s.Get("state.events")), []string{"m.room.topic", "x/k"})
	same(t, "topic before the timeline", s.Get(`state.events.#(type=="m.room.topic").content.topic`).Str, "2")
	same(t, "topic in the timeline", s.Get(`timeline.events.#(type=="m.room.topic").content.topic`).Str, "3")
	// SYNC-24
	if s.Get("state_after").Exists() {
		t.Error("state_after was not asked for")
	}
	// SYNC-23, CLIENT-8, CLIENT-26
	for param, key := range map[string]string{"use_state_after": "state_after", "org.matrix.msc4222.use_state_after": `org\.matrix\.msc4222\.state_after`} {
		s = section(token, two, param, "true")
		same(t, key, stateKeys(s.Get(key+".events")), []string{"m.room.topic", "x/k"})
		same(t, "topic after the timeline", s.Get(key+`.events.#(type=="m.room.topic").content.topic`).Str, "3")
		if s.Get("state").Exists() {
			t.Errorf("state beside %s", key)
		}
	}
	token = syncWith(t, alice, "", "").Get("next_batch").Str
	alice.Say(t, room, "no state")
	if s = section(token, "", "use_state_after", "true"); s.Get("state_after.events").Raw != "[]" {
		t.Errorf("state_after is there even if empty: %s", s)
	}
	// SYNC-4: everything, with the timeline bounded by since.
	s = section(token, "", "full_state", "true")
	same(t, "timeline with full_state", bodies(s.Get("timeline.events")), []string{"no state"})
	all := stateKeys(gjson.Parse(alice.Get(t, homeservertest.Path("/v3/rooms/{}/state", room)).Raw))
	same(t, "state with full_state", stateKeys(s.Get("state.events")), all)
	quiet := syncWith(t, alice, syncWith(t, alice, "", "").Get("next_batch").Str, "", "full_state", "true")
	same(t, "a quiet room with full_state", stateKeys(homeservertest.Room(quiet, "join", room).Get("state.events")), all)
	// CLIENT-6
	if strings.Contains(quiet.Raw, "null") {
		t.Errorf("null in %s", quiet)
	}
}

func TestSyncSummary(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	var others []*homeservertest.Client
	for i := range 6 {
		others = append(others, hs.User(t, fmt.Sprint("u", i)))
		others[i].Join(t, room)
	}
	summary := func(since string) gjson.Result {
		t.Helper()
		return homeservertest.Room(syncWith(t, alice, since, ""), "join", room).Get("summary")
	}
	// SYNC-34, SYNC-35: the first five without oneself.
	s := summary("")
	same(t, "summary", s.Raw, `{"m.joined_member_count":7,"m.invited_member_count":0,"m.heroes":["@u0:example.org","@u1:example.org","@u2:example.org","@u3:example.org","@u4:example.org"]}`)
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	alice.Say(t, room, "no change")
	same(t, "summary without a change", summary(token).Raw, "")
	alice.Invite(t, room, hs.User(t, "late").User)
	same(t, "invited", summary(token).Get("m\\.invited_member_count").Int(), 1)
	// SYNC-35: a name makes heroes unnecessary; nobody else present: those who are gone.
	alice.SetState(t, room, "m.room.name", "", `{"name":"N"}`)
	same(t, "heroes of a room with a name", summary("").Get("m\\.heroes").Raw, "")
	lonely := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	others[0].Join(t, lonely)
	others[0].Leave(t, lonely)
	s = homeservertest.Room(syncWith(t, alice, "", ""), "join", lonely).Get("summary")
	same(t, "heroes of an empty room", s.Get("m\\.heroes").Raw, `["@u0:example.org"]`)
}

func TestSyncLazyLoading(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"Lazy"}`)
	var others []*homeservertest.Client
	for i := range 5 {
		others = append(others, hs.User(t, fmt.Sprint("u", i)))
		others[i].Join(t, room)
	}
	others[3].Say(t, room, "hello")
	members := func(since string, limit int, more ...string) []string {
		t.Helper()
		filter := fmt.Sprintf(`{"room":{"timeline":{"limit":%d},"state":{"lazy_load_members":true}}}`, limit)
		s := homeservertest.Room(syncWith(t, alice, since, filter, more...), "join", room)
		keys := stateKeys(s.Get("state.events"))
		return slices.DeleteFunc(keys, func(k string) bool { return !strings.HasPrefix(k, "m.room.member/") })
	}
	// SYNC-29, SYNC-30, FILT-18: the sender and oneself.
	same(t, "first", members("", 1), []string{"m.room.member/@alice:example.org", "m.room.member/@u3:example.org"})
	// SYNC-33
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	late := hs.User(t, "late")
	late.Join(t, room)
	filter := `{"room":{"state":{"lazy_load_members":true}}}`
	s := homeservertest.Room(syncWith(t, alice, token, filter), "join", room)
	same(t, "a join in the timeline", stateKeys(s.Get("timeline.events")), []string{"m.room.member/@late:example.org"})
	// SYNC-31: every change in a gap, leaves too.
	others[0].Leave(t, room)
	for range 3 {
		others[1].Say(t, room, "gap")
	}
	same(t, "gap", members(token, 2), []string{"m.room.member/@late:example.org", "m.room.member/@u0:example.org", "m.room.member/@u1:example.org"})
	// SYNC-36: heroes of a room without a name.
	alice.SetState(t, room, "m.room.name", "", `{}`)
	same(t, "heroes", members("", 1), []string{
		"m.room.member/@alice:example.org", "m.room.member/@late:example.org", "m.room.member/@u1:example.org",
		"m.room.member/@u2:example.org", "m.room.member/@u3:example.org", "m.room.member/@u4:example.org",
	})
}

func TestSyncAccountData(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	types := func(list gjson.Result) []string { return stateKeys(list) }
	alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.direct", alice.User), `{"@b:x":["!r:x"]}`)
	alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.tag", alice.User, room), `{"tags":{"u.x":{}}}`)
	// SYNC-42, SYNC-43, AD-6
	first := syncWith(t, alice, "", "")
	same(t, "global", types(first.Get("account_data.events")), []string{"m.direct", "m.push_rules"})
	same(t, "of the room", homeservertest.Room(first, "join", room).Get("account_data").Raw, `{"events":[{"content":{"tags":{"u.x":{}}},"type":"m.tag"}]}`)
	token := first.Get("next_batch").Str
	alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.marked_unread", alice.User, room), `{"unread":true}`)
	alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/x", alice.User), `{}`)
	second := syncWith(t, alice, token, "")
	same(t, "changed", types(second.Get("account_data.events")), []string{"x"})
	same(t, "changed in the room", types(homeservertest.Room(second, "join", room).Get("account_data.events")), []string{"m.marked_unread"})
	// Of a room that one is not in nothing is told, its data either.
	token = syncWith(t, alice, "", "").Get("next_batch").Str
	for _, other := range []events.RoomID{hs.User(t, "bob").CreateRoom(t, nil), "!none:example.org"} {
		alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", alice.User, other), `{}`)
	}
	same(t, "data of rooms outside", syncWith(t, alice, token, "").Get("rooms").Raw, "")
	token = first.Get("next_batch").Str
	// FILT-8, FILT-11
	filtered := syncWith(t, alice, token, `{"account_data":{"not_types":["x"]},"room":{"account_data":{"types":[]}}}`)
	if filtered.Get("account_data").Exists() || filtered.Get("rooms").Exists() {
		t.Errorf("filtered: %s", filtered)
	}
}

func TestSyncIgnoredUsers(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, mallory := hs.User(t, "alice"), hs.User(t, "mallory")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	mallory.Join(t, room)
	ignore := func(content string) {
		alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", alice.User), content)
	}
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	ignore(`{"ignored_users":{"@mallory:example.org":{}}}`)
	mallory.Say(t, room, "spam")
	mallory.Put(t, homeservertest.Path("/v3/profile/{}/displayname", mallory.User), `{"displayname":"M"}`)
	// SYNC-58, IGN-2
	s := homeservertest.Room(syncWith(t, alice, token, ""), "join", room)
	same(t, "messages", bodies(s.Get("timeline.events")), []string{})
	same(t, "state events stay", stateKeys(s.Get("timeline.events")), []string{"m.room.member/@mallory:example.org"})
	// SYNC-46
	token = syncWith(t, alice, "", "").Get("next_batch").Str
	spam := mallory.CreateRoom(t, nil)
	mallory.Invite(t, spam, alice.User)
	if answer := syncWith(t, alice, token, ""); answer.Get("rooms").Exists() {
		t.Errorf("an invite by an ignored user: %s", answer)
	}
	// SYNC-59
	ignore(`{"ignored_users":{}}`)
	answer := syncWith(t, alice, token, "")
	same(t, "what was missed is not sent again", answer.Get("rooms.join").Raw, "")
	s = homeservertest.Room(syncWith(t, alice, "", ""), "join", room)
	same(t, "a first sync shows it", bodies(s.Get("timeline.events")), []string{"spam"})
}

func TestSyncUnsigned(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	tablet := hs.Login(t, "alice")
	room := alice.CreateRoom(t, nil)
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	id := events.EventID(alice.Put(t, homeservertest.Path("/v3/rooms/{}/send/m.room.message/txn1", room), `{"msgtype":"m.text","body":"b"}`).Get("event_id").Str)
	event := func(c *homeservertest.Client, id events.EventID) gjson.Result {
		t.Helper()
		return homeservertest.Room(syncWith(t, c, token, ""), "join", room).Get(`timeline.events.#(event_id=="` + string(id) + `")`)
	}
	// EVT-5, EVT-6, EVT-9, CLIENT-5
	own := event(alice, id).Get("unsigned")
	if own.Get("transaction_id").Str != "txn1" || own.Get("membership").Str != "join" || !own.Get("age").Exists() || own.Get("age").Int() > 60_000 {
		t.Errorf("unsigned for the sender: %s", own)
	}
	same(t, "transaction_id for another device", event(tablet, id).Get("unsigned.transaction_id").Raw, "")
	// EVT-7, EVT-8
	first := alice.SetState(t, room, "m.room.topic", "", `{"topic":"1"}`)
	second := alice.SetState(t, room, "m.room.topic", "", `{"topic":"2"}`)
	e := event(alice, second)
	same(t, "prev_content", e.Get("unsigned.prev_content").Raw, `{"topic":"1"}`)
	same(t, "replaces_state", e.Get("unsigned.replaces_state").Str, string(first))
	if e.Get("prev_content").Exists() {
		t.Error("prev_content at top level")
	}
	// EVT-10, CLIENT-4
	because := alice.Redact(t, room, id)
	e = event(alice, id)
	if e.Get("content").Raw != "{}" || e.Get("unsigned.redacted_because.event_id").Str != string(because) || e.Get("unsigned.redacted_because.sender").Str != string(alice.User) {
		t.Errorf("redacted: %s", e)
	}
}
