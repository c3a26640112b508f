package homeserver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

const slidingPath = "/unstable/org.matrix.simplified_msc3575/sync"

// slide asks for what is new after a position, "" for a new connection.
func slide(t *testing.T, c *homeservertest.Client, pos, body string, query ...string) gjson.Result {
	t.Helper()
	return c.Post(t, slidingURL(pos, query...), body)
}

func slidingURL(pos string, query ...string) string {
	values := url.Values{}
	if pos != "" {
		values.Set("pos", pos)
	}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	return slidingPath + "?" + values.Encode()
}

// pos is the position of an answer.
func pos(answer gjson.Result) string { return answer.Get("pos").Str }

// slid returns what an answer tells of a room.
func slid(answer gjson.Result, room events.RoomID) gjson.Result {
	return answer.Get("rooms." + gjson.Escape(string(room)))
}

// slidRooms lists the rooms of an answer by the names that the test has for them.
func slidRooms(answer gjson.Result, names map[events.RoomID]string) []string {
	list := []string{}
	for id := range answer.Get("rooms").Map() {
		list = append(list, names[events.RoomID(id)])
	}
	slices.Sort(list)
	return list
}

// slideAll asks for all rooms, with much of the timeline and all state.
const slideAll = `{"lists":{"all":{"timeline_limit":20,"required_state":[["*","*"]]}}}`

func TestSlidingEndpoint(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	// SLIDE-1, CLIENT-18: told to everybody.
	for _, c := range []*homeservertest.Client{alice, hs.Anonymous()} {
		same(t, "feature", c.Get(t, "/versions").Get("unstable_features").Get(`org\.matrix\.simplified_msc3575`).Raw, "true")
	}
	hs.Anonymous().Do(t, "POST", slidingPath, `{}`).WantError(401, "M_MISSING_TOKEN")
	// SLIDE-2, SLIDE-3: everything may be left out.
	for _, body := range []any{nil, `{}`, `{"conn_id":"x","txn_id":"t","lists":{},"room_subscriptions":{},"extensions":{}}`} {
		answer := alice.Post(t, slidingPath, body)
		// SLIDE-28
		if pos(answer) == "" || !answer.Get("lists").IsObject() || !answer.Get("rooms").IsObject() || !answer.Get("extensions").IsObject() {
			t.Errorf("%v: %s", body, answer)
		}
		if body != nil && strings.Contains(fmt.Sprint(body), "txn_id") != (answer.Get("txn_id").Str == "t") {
			t.Errorf("%v: txn_id in %s", body, answer)
		}
	}
	alice.Do(t, "POST", slidingPath+"?set_presence=busy", `{}`).WantError(400, "M_INVALID_PARAM")
	alice.Do(t, "POST", slidingPath+"?timeout=soon", `{}`).WantError(400, "M_INVALID_PARAM")
	alice.Post(t, slidingPath+"?set_presence=unavailable&timeout=-1", `{}`)
	same(t, "presence", alice.Get(t, homeservertest.Path("/v3/presence/{}/status", alice.User)).Get("presence").Str, "unavailable")
	// Without a timeout nothing is waited for.
	first := slide(t, alice, "", slideAll)
	same(t, "nothing new", len(slide(t, alice, pos(first), slideAll).Get("rooms").Map()), 0)
	// SLIDE-10, READ-10: the position leads to what was told, and not further.
	last := alice.Say(t, room, "told")
	answer := slide(t, alice, pos(first), slideAll)
	alice.Say(t, room, "later")
	page := alice.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=1&from="+pos(answer))
	same(t, "messages from pos", ids(page.Get("chunk")), []string{string(last)})
	page = alice.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=f&from="+pos(answer))
	same(t, "messages after pos", bodies(page.Get("chunk")), []string{"later"})
	reply := map[string]any{"body": "r", "msgtype": "m.text", "m.relates_to": map[string]any{"rel_type": "m.thread", "event_id": last}}
	related := alice.Send(t, room, "m.room.message", reply)
	answer = slide(t, alice, pos(answer), slideAll)
	alice.Send(t, room, "m.room.message", reply)
	page = alice.Get(t, homeservertest.Path("/v1/rooms/{}/relations/{}", room, last)+"?from="+pos(answer))
	same(t, "relations from pos", ids(page.Get("chunk")), []string{string(related)})
}

// What a request may not be, and that it changes nothing.
func TestSlidingBadInput(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, nil)
	first := slide(t, alice, "", slideAll)
	list := func(text string) string { return `{"lists":{"a":` + text + `}}` }
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf(`"l%d":{"timeline_limit":1}`, i))
	}
	states := strings.Repeat(`["a","b"],`, 1001)
	var subscriptions []string
	for i := range 1001 {
		subscriptions = append(subscriptions, fmt.Sprintf(`"!%d:example.org":{"timeline_limit":1}`, i))
	}
	for _, tt := range []struct{ id, body, code string }{
		{"SLIDE-11: the name of a list", `{"lists":{"a b":{"timeline_limit":1}}}`, "M_INVALID_PARAM"},
		{"SLIDE-11: no name", `{"lists":{"":{"timeline_limit":1}}}`, "M_INVALID_PARAM"},
		{"SLIDE-11: a long name", `{"lists":{"` + strings.Repeat("a", 256) + `":{"timeline_limit":1}}}`, "M_INVALID_PARAM"},
		{"SLIDE-11: many lists", `{"lists":{` + strings.Join(many, ",") + `}}`, "M_INVALID_PARAM"},
		{"SLIDE-12: half a range", list(`{"timeline_limit":1,"ranges":[[1]]}`), "M_INVALID_PARAM"},
		{"SLIDE-12: a range backwards", list(`{"timeline_limit":1,"ranges":[[2,1]]}`), "M_INVALID_PARAM"},
		{"SLIDE-12: a range before the first", list(`{"timeline_limit":1,"ranges":[[-1,1]]}`), "M_INVALID_PARAM"},
		{"SLIDE-12: a range of text", list(`{"timeline_limit":1,"ranges":[["0","1"]]}`), "M_BAD_JSON"},
		{"SLIDE-13: no limit", list(`{"ranges":[[0,1]]}`), "M_MISSING_PARAM"},
		{"SLIDE-13: a negative limit", list(`{"timeline_limit":-1}`), "M_INVALID_PARAM"},
		{"SLIDE-13: no limit in a subscription", `{"room_subscriptions":{"!a:b":{}}}`, "M_MISSING_PARAM"},
		{"SLIDE-22: types of rooms", list(`{"timeline_limit":1,"filters":{"room_types":[1]}}`), "M_BAD_JSON"},
		{"SLIDE-22: types that are no list", list(`{"timeline_limit":1,"filters":{"not_room_types":"m.space"}}`), "M_BAD_JSON"},
		{"SLIDE-23: half a key", list(`{"timeline_limit":1,"required_state":[["m.room.name"]]}`), "M_INVALID_PARAM"},
		{"SLIDE-23: too much state", list(`{"timeline_limit":1,"required_state":[` + strings.TrimSuffix(states, ",") + `]}`), "M_INVALID_PARAM"},
		{"SLIDE-14: many subscriptions", `{"room_subscriptions":{` + strings.Join(subscriptions, ",") + `}}`, "M_INVALID_PARAM"},
		{"SLIDE-21: many tags", list(`{"timeline_limit":1,"filters":{"tags":[` + strings.TrimSuffix(strings.Repeat(`"t",`, 101), ",") + `]}}`), "M_INVALID_PARAM"},
		{"SLIDE-43: a token that is none", `{"extensions":{"to_device":{"enabled":true,"since":"x"}}}`, "M_INVALID_PARAM"},
		{"no object", `[]`, "M_BAD_JSON"},
		{"no JSON", `{`, "M_NOT_JSON"},
	} {
		t.Run(tt.id, func(t *testing.T) {
			alice.Do(t, "POST", slidingURL(pos(first)), tt.body).WantError(400, tt.code)
		})
	}
	// SLIDE-14: rooms that are nothing to the user are left out without a word.
	body := fmt.Sprintf(`{"room_subscriptions":{"!unknown:example.org":{"timeline_limit":1},"no ID":{"timeline_limit":1},%q:{"timeline_limit":1}}}`, room)
	same(t, "rooms", slidRooms(slide(t, alice, "", body), map[events.RoomID]string{room: "room"}), []string{"room"})
	// The connection of before is gone with that; a name of the longest kind is fine.
	alice.Do(t, "POST", slidingURL(pos(first)), slideAll).WantError(400, "M_UNKNOWN_POS")
	slide(t, alice, "", `{"lists":{"`+strings.Repeat("aZ0-._~", 36)+`abc":{"timeline_limit":100000}}}`)
}

// SLIDE-4 to SLIDE-8: what is remembered of a connection, and for whom.
func TestSlidingConnections(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hs.db")
	st, err := sqlite.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	hs := homeservertest.New(t, homeserver.WithStore(st))
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	tablet := hs.Login(t, "alice")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	named := func(conn string) string {
		return strings.Replace(slideAll, "{", fmt.Sprintf(`{"conn_id":%q,`, conn), 1)
	}

	// SLIDE-4: each begins for itself, and what one was told is no concern of the others.
	places := map[string]string{"none": pos(slide(t, alice, "", slideAll)), "a": pos(slide(t, alice, "", named("a"))), "b": pos(slide(t, alice, "", named("b")))}
	onTablet := pos(slide(t, tablet, "", named("a")))
	alice.Say(t, room, "for all")
	for conn, at := range places {
		body := named(conn)
		if conn == "none" {
			body = slideAll
		}
		same(t, conn, bodies(slid(slide(t, alice, at, body), room).Get("timeline")), []string{"for all"})
	}
	same(t, "tablet", bodies(slid(slide(t, tablet, onTablet, named("a")), room).Get("timeline")), []string{"for all"})

	// SLIDE-5: nothing is taken from earlier requests but what was told.
	start := slide(t, alice, "", `{"conn_id":"c","lists":{"all":{"timeline_limit":1}},"extensions":{"account_data":{"enabled":true}}}`)
	bare := slide(t, alice, pos(start), `{"conn_id":"c"}`)
	if len(bare.Get("rooms").Map())+len(bare.Get("lists").Map())+len(bare.Get("extensions").Map()) != 0 {
		t.Errorf("nothing was asked for: %s", bare)
	}
	alice.Say(t, room, "meanwhile")
	again := slide(t, alice, pos(bare), `{"conn_id":"c","lists":{"all":{"timeline_limit":1}}}`)
	if entry := slid(again, room); entry.Get("initial").Exists() || len(entry.Get("timeline").Array()) != 1 {
		t.Errorf("what was told is forgotten: %s", again)
	}

	// SLIDE-6: the last position again gives the same and what is new.
	answer := slide(t, alice, "", named("d"))
	at := pos(answer)
	alice.Say(t, room, "one")
	lost := slide(t, alice, at, named("d"))
	alice.Say(t, room, "two")
	same(t, "after a lost answer", bodies(slid(slide(t, alice, at, named("d")), room).Get("timeline")), []string{"one", "two"})
	// An answer that was not lost after all may be gone on from as well.
	same(t, "from the first answer", bodies(slid(slide(t, alice, pos(lost), named("d")), room).Get("timeline")), []string{"two"})
	refused := func(c *homeservertest.Client, at, body, why string) {
		t.Helper()
		if r := c.Do(t, "POST", slidingURL(at), body); r.Status != 400 || r.JSON().Get("errcode").Str != "M_UNKNOWN_POS" {
			t.Errorf("%s: %v (SLIDE-7)", why, r)
		}
	}
	refused(alice, at, named("d"), "before what was acknowledged")
	// SLIDE-7
	d := pos(slide(t, alice, "", named("d")))
	refused(alice, pos(lost), named("d"), "of before the connection began anew")
	number, mark, _ := strings.Cut(strings.TrimPrefix(d, "1-"), ".")
	for _, bad := range []string{"x", "0", "1-" + number, "1-" + number + ".", "1-9999999." + mark, "1-1." + mark, d + "x", "1-" + number + "." + strings.ToLower(mark)} {
		refused(alice, bad, named("d"), "position "+bad)
	}
	refused(bob, d, named("d"), "of another user")
	refused(tablet, d, named("d"), "of another device")
	refused(alice, d, named("a"), "of another connection")
	refused(alice, d, named("never opened"), "of a connection that never was")
	slide(t, alice, d, named("d"))
	// A device that opens very many connections loses its oldest.
	for i := range 16 {
		slide(t, alice, "", named(fmt.Sprint("many ", i)))
	}
	refused(alice, d, named("d"), "of a connection that had to go")
	slide(t, tablet, onTablet, named("a")) // not another device's

	// SLIDE-8: beginning anew is answered at once and with everything.
	fresh := slide(t, tablet, "", named("a"), "timeout", forever)
	if !slid(fresh, room).Get("initial").Bool() {
		t.Errorf("a new connection: %s", fresh)
	}
	slide(t, hs.User(t, "carol"), "", `{}`, "timeout", forever) // though there is nothing to tell

	// A position from before a restart.
	old := pos(fresh)
	if err := hs.Close(); err != nil {
		t.Fatal(err)
	}
	if st, err = sqlite.Open(file); err != nil {
		t.Fatal(err)
	}
	next := homeservertest.New(t, homeserver.WithStore(st))
	same(t, "after a restart", signedInAt(next, tablet).Do(t, "POST", slidingURL(old), named("a")).WantError(400, "M_UNKNOWN_POS").Get("errcode").Str, "M_UNKNOWN_POS")
	if !slid(slide(t, signedInAt(next, tablet), "", named("a")), room).Get("initial").Bool() {
		t.Error("the client cannot begin anew after a restart")
	}
}

// signedInAt is a client of one server at another.
func signedInAt(hs *homeservertest.Server, c *homeservertest.Client) *homeservertest.Client {
	moved := hs.Anonymous()
	moved.User, moved.Device, moved.Token = c.User, c.Device, c.Token
	return moved
}

func TestSlidingWaits(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"first"}`)
	bob.Join(t, room)
	other := bob.CreateRoom(t, `{"name":"second"}`)
	const conn = `{"lists":{"a":{"timeline_limit":1,"ranges":[[0,0]],"required_state":[["m.room.name",""]]}},
		"extensions":{"account_data":{"enabled":true},"receipts":{"enabled":true},"typing":{"enabled":true},"e2ee":{"enabled":true}}}`
	start := func() string { return pos(slide(t, bob, pos(slide(t, bob, "", conn)), conn)) }

	// SLIDE-9, CLIENT-20: time is up.
	began := time.Now()
	answer := slide(t, bob, start(), conn, "timeout", "150")
	if waited := time.Since(began); waited < 150*time.Millisecond || pos(answer) == "" {
		t.Errorf("answered after %v: %s", waited, answer)
	}
	// Grown requests are answered at once.
	for what, body := range map[string]string{
		"a grown range":          strings.Replace(conn, "[[0,0]]", "[[0,1]]", 1),
		"a range beyond":         strings.Replace(strings.Replace(conn, "[[0,0]]", "[[0,99]]", 1), "m.room.name", "m.room.topic", 1),
		"a new list":             strings.Replace(conn, `"lists":{`, `"lists":{"b":{"timeline_limit":0,"ranges":[[7,9]]},`, 1),
		"a new subscription":     strings.Replace(conn, `"extensions"`, fmt.Sprintf(`"room_subscriptions":{%q:{"timeline_limit":1}},"extensions"`, room), 1),
		"a raised limit":         strings.Replace(conn, `"timeline_limit":1`, `"timeline_limit":2`, 1),
		"more required state":    strings.Replace(conn, `["m.room.name",""]`, `["m.room.name",""],["m.room.create",""]`, 1),
		"another filter":         strings.Replace(conn, `"ranges"`, `"filters":{"is_encrypted":true},"ranges"`, 1),
		"all rooms of a list":    strings.Replace(conn, `"ranges":[[0,0]],`, "", 1),
		"members, loaded lazily": strings.Replace(conn, `["m.room.name",""]`, `["m.room.name",""],["m.room.member","$LAZY"]`, 1),
	} {
		t.Run(what, func(t *testing.T) { slide(t, bob, start(), body, "timeout", forever) })
	}
	// SLIDE-49 and what else wakes; each without a change of anything else.
	for what, change := range map[string]func(){
		"a message": func() { alice.Say(t, room, "wake up") },
		"state":     func() { alice.SetState(t, room, "m.room.name", "", `{"name":"new"}`) },
		"an invite": func() { alice.Invite(t, alice.CreateRoom(t, nil), bob.User) },
		"typing": func() {
			bob.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", other, bob.User), `{"typing":true}`)
			alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, alice.User), `{"typing":true}`)
		},
		"a receipt": func() {
			bob.Post(t, homeservertest.Path("/v3/rooms/{}/receipt/m.read/{}", other, bob.Say(t, other, "x")), `{}`)
		},
		"global account data": func() { bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/x", bob.User), `{}`) },
		"room account data": func() {
			bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", bob.User, other), `{}`)
		},
		"a message to the device": func() {
			alice.Put(t, "/v3/sendToDevice/x/"+fmt.Sprint(time.Now().UnixNano()), map[string]any{
				"messages": map[string]any{string(bob.User): map[string]any{"*": map[string]any{}}},
			})
		},
		"a changed device list": func() {
			alice.Post(t, "/v3/keys/upload", map[string]any{"device_keys": map[string]any{
				"user_id": alice.User, "device_id": alice.Device, "algorithms": []string{"x"}, "keys": map[string]any{"x:" + alice.Device: "k"}, "signatures": map[string]any{},
			}})
		},
	} {
		bob.Say(t, other, "newest") // in the window
		if what == "state" || what == "a message" || what == "typing" {
			bob.Say(t, room, "newest")
		}
		at, body := start(), conn
		if what == "a message to the device" {
			body = strings.Replace(conn, `"e2ee"`, `"to_device":{"enabled":true},"e2ee"`, 1)
		}
		got := make(chan gjson.Result, 1)
		go func() { got <- slide(t, bob, at, body, "timeout", forever) }()
		change()
		answer := <-got
		extensions := answer.Get("extensions")
		some := len(answer.Get("rooms").Map()) + len(extensions.Get("account_data.global").Array()) + len(extensions.Get("account_data.rooms").Map()) +
			len(extensions.Get("typing.rooms").Map()) + len(extensions.Get("receipts.rooms").Map()) + len(extensions.Get("to_device.events").Array()) +
			len(extensions.Get("e2ee.device_lists.changed").Array())
		if some == 0 {
			t.Errorf("%s: woken with nothing: %s", what, answer)
		}
	}
	// A change outside of the window does not end the waiting.
	bob.Say(t, other, "newest")
	at := start()
	alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, alice.User), `{"typing":false}`)
	began = time.Now()
	if answer := slide(t, bob, at, conn, "timeout", "150"); time.Since(began) < 150*time.Millisecond {
		t.Errorf("a change outside of the window: %s", answer)
	}

	// Two requests at once of one connection: both get everything, and either answer
	// may be gone on from.
	at = start()
	got := make(chan gjson.Result)
	for range 2 {
		go func() { got <- slide(t, bob, at, conn, "timeout", forever) }()
	}
	id := bob.Say(t, other, "for both")
	both := []gjson.Result{<-got, <-got}
	for _, answer := range both {
		same(t, "one of two", ids(slid(answer, other).Get("timeline")), []string{string(id)})
	}
	same(t, "afterwards", len(slide(t, bob, pos(both[0]), conn).Get("rooms").Map()), 0)

	// A client that goes away while it waits has lost nothing.
	at = start()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		req, _ := http.NewRequestWithContext(ctx, "POST", hs.URL+"/_matrix/client"+slidingURL(at, "timeout", forever), strings.NewReader(conn))
		req.Header.Set("Authorization", "Bearer "+bob.Token)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			t.Error("the request was answered")
		}
	}()
	cancel()
	<-gone
	id = bob.Say(t, other, "missed")
	same(t, "asked again", ids(slid(slide(t, bob, at, conn), other).Get("timeline")), []string{string(id)})
}

func TestSlidingLists(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	names := map[events.RoomID]string{}
	var rooms []events.RoomID
	for i := range 6 {
		room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
		names[room] = fmt.Sprint("r", i)
		rooms = append(rooms, room)
	}
	window := func(ranges string) string {
		return fmt.Sprintf(`{"lists":{"a":{"timeline_limit":1,"ranges":%s,"required_state":[["m.room.topic",""]]}}}`, ranges)
	}
	// SLIDE-12: inclusive, from the newest; beyond the end is harmless; absent means all.
	for ranges, want := range map[string][]string{
		`[[0,0]]`: {"r5"}, `[[0,1]]`: {"r4", "r5"}, `[[1,2]]`: {"r3", "r4"}, `[[0,0],[4,99]]`: {"r0", "r1", "r5"}, `[[0,2],[1,3]]`: {"r2", "r3", "r4", "r5"},
		`[[6,9]]`: {}, `[[5,9000000000]]`: {"r0"}, `null`: {"r0", "r1", "r2", "r3", "r4", "r5"}, `[]`: {},
	} {
		answer := slide(t, alice, "", window(ranges))
		same(t, ranges, slidRooms(answer, names), want)
		// SLIDE-29, CLIENT-20: whatever the range.
		same(t, "count of "+ranges, answer.Get("lists.a.count").Raw, "6")
	}
	// SLIDE-18: by the newest event of any type.
	alice.Send(t, rooms[2], "m.reaction", `{}`)
	same(t, "after an event", slidRooms(slide(t, alice, "", window(`[[0,0]]`)), names), []string{"r2"})
	alice.SetState(t, rooms[3], "m.room.topic", "", `{"topic":"t"}`)
	same(t, "after a state event", slidRooms(slide(t, alice, "", window(`[[0,0]]`)), names), []string{"r3"})
	alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", rooms[0], alice.User), `{"typing":true}`)
	at := slide(t, alice, "", window(`[[0,0]]`))
	same(t, "after typing", slidRooms(at, names), []string{"r3"})

	// SLIDE-19, SLIDE-31: new to the connection, or changed.
	step := func(what, ranges string, want ...string) gjson.Result {
		t.Helper()
		at = slide(t, alice, pos(at), window(ranges))
		same(t, what, slidRooms(at, names), append([]string{}, want...))
		return at
	}
	step("nothing new", `[[0,0]]`)
	alice.Say(t, rooms[0], "hello")
	if answer := step("a room comes into the window", `[[0,0]]`, "r0"); !slid(answer, rooms[0]).Get("initial").Bool() {
		t.Errorf("not initial: %s", answer)
	}
	alice.Say(t, rooms[0], "hello again")
	if answer := step("a room that is known", `[[0,0]]`, "r0"); slid(answer, rooms[0]).Get("initial").Exists() {
		t.Errorf("initial: %s", answer)
	}
	// SLIDE-20: what happens outside of the window is told when the room is back in it.
	alice.SetState(t, rooms[3], "m.room.topic", "", `{"topic":"new"}`)
	alice.Say(t, rooms[3], "meanwhile")
	alice.Say(t, rooms[0], "and on top")
	step("only the top", `[[0,0]]`, "r0")
	answer := slid(step("both", `[[0,1]]`, "r3"), rooms[3])
	if answer.Get("initial").Exists() || !answer.Get("limited").Bool() || answer.Get("required_state.0.content.topic").Str != "new" {
		t.Errorf("what was missed: %s", answer)
	}
	// A room moves up because another has gone.
	alice.Say(t, rooms[1], "third")
	alice.Say(t, rooms[3], "second")
	alice.Say(t, rooms[0], "first")
	step("the first two", `[[0,1]]`, "r0", "r3")
	alice.Leave(t, rooms[3])
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/forget", rooms[3]), `{}`)
	step("the leaving", `[[0,1]]`, "r3") // AMB-5: told once although the room is forgotten
	step("one moves up", `[[0,1]]`, "r1")
	same(t, "count", at.Get("lists.a.count").Raw, "5")
	// Windows that do not begin with the newest room.
	at = slide(t, alice, "", window(`[[1,1]]`))
	alice.Say(t, rooms[5], "to the top") // pushes r0 into the second place
	step("pushed down", `[[1,1]]`, "r0")

	// SLIDE-16: which rooms there are.
	const state = `[["m.room.member","$ME"]]`
	all := fmt.Sprintf(`{"lists":{"a":{"timeline_limit":1,"required_state":%s}}}`, state)
	kinds := map[events.RoomID]string{}
	made := func(name string) events.RoomID {
		room := alice.CreateRoom(t, `{"initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
		kinds[room] = name
		return room
	}
	into := func(name string) events.RoomID {
		room := made(name)
		alice.Invite(t, room, bob.User)
		bob.Join(t, room)
		return room
	}
	about := map[string]any{"user_id": bob.User}
	act := func(room events.RoomID, verb string) {
		alice.Post(t, homeservertest.Path("/v3/rooms/{}/{}", room, verb), about)
	}
	into("joined")
	alice.Invite(t, made("invited"), bob.User)
	bob.Post(t, homeservertest.Path("/v3/knock/{}", made("knocked")), `{}`)
	act(into("kicked"), "kick")
	act(into("banned"), "ban")
	act(made("banned without having been there"), "ban")
	left := into("left")
	bob.Leave(t, left)
	declined := made("declined")
	alice.Invite(t, declined, bob.User)
	bob.Leave(t, declined)
	retracted := made("invite taken back")
	alice.Invite(t, retracted, bob.User)
	act(retracted, "kick")
	forgotten := into("forgotten")
	act(forgotten, "kick")
	bob.Post(t, homeservertest.Path("/v3/rooms/{}/forget", forgotten), `{}`)
	first := slide(t, bob, "", all)
	same(t, "candidates", slidRooms(first, kinds), []string{"banned", "invited", "joined", "kicked", "knocked"})
	same(t, "their count", first.Get("lists.a.count").Raw, "5")
	// Those who leave are told so if they were told of the room before.
	mine := into("to leave")
	open := made("to decline")
	alice.Invite(t, open, bob.User)
	second := slide(t, bob, pos(first), all)
	bob.Leave(t, mine)
	bob.Leave(t, open)
	unseen := into("left before it was seen")
	bob.Leave(t, unseen)
	third := slide(t, bob, pos(second), all)
	same(t, "left", slidRooms(third, kinds), []string{"to decline", "to leave"})
	for _, room := range []events.RoomID{mine, open} { // CLIENT-22
		same(t, "membership", slid(third, room).Get("required_state.#(state_key==@bob:example.org).content.membership").Str, "leave")
	}
	fourth := slide(t, bob, pos(third), all)
	same(t, "told once", slidRooms(fourth, kinds), []string{})
	same(t, "those that were told stay in the list", fourth.Get("lists.a.count").Raw, "7")
	// A subscription shows no more than lists do (SLIDE-14).
	subscription := fmt.Sprintf(`{"conn_id":"s","room_subscriptions":{%q:{"timeline_limit":9},%q:{"timeline_limit":9},%q:{"timeline_limit":9}}}`, left, forgotten, declined)
	same(t, "subscriptions", slidRooms(slide(t, bob, "", subscription), kinds), []string{})
	// SLIDE-17
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", bob.User), map[string]any{"ignored_users": map[string]any{string(alice.User): map[string]any{}}})
	same(t, "invites of the ignored", slidRooms(slide(t, bob, "", all), kinds), []string{"banned", "joined", "kicked", "knocked"})
}
