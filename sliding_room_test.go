package homeserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// slider goes on from answer to answer.
type slider struct {
	*homeservertest.Client
	pos  string
	body string
}

func (s *slider) next(t *testing.T) gjson.Result {
	t.Helper()
	answer := slide(t, s.Client, s.pos, s.body)
	s.pos = pos(answer)
	return answer
}

// list is a request with one list of all rooms.
func list(limit int, state string) string {
	return fmt.Sprintf(`{"lists":{"all":{"timeline_limit":%d,"required_state":%s}}}`, limit, state)
}

func TestSlidingTimeline(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	say := func(texts ...string) {
		for _, text := range texts {
			alice.Say(t, room, text)
		}
	}
	say("0", "1", "2")
	s := &slider{Client: alice, body: list(3, `[]`)}
	// SLIDE-31, SLIDE-34, SLIDE-35: the newest, oldest first, limited since there is older history.
	entry := slid(s.next(t), room)
	same(t, "initial", entry.Get("initial").Raw, "true")
	same(t, "timeline", bodies(entry.Get("timeline")), []string{"0", "1", "2"})
	same(t, "limited", entry.Get("limited").Raw, "true")
	same(t, "num_live", entry.Get("num_live").Raw, "0")
	if strings.Contains(entry.Get("timeline").Raw, `"room_id"`) {
		t.Errorf("room_id in %s", entry)
	}
	// SLIDE-36, CLIENT-24: prev_batch leads to what is before.
	page := alice.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=1&from="+entry.Get("prev_batch").Str)
	same(t, "before", page.Get("chunk.0.type").Str, "m.room.member")
	// CLIENT-5: what the device has sent.
	alice.Put(t, homeservertest.Path("/v3/rooms/{}/send/m.room.message/txn1", room), `{"msgtype":"m.text","body":"3"}`)
	entry = slid(s.next(t), room)
	same(t, "the new one", bodies(entry.Get("timeline")), []string{"3"})
	same(t, "limited", entry.Get("limited").Raw, "false")
	same(t, "num_live", entry.Get("num_live").Raw, "1")
	same(t, "transaction", entry.Get("timeline.0.unsigned.transaction_id").Str, "txn1")
	same(t, "initial", entry.Get("initial").Exists(), false)
	// More than fit.
	say("4", "5", "6", "7")
	entry = slid(s.next(t), room)
	same(t, "the newest", bodies(entry.Get("timeline")), []string{"5", "6", "7"})
	same(t, "limited", entry.Get("limited").Raw, "true")
	same(t, "num_live", entry.Get("num_live").Raw, "3")
	page = alice.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=1&from="+entry.Get("prev_batch").Str)
	same(t, "the gap", bodies(page.Get("chunk")), []string{"4"})
	// SLIDE-26: more is asked for.
	s.body = list(5, `[]`)
	say("8")
	entry = slid(s.next(t), room)
	same(t, "expanded", entry.Get("unstable_expanded_timeline").Raw, "true")
	same(t, "the newest five", bodies(entry.Get("timeline")), []string{"4", "5", "6", "7", "8"})
	same(t, "num_live", entry.Get("num_live").Raw, "1")
	same(t, "limited", entry.Get("limited").Raw, "true")
	same(t, "initial", entry.Get("initial").Exists(), false)
	// Less, and as much as before again: the client has those.
	s.body = list(1, `[]`)
	same(t, "less", len(s.next(t).Get("rooms").Map()), 0)
	s.body = list(5, `[]`)
	same(t, "as before", len(s.next(t).Get("rooms").Map()), 0)
	// Only what the client has not got for certain is sent again.
	s.body = list(1, `[]`)
	say("9", "10")
	same(t, "one of two", bodies(slid(s.next(t), room).Get("timeline")), []string{"10"})
	s.body = list(2, `[]`)
	entry = slid(s.next(t), room)
	same(t, "two", bodies(entry.Get("timeline")), []string{"9", "10"})
	same(t, "expanded", entry.Get("unstable_expanded_timeline").Raw, "true")
	// SLIDE-13: no events at all.
	s.body = list(0, `[["m.room.topic",""]]`)
	s.next(t)
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"T"}`)
	entry = slid(s.next(t), room)
	same(t, "timeline", entry.Get("timeline").Raw, "[]")
	same(t, "limited", entry.Get("limited").Raw, "true")
	same(t, "state", stateKeys(entry.Get("required_state")), []string{"m.room.topic"})
	// SLIDE-34: what is new to the client, and what happened since its position.
	s = &slider{Client: alice, body: `{"lists":{"all":{"timeline_limit":2,"ranges":[[0,0]]}}}`}
	top := alice.CreateRoom(t, nil)
	s.next(t)
	say("11")
	entry = slid(s.next(t), room)
	same(t, "comes into the window", entry.Get("initial").Raw+bodies(entry.Get("timeline"))[0], `true11`)
	same(t, "num_live", entry.Get("num_live").Raw, "1")
	_ = top
	// SLIDE-36: who is ignored.
	s = &slider{Client: alice, body: list(2, `[]`)}
	alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", alice.User), map[string]any{"ignored_users": map[string]any{string(bob.User): map[string]any{}}})
	bob.Say(t, room, "psst")
	if got := bodies(slid(s.next(t), room).Get("timeline")); slices.Contains(got, "psst") {
		t.Errorf("a message of somebody ignored: %v", got)
	}
	bob.Say(t, room, "hear me")
	if got := bodies(slid(s.next(t), room).Get("timeline")); len(got) != 0 {
		t.Errorf("a message of somebody ignored: %v", got)
	}
	// VIS: history from before one came.
	alice.SetState(t, room, "m.room.history_visibility", "", `{"history_visibility":"joined"}`)
	say("secret")
	carol := hs.User(t, "carol")
	carol.Join(t, room)
	entry = slid(slide(t, carol, "", list(3, `[]`)), room)
	same(t, "what carol sees", bodies(entry.Get("timeline")), []string{"hear me"}) // sent while history was shared
}

func TestSlidingState(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat","room_version":"10","initial_state":[
		{"type":"x","state_key":"a","content":{}},{"type":"x","state_key":"b","content":{}},{"type":"y","state_key":"a","content":{}},
		{"type":"x","state_key":"@alice:example.org","content":{}}]}`)
	bob.Join(t, room)
	carol.Join(t, room)
	bob.Say(t, room, "hello")
	all := []string{
		"m.room.create", "m.room.guest_access", "m.room.history_visibility", "m.room.join_rules",
		"m.room.member/@alice:example.org", "m.room.member/@bob:example.org", "m.room.member/@carol:example.org",
		"m.room.power_levels", "x/@alice:example.org", "x/a", "x/b", "y/a",
	}
	// SLIDE-23, SLIDE-24, SLIDE-25
	for state, want := range map[string][]string{
		`[]`:                          {},
		`[["x","a"],["y","b"]]`:       {"x/a"},
		`[["x","*"]]`:                 {"x/@alice:example.org", "x/a", "x/b"},
		`[["*","a"]]`:                 {"x/a", "y/a"},
		`[["*","*"]]`:                 all,
		`[["m.room.member","$ME"]]`:   {"m.room.member/@alice:example.org"},
		`[["x","$ME"]]`:               {"x/@alice:example.org"},
		`[["*","$ME"]]`:               {"m.room.member/@alice:example.org", "x/@alice:example.org"},
		`[["m.room.member","$LAZY"]]`: {"m.room.member/@bob:example.org"},
		`[["m.room.member","*"]]`:     all[4:7],
		`[["m.room.member","@x:y"]]`:  {},
		`[["x","*"],["m.room.member","$LAZY"],["m.room.member","$ME"],["m.room.member","@carol:example.org"]]`: {
			"m.room.member/@alice:example.org", "m.room.member/@bob:example.org", "m.room.member/@carol:example.org", "x/@alice:example.org", "x/a", "x/b",
		},
	} {
		entry := slid(slide(t, alice, "", list(1, state)), room)
		same(t, state, stateKeys(entry.Get("required_state")), want)
		if strings.Contains(entry.Raw, `"room_id"`) {
			t.Errorf("room_id in %s", entry)
		}
	}
	// SLIDE-25: whom the timeline is about: senders, and targets.
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), `{"user_id":"@carol:example.org"}`)
	entry := slid(slide(t, alice, "", list(1, `[["m.room.member","$LAZY"]]`)), room)
	same(t, "target", stateKeys(entry.Get("required_state")), []string{"m.room.member/@alice:example.org", "m.room.member/@carol:example.org"})

	// SLIDE-33, CLIENT-23: what has changed, also if it is in the timeline.
	s := &slider{Client: alice, body: list(2, `[["x","*"],["m.room.member","$LAZY"]]`)}
	s.next(t)
	set := func(typ, key, content string) events.EventID { return alice.SetState(t, room, typ, key, content) }
	set("x", "a", `{"n":1}`)
	set("y", "a", `{"n":1}`)
	entry = slid(s.next(t), room)
	same(t, "changes", stateKeys(entry.Get("required_state")), []string{"m.room.member/@alice:example.org", "x/a"})
	same(t, "timeline too", stateKeys(entry.Get("timeline")), []string{"x/a", "y/a"})
	// Every change of members as long as nothing was missed …
	bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), `{"displayname":"B"}`)
	carol.Join(t, room)
	same(t, "members", stateKeys(slid(s.next(t), room).Get("required_state")), []string{"m.room.member/@bob:example.org", "m.room.member/@carol:example.org"})
	// … or else those in the timeline, but all that was asked for by name.
	bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), `{"displayname":"C"}`)
	set("x", "b", `{"n":2}`)
	for range 3 {
		alice.Say(t, room, "filler")
	}
	entry = slid(s.next(t), room)
	same(t, "limited", entry.Get("limited").Raw, "true")
	same(t, "with a gap", stateKeys(entry.Get("required_state")), []string{"m.room.member/@alice:example.org", "x/b"})
	// A state event that is redacted has changed.
	redacted := set("x", "a", `{"n":3}`)
	s.next(t)
	alice.Redact(t, room, redacted)
	changed := slid(s.next(t), room).Get("required_state.#(type==x)")
	if changed.Get("content").Raw != "{}" || !changed.Get("unsigned.redacted_because").Exists() {
		t.Errorf("redacted state: %s", changed)
	}

	// SLIDE-27: what is newly asked for.
	for _, tt := range []struct {
		before, after string
		want          []string
	}{
		{`[["x","a"]]`, `[["x","a"],["y","a"]]`, []string{"x/a", "y/a"}},
		{`[["x","a"]]`, `[["x","*"]]`, []string{"x/@alice:example.org", "x/a", "x/b"}},
		{`[["x","a"]]`, `[["*","a"]]`, []string{"x/a", "y/a"}},
		{`[]`, `[["m.room.member","$LAZY"]]`, []string{"m.room.member/@alice:example.org"}},
		{`[["x","*"]]`, `[["x","a"],["x","b"]]`, nil},
		{`[["*","*"]]`, `[["m.room.member","*"],["*","a"],["m.room.member","$LAZY"]]`, nil},
		{`[["m.room.member","*"]]`, `[["m.room.member","$LAZY"],["m.room.member","$ME"]]`, nil},
	} {
		s := &slider{Client: alice, body: list(1, tt.before)}
		s.next(t)
		s.body = list(1, tt.after)
		answer := s.next(t)
		if tt.want == nil {
			same(t, tt.after+" after "+tt.before, len(answer.Get("rooms").Map()), 0)
			continue
		}
		entry := slid(answer, room)
		same(t, tt.after+" after "+tt.before, stateKeys(entry.Get("required_state")), tt.want)
		same(t, "initial", entry.Get("initial").Exists(), false)
		same(t, "timeline", entry.Get("timeline").Exists(), false)
		same(t, "once", len(s.next(t).Get("rooms").Map()), 0)
	}
}

// SLIDE-30, SLIDE-32, SLIDE-37, SLIDE-38, SLIDE-41: what else is told of a room.
func TestSlidingRoom(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"name":"Tea","preset":"public_chat"}`)
	alice.SetState(t, room, "m.room.avatar", "", `{"url":"mxc://example.org/tea"}`)
	s := &slider{Client: alice, body: list(5, `[]`)}
	entry := slid(s.next(t), room)
	for field, want := range map[string]string{
		"initial": `true`, "name": `"Tea"`, "avatar": `"mxc://example.org/tea"`, "heroes": ``, "is_dm": ``, "joined_count": `1`, "invited_count": `0`,
		"notification_count": `0`, "highlight_count": `0`, "invite_state": ``, "required_state": `[]`,
	} {
		same(t, field, entry.Get(field).Raw, want)
	}
	// Later only what has changed.
	alice.SetState(t, room, "x", "", `{}`)
	entry = slid(s.next(t), room)
	for _, field := range []string{"initial", "name", "avatar", "heroes", "is_dm", "joined_count", "invited_count", "bump_stamp", "required_state"} {
		same(t, field+" again", entry.Get(field).Raw, "")
	}
	bob.Put(t, homeservertest.Path("/v3/profile/{}/displayname", bob.User), `{"displayname":"Bob"}`)
	bob.Put(t, homeservertest.Path("/v3/profile/{}/avatar_url", bob.User), `{"avatar_url":"mxc://example.org/bob"}`)
	bob.Join(t, room)
	alice.Invite(t, room, "@carol:example.org")
	entry = slid(s.next(t), room)
	same(t, "members", entry.Get("joined_count").Raw+entry.Get("invited_count").Raw, "21")
	same(t, "heroes of a named room", entry.Get("heroes").Exists(), false)
	alice.SetState(t, room, "m.room.name", "", `{"name":"Coffee"}`)
	same(t, "renamed", slid(s.next(t), room).Get("name").Str, "Coffee")
	// SLIDE-32: without a name; an alias is none.
	alice.SetState(t, room, "m.room.name", "", `{}`)
	alice.SetState(t, room, "m.room.avatar", "", `{}`)
	entry = slid(s.next(t), room)
	same(t, "without name and avatar", entry.Get("name").Raw+entry.Get("avatar").Raw, "nullnull")
	same(t, "heroes", entry.Get("heroes").Raw,
		`[{"user_id":"@bob:example.org","displayname":"Bob","avatar_url":"mxc://example.org/bob"},{"user_id":"@carol:example.org","displayname":"carol"}]`)
	same(t, "heroes at first", slid(slide(t, alice, "", list(1, `[]`)), room).Get("heroes.#").Raw, "2")
	s = &slider{Client: alice, body: list(5, `[]`)}
	s.next(t)
	// SLIDE-41
	event := bob.Say(t, room, "hey you")
	entry = slid(s.next(t), room)
	same(t, "unread", entry.Get("notification_count").Raw+entry.Get("highlight_count").Raw, "10")
	// Clients take an entry without counts to say that nothing is unread.
	bob.Send(t, room, "m.reaction", `{}`)
	entry = slid(s.next(t), room)
	same(t, "still unread", entry.Get("notification_count").Raw+entry.Get("highlight_count").Raw, "10")
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/receipt/m.read/{}", room, event), `{}`)
	entry = slid(s.next(t), room)
	same(t, "read", entry.Get("notification_count").Raw+entry.Get("highlight_count").Raw, "00")
	same(t, "nothing else", entry.Get("timeline").Exists(), false)
	// is_dm
	direct := func(rooms string) {
		alice.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.direct", alice.User), `{"@bob:example.org":`+rooms+`}`)
	}
	direct(fmt.Sprintf(`[%q]`, room))
	same(t, "direct", slid(s.next(t), room).Raw, `{"is_dm":true,"notification_count":0,"highlight_count":0}`)
	same(t, "direct at first", slid(slide(t, alice, "", strings.Replace(list(1, `[]`), "{", `{"conn_id":"x",`, 1)), room).Get("is_dm").Raw, "true")
	direct(`[]`)
	same(t, "no longer direct", slid(s.next(t), room).Raw, `{"is_dm":false,"notification_count":0,"highlight_count":0}`)

	// SLIDE-37, CLIENT-25
	bump := func() int64 {
		return slid(slide(t, alice, "", strings.Replace(list(1, `[]`), "{", `{"conn_id":"b",`, 1)), room).Get("bump_stamp").Int()
	}
	at := bump()
	if at <= 0 {
		t.Errorf("bump_stamp %d", at)
	}
	for _, typ := range []string{"m.reaction", "org.example"} {
		alice.Send(t, room, typ, `{}`)
		same(t, typ+" bumps", bump(), at)
	}
	alice.SetState(t, room, "m.room.topic", "", `{"topic":"t"}`)
	same(t, "state bumps", bump(), at)
	s.next(t)
	for _, typ := range []string{
		"m.room.message", "m.room.encrypted", "m.sticker", "m.call.invite", "m.poll.start", "org.matrix.msc3381.poll.start", "org.matrix.msc3672.beacon_info",
	} {
		alice.Send(t, room, typ, `{"msgtype":"m.text","body":"x"}`)
		told := slid(s.next(t), room).Get("bump_stamp").Int()
		if now := bump(); now <= at || told != now {
			t.Errorf("%s: bump_stamp %d, told %d, before %d", typ, now, told, at)
		}
		at = bump()
	}
	alice.SetState(t, room, "m.beacon_info", string(alice.User), `{}`)
	if bump() <= at {
		t.Error("m.beacon_info does not bump")
	}
	newer := alice.CreateRoom(t, nil)
	if first := slid(slide(t, alice, "", list(1, `[]`)), newer).Get("bump_stamp").Int(); first <= bump() {
		t.Errorf("m.room.create of a newer room: bump_stamp %d, the older room has %d", first, bump())
	}
	at = bump()
	for range 100 { // further back than memory
		alice.Send(t, room, "m.reaction", `{}`)
	}
	same(t, "after many reactions", bump(), at)
	// SLIDE-13: no more than a hundred.
	same(t, "a very long timeline", len(slid(slide(t, alice, "", list(100_000, `[]`)), room).Get("timeline").Array()), 100)
}

// SLIDE-38 to SLIDE-40, CLIENT-22: rooms that the user is not in, and coming and going.
func TestSlidingMembership(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"name":"Tea","topic":"secret","initial_state":[{"type":"m.room.join_rules","content":{"join_rule":"knock"}}]}`)
	about := map[string]any{"user_id": bob.User}
	act := func(verb string) { alice.Post(t, homeservertest.Path("/v3/rooms/{}/{}", room, verb), about) }
	s := &slider{Client: bob, body: list(5, `[["m.room.member","$ME"],["m.room.topic",""]]`)}
	own := func(entry gjson.Result, list string) string {
		return entry.Get(list + ".#(state_key==@bob:example.org).content.membership").Str
	}
	stripped := func(membership string) {
		t.Helper()
		entry := slid(s.next(t), room)
		same(t, "membership", own(entry, "invite_state"), membership)
		same(t, "initial", entry.Get("initial").Raw, "true")
		for _, field := range []string{"timeline", "required_state", "prev_batch", "joined_count"} {
			same(t, field, entry.Get(field).Exists(), false)
		}
		for _, e := range entry.Get("invite_state").Array() {
			if e.Get("event_id").Exists() || e.Get("origin_server_ts").Exists() {
				t.Errorf("not stripped: %s", e)
			}
		}
		if bump := entry.Get("bump_stamp").Int(); bump <= 0 || fmt.Sprint("1-", bump) > strings.Split(s.pos, ".")[0] {
			t.Errorf("bump_stamp %d at %s (SLIDE-38)", bump, s.pos)
		}
		alice.Say(t, room, "not for bob")
		same(t, "told once", len(s.next(t).Get("rooms").Map()), 0)
	}
	s.next(t)
	bob.Post(t, homeservertest.Path("/v3/knock/{}", room), `{}`)
	stripped("knock")
	act("invite")
	stripped("invite")
	bob.Join(t, room)
	entry := slid(s.next(t), room)
	same(t, "joined", own(entry, "required_state")+entry.Get("initial").Raw, "jointrue")
	same(t, "everything", entry.Get("required_state.#(type==m.room.topic).content.topic").Str+entry.Get("name").Str, "secretTea")
	// SLIDE-40
	for _, verb := range []string{"kick", "ban"} {
		alice.Say(t, room, "before")
		act(verb)
		alice.Say(t, room, "after "+verb)
		alice.SetState(t, room, "m.room.topic", "", `{"topic":"after `+verb+`"}`)
		entry := slid(s.next(t), room)
		same(t, verb, own(entry, "required_state"), map[string]string{"kick": "leave", "ban": "ban"}[verb])
		same(t, "timeline", bodies(entry.Get("timeline")), []string{"before"})
		same(t, "state "+entry.Raw, strings.Contains(entry.Raw, `"after `+verb), false)
		same(t, "initial", entry.Get("initial").Exists(), false)
		same(t, "told once", len(s.next(t).Get("rooms").Map()), 0)
		// A new connection is told of it too, up to then.
		entry = slid(slide(t, bob, "", strings.Replace(s.body, "{", `{"conn_id":"x",`, 1)), room)
		same(t, verb+", newly told", own(entry, "required_state")+entry.Get("initial").Raw, map[string]string{"kick": "leavetrue", "ban": "bantrue"}[verb])
		same(t, "state", strings.Contains(entry.Raw, `"after `+verb), false)
		same(t, "counts", entry.Get("joined_count").Exists(), false)
		if verb == "kick" {
			alice.SetState(t, room, "m.room.topic", "", `{"topic":"secret"}`)
			act("invite")
			stripped("invite")
			bob.Join(t, room)
			if entry := slid(s.next(t), room); !entry.Get("initial").Bool() || own(entry, "required_state") != "join" {
				t.Errorf("back again: %s", entry)
			}
		}
	}
	// An invite after a ban, declined: the own event is all there is to see.
	act("unban")
	same(t, "unbanned", own(slid(s.next(t), room), "required_state"), "leave")
	act("invite")
	stripped("invite")
	bob.Leave(t, room)
	entry = slid(s.next(t), room)
	same(t, "declined", own(entry, "required_state"), "leave")
	same(t, "no more than that", entry.Get("required_state.#").Int(), int64(1))
	same(t, "no timeline", entry.Get("timeline").Exists(), false)
	// Leaving and coming back between two requests is told from the beginning.
	open := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, open)
	s.next(t)
	bob.Leave(t, open)
	alice.SetState(t, open, "m.room.topic", "", `{"topic":"meanwhile"}`)
	bob.Join(t, open)
	entry = slid(s.next(t), open)
	same(t, "left and back", entry.Get("initial").Raw+entry.Get("required_state.#(type==m.room.topic).content.topic").Str, "truemeanwhile")
}

// SLIDE-39, SLIDE-40: clients take an entry without a membership for that of a joined
// room, so every entry of another one has it, whatever it is about.
func TestSlidingEntryOfRoomOutside(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, nil)
	body := func(limit int) string { return list(limit, `[["m.room.member","$ME"]]`) }
	s := &slider{Client: bob, body: body(1)}
	direct := func(rooms string) {
		bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.direct", bob.User), `{"@alice:example.org":`+rooms+`}`)
	}
	own := func(entry gjson.Result, list string) string {
		return entry.Get(list + ".#(state_key==@bob:example.org).content.membership").Str
	}
	s.next(t)
	alice.Invite(t, room, bob.User)
	same(t, "invited", own(slid(s.next(t), room), "invite_state"), "invite")
	direct(fmt.Sprintf(`[%q]`, room))
	entry := slid(s.next(t), room)
	same(t, "direct", entry.Get("is_dm").Raw, "true")
	same(t, "still invited", own(entry, "invite_state"), "invite")
	same(t, "initial", entry.Get("initial").Exists(), false)
	bob.Join(t, room)
	s.next(t)
	alice.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), map[string]any{"user_id": bob.User})
	same(t, "removed", own(slid(s.next(t), room), "required_state"), "leave")
	direct(`[]`)
	entry = slid(s.next(t), room)
	same(t, "not direct", entry.Get("is_dm").Raw, "false")
	same(t, "still removed", own(entry, "required_state"), "leave")
	s.body = body(5)
	entry = slid(s.next(t), room)
	same(t, "expanded", entry.Get("unstable_expanded_timeline").Raw, "true")
	same(t, "removed as before", own(entry, "required_state"), "leave")
}
