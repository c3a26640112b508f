package homeserver_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// contents lists type and content of account data.
func contents(list gjson.Result) map[string]string {
	out := map[string]string{}
	for _, d := range list.Array() {
		out[d.Get("type").Str] = d.Get("content").Raw
	}
	return out
}

func TestSlidingToDevice(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	txn := 0
	send := func(text string) {
		txn++
		alice.Put(t, fmt.Sprint("/v3/sendToDevice/x/", txn), map[string]any{
			"messages": map[string]any{string(bob.User): map[string]any{"*": map[string]any{"n": text}}},
		})
	}
	ask := func(pos, more string) gjson.Result {
		t.Helper()
		return slide(t, bob, pos, `{"conn_id":"encryption","extensions":{"to_device":{"enabled":true`+more+`}}}`)
	}
	texts := func(answer gjson.Result) string {
		t.Helper()
		if answer.Get("extensions.to_device.next_batch").Str == "" || !answer.Get("extensions.to_device.events").IsArray() {
			t.Errorf("no next_batch or events: %s", answer) // SLIDE-43
		}
		all := ""
		for _, e := range answer.Get("extensions.to_device.events").Array() {
			all += e.Get("content.n").Str
		}
		return all
	}
	since := func(answer gjson.Result) string {
		return fmt.Sprintf(`,"since":%q`, answer.Get("extensions.to_device.next_batch").Str)
	}
	// SLIDE-43
	none := ask("", "")
	same(t, "nothing", texts(none), "")
	send("a")
	send("b")
	one := ask(pos(none), since(none))
	same(t, "messages", texts(one), "ab")
	same(t, "the sender", one.Get("extensions.to_device.events.0.sender").Str, string(alice.User))
	// Until they are acknowledged they come again, on any connection.
	same(t, "not acknowledged", texts(ask(pos(one), since(none))), "ab")
	same(t, "a new connection", texts(ask("", "")), "ab")
	same(t, "acknowledged", texts(ask("", since(one))), "")
	same(t, "gone", texts(ask("", "")), "")
	same(t, "gone for /sync", syncWith(t, bob, "", "").Get("to_device.events.#").Raw, "")
	// limit
	for _, text := range []string{"1", "2", "3", "4", "5"} {
		send(text)
	}
	first := ask("", `,"limit":2`)
	same(t, "two", texts(first), "12")
	second := ask(pos(first), `,"limit":2`+since(first))
	same(t, "two more", texts(second), "34")
	third := ask(pos(second), `,"limit":2`+since(second))
	same(t, "the rest", texts(third), "5")
	same(t, "no more", texts(ask(pos(third), since(third))), "")
	// Only where it is asked for.
	send("x")
	for _, body := range []string{`{}`, `{"extensions":{"to_device":{}}}`, `{"extensions":{"to_device":{"enabled":false}}}`} {
		same(t, body, slide(t, bob, "", body).Get("extensions").Raw, "{}")
	}
}

// CLIENTC-11: what /sync tells of keys and devices, by the same rules.
func TestSlidingE2EE(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	upload := func(c *homeservertest.Client, keys map[string]any) { c.Post(t, "/v3/keys/upload", keys) }
	device := func(c *homeservertest.Client, key string) map[string]any {
		return map[string]any{"device_keys": map[string]any{
			"user_id": c.User, "device_id": c.Device, "algorithms": []string{"x"}, "keys": map[string]any{"x:" + c.Device: key}, "signatures": map[string]any{},
		}}
	}
	const body = `{"conn_id":"encryption","extensions":{"e2ee":{"enabled":true}}}`
	upload(alice, device(alice, "1"))
	first := slide(t, bob, "", body)
	// SLIDE-44: no device lists without a position, the counts always.
	same(t, "at first", first.Get("extensions.e2ee").Raw, `{"device_one_time_keys_count":{"signed_curve25519":0},"device_unused_fallback_key_types":[]}`)
	upload(bob, map[string]any{
		"one_time_keys": map[string]any{"signed_curve25519:A": map[string]any{"key": "k", "signatures": map[string]any{}}, "signed_curve25519:B": map[string]any{"key": "l", "signatures": map[string]any{}}},
		"fallback_keys": map[string]any{"signed_curve25519:F": map[string]any{"key": "f", "fallback": true, "signatures": map[string]any{}}},
	})
	second := slide(t, bob, pos(first), body)
	e2ee := second.Get("extensions.e2ee")
	same(t, "counts", e2ee.Get("device_one_time_keys_count.signed_curve25519").Raw+e2ee.Get("device_unused_fallback_key_types").Raw, `2["signed_curve25519"]`)
	same(t, "device lists", e2ee.Get("device_lists").Exists(), false)
	// KEYS-57: a claim is told of at once.
	got := make(chan gjson.Result, 1)
	at := pos(slide(t, bob, pos(second), body))
	go func() { got <- slide(t, bob, at, body, "timeout", forever) }()
	alice.Post(t, "/v3/keys/claim", map[string]any{"one_time_keys": map[string]any{string(bob.User): map[string]any{bob.Device: "signed_curve25519"}}})
	third := <-got
	same(t, "after a claim", third.Get("extensions.e2ee.device_one_time_keys_count.signed_curve25519").Raw, "1")
	// A change, and one that nobody has heard of until the same position is asked for again.
	upload(alice, device(alice, "1"))
	hs.Login(t, "alice").Post(t, "/v3/keys/upload", nil)
	tablet := hs.Login(t, "alice")
	upload(tablet, device(tablet, "2"))
	for range 2 {
		answer := slide(t, bob, pos(third), body)
		same(t, "changed", answer.Get("extensions.e2ee.device_lists.changed").Raw, `["@alice:example.org"]`)
	}
	fourth := slide(t, bob, pos(third), body)
	// What changes while other things are asked for on the connection is not lost.
	fifth := slide(t, bob, pos(fourth), `{"conn_id":"encryption"}`)
	alice.Leave(t, room)
	sixth := slide(t, bob, pos(fifth), `{"conn_id":"encryption","lists":{"a":{"timeline_limit":1}}}`)
	same(t, "left", slide(t, bob, pos(sixth), body).Get("extensions.e2ee.device_lists.left").Raw, `["@alice:example.org"]`)
}

func TestSlidingAccountData(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	old := alice.CreateRoom(t, nil)
	room := alice.CreateRoom(t, nil)
	global := func(typ, content string) {
		alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/{}", alice.User, typ), content)
	}
	of := func(room events.RoomID, typ, content string) {
		alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/{}", alice.User, room, typ), content)
	}
	global("a", `{"n":1}`)
	of(room, "a", `{"n":2}`)
	of(room, "b", `{"n":3}`)
	of(old, "a", `{"n":4}`)
	body := func(ranges, on string) string {
		return `{"lists":{"l":{"timeline_limit":1,"ranges":` + ranges + `}},"extensions":{"account_data":{"enabled":` + on + `}}}`
	}
	in := func(answer gjson.Result, room events.RoomID) map[string]string {
		return contents(answer.Get("extensions.account_data.rooms." + gjson.Escape(string(room))))
	}
	s := &slider{Client: alice, body: body(`[[0,0]]`, "true")}
	// SLIDE-45: without a position everything global, and of rooms that are new everything.
	first := s.next(t)
	everything := contents(first.Get("extensions.account_data.global"))
	if everything["a"] != `{"n":1}` || !gjson.Get(everything["m.push_rules"], "global.override").IsArray() || len(everything) != 2 {
		t.Errorf("global account data: %v", everything)
	}
	same(t, "of the room", in(first, room), map[string]string{"a": `{"n":2}`, "b": `{"n":3}`})
	same(t, "of the room outside of the window", in(first, old), map[string]string{})
	// Then changes.
	global("a", `{"n":5}`)
	of(room, "b", `{"n":6}`)
	of(old, "a", `{"n":7}`)
	second := s.next(t)
	same(t, "global changes", contents(second.Get("extensions.account_data.global")), map[string]string{"a": `{"n":5}`})
	same(t, "changes of the room", in(second, room), map[string]string{"b": `{"n":6}`})
	same(t, "of the room outside of the window", in(second, old), map[string]string{})
	same(t, "rooms", len(second.Get("rooms").Map()), 0)
	alice.Put(t, "/v3/pushrules/global/override/.m.rule.master/enabled", `{"enabled":true}`)
	rules := contents(s.next(t).Get("extensions.account_data.global"))
	if len(rules) != 1 || rules["m.push_rules"] == "" {
		t.Errorf("changed push rules: %v", rules)
	}
	// What changed while it was not asked for, or while the room was out of sight.
	s.body = body(`[[0,0]]`, "false")
	global("a", `{"n":8}`)
	of(room, "a", `{"n":9}`)
	same(t, "not asked for", s.next(t).Get("extensions").Raw, "{}")
	s.body = body(`[[0,1]]`, "true")
	third := s.next(t)
	same(t, "global, asked for again", contents(third.Get("extensions.account_data.global")), map[string]string{"a": `{"n":8}`})
	same(t, "of the room, asked for again", in(third, room)["a"], `{"n":9}`)
	same(t, "of a room that comes in sight", in(third, old), map[string]string{"a": `{"n":7}`})
	alice.Say(t, room, "on top")
	s.body = body(`[[0,0]]`, "true")
	s.next(t)
	of(old, "a", `{"n":10}`)
	same(t, "out of sight", in(s.next(t), old), map[string]string{})
	s.body = body(`[[0,1]]`, "true")
	same(t, "in sight again", in(s.next(t), old), map[string]string{"a": `{"n":10}`})
}

func TestSlidingReceiptsAndTyping(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	carol.Join(t, room)
	other := alice.CreateRoom(t, nil)
	read := func(c *homeservertest.Client, typ string, event events.EventID) {
		c.Post(t, homeservertest.Path("/v3/rooms/{}/receipt/{}/{}", room, typ, event), `{}`)
	}
	one := alice.Say(t, room, "one")
	read(alice, "m.read", one)
	read(bob, "m.read", one)
	two := alice.Say(t, room, "two")
	read(carol, "m.read", two)
	read(bob, "m.read.private", two)
	ask := func(limit int) string {
		return fmt.Sprintf(`{"lists":{"l":{"timeline_limit":%d}},"extensions":{"receipts":{"enabled":true},"typing":{"enabled":true}}}`, limit)
	}
	in := func(answer gjson.Result, extension string) gjson.Result {
		return answer.Get("extensions." + extension + ".rooms." + gjson.Escape(string(room)))
	}
	receipts := func(answer gjson.Result) map[string]string {
		t.Helper()
		out := map[string]string{}
		if e := in(answer, "receipts"); e.Exists() {
			same(t, "type", e.Get("type").Str, "m.receipt")
			readReceipts(out, e)
		}
		return out
	}
	// SLIDE-46: at first those on events of the timeline, and one's own.
	s := &slider{Client: alice, body: ask(1)}
	first := s.next(t)
	same(t, "receipts", receipts(first), map[string]string{"m.read@carol:example.org": string(two), "m.read@alice:example.org": string(one)})
	same(t, "bob's private one", receipts(slide(t, bob, "", ask(1))), map[string]string{
		"m.read@carol:example.org": string(two), "m.read@bob:example.org": string(one), "m.read.private@bob:example.org": string(two),
	})
	// Then what changes.
	read(bob, "m.read", two)
	same(t, "a change", receipts(s.next(t)), map[string]string{"m.read@bob:example.org": string(two)})
	same(t, "once", receipts(s.next(t)), map[string]string{})
	three := alice.Say(t, room, "three")
	s.next(t)
	read(bob, "m.read.private", three)
	same(t, "a private one of somebody else", receipts(s.next(t)), map[string]string{})
	// Those on events that are told anew.
	fresh := &slider{Client: alice, body: ask(1)}
	fresh.next(t)
	fresh.body = ask(2)
	same(t, "expanded", receipts(fresh.next(t)), map[string]string{
		"m.read@carol:example.org": string(two), "m.read@bob:example.org": string(two), "m.read@alice:example.org": string(one),
	})

	// SLIDE-47
	s = &slider{Client: alice, body: ask(1)}
	same(t, "nobody types", in(s.next(t), "typing").Exists(), false)
	typing := func(is string) {
		bob.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, bob.User), `{"typing":`+is+`,"timeout":60000}`)
	}
	typing("true")
	answer := s.next(t)
	same(t, "bob types", in(answer, "typing").Raw, `{"type":"m.typing","content":{"user_ids":["@bob:example.org"]}}`)
	same(t, "nothing else", len(answer.Get("rooms").Map())+len(answer.Get("extensions.typing.rooms").Map()), 1)
	alice.Say(t, other, "elsewhere")
	same(t, "once", in(s.next(t), "typing").Exists(), false)
	same(t, "at first", in(slide(t, carol, "", ask(1)), "typing").Get("content.user_ids").Raw, `["@bob:example.org"]`)
	typing("false")
	same(t, "bob has stopped", in(s.next(t), "typing").Get("content.user_ids").Raw, `[]`)
}

// SLIDE-42, SLIDE-48: which rooms an extension is for.
func TestSlidingExtensionScope(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	names := map[events.RoomID]string{}
	var rooms []events.RoomID
	for i := range 3 {
		room := alice.CreateRoom(t, nil)
		alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", alice.User, room), `{}`)
		names[room] = fmt.Sprint("r", i)
		rooms = append(rooms, room)
	}
	// r2 is in the list "new", r1 in the list "next", r0 is subscribed to.
	ask := func(scope string) gjson.Result {
		t.Helper()
		return slide(t, alice, "", fmt.Sprintf(`{"lists":{"new":{"timeline_limit":1,"ranges":[[0,0]]},"next":{"timeline_limit":1,"ranges":[[1,1]]}},
			"room_subscriptions":{%q:{"timeline_limit":1}},
			"extensions":{"account_data":{"enabled":true%s},"org.example.unknown":{"enabled":true},"io.element.msc4308.thread_subscriptions":{"enabled":true}}}`, rooms[0], scope))
	}
	for scope, want := range map[string][]string{
		``:                             {"r0", "r1", "r2"},
		`,"lists":["*"],"rooms":["*"]`: {"r0", "r1", "r2"},
		`,"lists":[]`:                  {"r0"},
		`,"rooms":[]`:                  {"r1", "r2"},
		`,"lists":[],"rooms":[]`:       {},
		`,"lists":["new"],"rooms":[]`:  {"r2"},
		`,"lists":["next","no such"]`:  {"r0", "r1"},
		`,"lists":[],"rooms":["` + string(rooms[0]) + `"]`: {"r0"},
		`,"lists":[],"rooms":["` + string(rooms[1]) + `"]`: {}, // not among the subscriptions
	} {
		answer := ask(scope)
		got := slidRooms(gjson.Parse(`{"rooms":`+answer.Get("extensions.account_data.rooms").Raw+`}`), names)
		same(t, "scope "+scope, got, want)
		same(t, "rooms", slidRooms(answer, names), []string{"r0", "r1", "r2"})
		same(t, "unknown extensions", answer.Get("extensions.#").Int()+int64(len(answer.Get("extensions").Map())), int64(1))
	}
}

// TestSlidingClient does what Element X does when it starts: CLIENT-19 to CLIENT-25.
func TestSlidingClient(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	for i := range 25 {
		room := alice.CreateRoom(t, map[string]any{"name": fmt.Sprint("room ", i)})
		alice.Say(t, room, "hello")
	}
	invite := bob.CreateRoom(t, nil)
	bob.Invite(t, invite, alice.User)
	body := func(end int) string {
		return fmt.Sprintf(`{"conn_id":"room-list","lists":{"all_rooms":{"ranges":[[0,%d]],"timeline_limit":1,"required_state":%s}},
			"extensions":{"account_data":{"enabled":true},"receipts":{"enabled":true,"rooms":["*"]},"typing":{"enabled":true}}}`, end, elementState)
	}
	known := map[string]bool{}
	at, count := "", 0
	for end := 19; len(known) == 0 || end-100 < count; end += 100 { // CLIENT-20
		answer := slide(t, alice, at, body(end), "timeout", "0")
		at, count = pos(answer), int(answer.Get("lists.all_rooms.count").Int())
		answer.Get("rooms").ForEach(func(id, entry gjson.Result) bool {
			if known[id.Str] || !entry.Get("initial").Bool() || entry.Get("bump_stamp").Int() <= 0 { // CLIENT-25
				t.Errorf("%s: %s", id.Str, entry)
			}
			known[id.Str] = true
			if entry.Get("invite_state").Exists() {
				return true
			}
			want := []string{ // CLIENT-21
				"m.room.create", "m.room.history_visibility", "m.room.join_rules", "m.room.member/@alice:example.org", "m.room.name", "m.room.power_levels",
			}
			same(t, "required_state", stateKeys(entry.Get("required_state")), want)
			same(t, "timeline", len(entry.Get("timeline").Array()), 1)
			return true
		})
	}
	if count != 26 || len(known) != 26 {
		t.Errorf("the list has %d rooms, %d were told", count, len(known))
	}
	// Connections in parallel on one device (CLIENT-19).
	encryption := slide(t, alice, "", `{"conn_id":"encryption","extensions":{"to_device":{"enabled":true},"e2ee":{"enabled":true}}}`)
	notification := slide(t, alice, "", `{"conn_id":"notification","lists":{"invites":{"ranges":[[0,16]],"timeline_limit":8,
		"required_state":[["m.room.member","$ME"]],"filters":{"is_invite":true}}},"extensions":{"e2ee":{"enabled":true}}}`)
	same(t, "invites", len(notification.Get("rooms").Map())+int(notification.Get("lists.invites.count").Int()), 2)
	if encryption.Get("extensions.e2ee.device_one_time_keys_count").Raw == "" || len(encryption.Get("rooms").Map()) != 0 {
		t.Errorf("encryption: %s", encryption)
	}
	// A long poll of the room list ends with a message, which the client orders by (CLIENT-24, CLIENT-25).
	alice.Join(t, invite)
	answer := slide(t, alice, at, body(125))
	at = pos(answer)
	got := make(chan gjson.Result, 1)
	go func() { got <- slide(t, alice, at, body(125), "timeout", "30000") }()
	id := bob.Say(t, invite, "hello")
	entry := slid(<-got, invite)
	if !strings.Contains(entry.Get("timeline").Raw, string(id)) || entry.Get("limited").Raw != "false" || entry.Get("bump_stamp").Int() <= slid(answer, invite).Get("bump_stamp").Int() {
		t.Errorf("a message: %s", entry)
	}
}
