package homeserver_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// read sets a receipt.
func read(t *testing.T, c *homeservertest.Client, room events.RoomID, kind string, event events.EventID, body any) {
	t.Helper()
	c.Post(t, homeservertest.Path("/v3/rooms/{}/receipt/{}/{}", room, kind, event), body)
}

// receiptsOf is the content of m.receipt in an answer.
func receiptsOf(answer gjson.Result, room events.RoomID) gjson.Result {
	return homeservertest.Room(answer, "join", room).Get(`ephemeral.events.#(type=="m.receipt").content`)
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	one, two := alice.Say(t, room, "1"), alice.Say(t, room, "2")
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	receipt := func(c *homeservertest.Client, event events.EventID, kind string, user events.UserID) gjson.Result {
		t.Helper()
		return receiptsOf(syncWith(t, c, token, ""), room).Get(gjson.Escape(string(event))).Get(gjson.Escape(kind)).Get(gjson.Escape(string(user)))
	}
	// RCPT-1, RCPT-2, RCPT-7, UNRD-9, UNRD-16, SYNC-40, SYNC-41
	read(t, bob, room, "m.read", two, nil)
	got := receipt(alice, two, "m.read", bob.User)
	if ts := got.Get("ts").Int(); ts < 1_600_000_000_000 || got.Get("thread_id").Exists() {
		t.Errorf("receipt: %s", got)
	}
	if s := homeservertest.Room(syncWith(t, alice, token, ""), "join", room).Get("ephemeral.events.0"); s.Get("room_id").Exists() || s.Get("sender").Exists() {
		t.Errorf("m.receipt: %s", s)
	}
	// RCPT-3: not backwards, and one for each type.
	read(t, bob, room, "m.read", one, `{}`)
	if receipt(alice, one, "m.read", bob.User).Exists() || !receipt(alice, two, "m.read", bob.User).Exists() {
		t.Error("a receipt moved backwards")
	}
	three := alice.Say(t, room, "3")
	read(t, bob, room, "m.read", three, nil)
	if receipt(alice, two, "m.read", bob.User).Exists() || !receipt(alice, three, "m.read", bob.User).Exists() {
		t.Error("a newer receipt does not replace the one before")
	}
	// RCPT-9, UNRD-15: private ones are seen by their owner alone.
	four := alice.Say(t, room, "4")
	read(t, bob, room, "m.read.private", four, nil)
	if receipt(alice, four, "m.read.private", bob.User).Exists() || !receipt(bob, four, "m.read.private", bob.User).Exists() {
		t.Error("a private receipt is shown to others, or not to its owner")
	}
	// RCPT-16
	if !receiptsOf(syncWith(t, alice, "", ""), room).Get(gjson.Escape(string(three))).Exists() {
		t.Error("a stored receipt is missing in a first sync")
	}
	// RCPT-7: one event for all of them. SYNC-40: what it has.
	read(t, alice, room, "m.read", one, nil)
	list := homeservertest.Room(syncWith(t, alice, token, ""), "join", room).Get("ephemeral.events")
	same(t, "events with receipts", list.Get("#.type").Raw, `["m.receipt"]`)
	keysOf(t, "m.receipt", list.Get("0"), "type", "content")
	same(t, "users with receipts", strings.Count(list.Raw, `"ts"`), 2)
	// RCPT-12, RCPT-13, UNRD-14
	bob.Post(t, homeservertest.Path("/v3/rooms/{}/read_markers", room), map[string]any{"m.fully_read": two, "m.read": four})
	if !receipt(alice, four, "m.read", bob.User).Exists() {
		t.Error("m.read of read_markers")
	}
	marker := homeservertest.Room(syncWith(t, bob, token, ""), "join", room).Get(`account_data.events.#(type=="m.fully_read").content`)
	same(t, "m.fully_read", marker.Raw, fmt.Sprintf(`{"event_id":%q}`, two))
	bob.Post(t, homeservertest.Path("/v3/rooms/{}/read_markers", room), `{}`)
	five := alice.Say(t, room, "5")
	bob.Post(t, homeservertest.Path("/v3/rooms/{}/read_markers", room), map[string]any{"m.read.private": five})
	if receipt(alice, five, "m.read.private", bob.User).Exists() || !receipt(bob, five, "m.read.private", bob.User).Exists() {
		t.Error("m.read.private of read_markers")
	}
	bob.Do(t, "POST", homeservertest.Path("/v3/rooms/{}/read_markers", room), `{"m.read":"$unknown"}`).WantError(404, "M_NOT_FOUND") // RCPT-6
	// RCPT-3: the marker does not go backwards either.
	read(t, bob, room, "m.fully_read", one, nil)
	same(t, "m.fully_read after an older one",
		bob.Get(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.fully_read", bob.User, room)).Raw, fmt.Sprintf(`{"event_id":%q}`, two))
	// RCPT-13: it wakes those who wait, without anything else.
	waiting := syncWith(t, bob, "", "").Get("next_batch").Str
	told := make(chan gjson.Result, 1)
	go func() { told <- syncWith(t, bob, waiting, "", "timeout", forever) }()
	read(t, bob, room, "m.fully_read", three, nil)
	same(t, "m.fully_read alone", homeservertest.Room(<-told, "join", room).Get("account_data.events.#.content.event_id").Raw, fmt.Sprintf(`[%q]`, three))
	// RCPT-14, UNRD-13
	bob.Do(t, "PUT", homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.fully_read", bob.User, room), `{"event_id":"$x"}`).WantError(405, "M_BAD_JSON")

	path := func(kind string, event events.EventID) string {
		return homeservertest.Path("/v3/rooms/{}/receipt/{}/{}", room, kind, event)
	}
	other := alice.CreateRoom(t, nil)
	foreign := alice.Say(t, other, "x")
	for what, tt := range map[string]struct {
		c          *homeservertest.Client
		path, body string
		status     int
		code       string
	}{
		"another type (RCPT-1)":             {bob, path("m.seen", four), `{}`, 400, "M_INVALID_PARAM"},
		"an unknown event (RCPT-6)":         {bob, path("m.read", "$x"), `{}`, 404, "M_NOT_FOUND"},
		"an event of another room (RCPT-6)": {bob, path("m.read", foreign), `{}`, 404, "M_NOT_FOUND"},
		"fully read elsewhere (RCPT-13)":    {bob, path("m.fully_read", foreign), `{}`, 404, "M_NOT_FOUND"},
		"no member (RCPT-6)":                {hs.User(t, "carol"), path("m.read", four), `{}`, 403, "M_FORBIDDEN"},
		"a thread that is no string":        {bob, path("m.read", four), `{"thread_id":1}`, 400, "M_INVALID_PARAM"}, // RCPT-5, UNRD-10
		"a thread without a name":           {bob, path("m.read", four), `{"thread_id":""}`, 400, "M_INVALID_PARAM"},
		"null for a thread":                 {bob, path("m.read", four), `{"thread_id":null}`, 400, "M_INVALID_PARAM"},
		"a thread with m.fully_read":        {bob, path("m.fully_read", four), `{"thread_id":"main"}`, 400, "M_INVALID_PARAM"},
		"a thread the event is not in":      {bob, path("m.read", four), fmt.Sprintf(`{"thread_id":%q}`, one), 400, "M_INVALID_PARAM"},
		"no token":                          {hs.Anonymous(), path("m.read", four), `{}`, 401, "M_MISSING_TOKEN"},
	} {
		t.Run(what, func(t *testing.T) { tt.c.Do(t, "POST", tt.path, tt.body).WantError(tt.status, tt.code) })
	}
}

// unreadOf returns notifications and highlights, of the main counts or of a thread.
func unreadOf(t *testing.T, c *homeservertest.Client, room events.RoomID, threaded bool, thread events.EventID) string {
	t.Helper()
	filter := fmt.Sprintf(`{"room":{"timeline":{"unread_thread_notifications":%v}}}`, threaded)
	s := homeservertest.Room(syncWith(t, c, "", filter), "join", room)
	counts := s.Get("unread_notifications")
	if thread != "" {
		counts = s.Get("unread_thread_notifications").Get(gjson.Escape(string(thread)))
	} else if !counts.Exists() {
		t.Errorf("no unread_notifications (UNRD-1): %s", s)
	}
	if !threaded && s.Get("unread_thread_notifications").Exists() { // UNRD-7
		t.Error("unread_thread_notifications were not asked for")
	}
	if !counts.Exists() {
		return "none"
	}
	return counts.Get("notification_count").Raw + "/" + counts.Get("highlight_count").Raw
}

func TestUnreadCounts(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	tablet := hs.Login(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	hs.User(t, "carol").Join(t, room) // three members: no direct chat
	alice.Say(t, room, "before bob came")
	bob.Join(t, room)
	count := func() string { t.Helper(); return unreadOf(t, bob, room, false, "") }
	same(t, "UNRD-5: from the join", count(), "0/0")
	one := alice.Say(t, room, "one")
	same(t, "UNRD-3: notified", count(), "1/0")
	alice.Say(t, room, "hello bob")
	same(t, "UNRD-3: highlighted", count(), "2/1")
	// UNRD-2, SYNC-37: in the answer with the event.
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	alice.Say(t, room, "three")
	s := homeservertest.Room(syncWith(t, bob, token, ""), "join", room)
	same(t, "with the event", s.Get("unread_notifications").Raw, `{"highlight_count":1,"notification_count":3}`)
	// SYNC-37: own events never count; RCPT-11: they say that the rest was read.
	read(t, bob, room, "m.read", one, nil)
	same(t, "after a receipt", count(), "2/1")
	// SYNC-38, UNRD-4: a receipt by another device wakes, also if receipts are filtered.
	token = syncWith(t, bob, "", "").Get("next_batch").Str
	got := make(chan gjson.Result, 1)
	go func() { got <- syncWith(t, bob, token, `{"room":{"ephemeral":{"types":[]}}}`, "timeout", forever) }()
	last := alice.History(t, room, 1)[0].Get("event_id").Str
	read(t, tablet, room, "m.read.private", events.EventID(last), nil)
	same(t, "told by the other device", homeservertest.Room(<-got, "join", room).Get("unread_notifications").Raw, `{"highlight_count":0,"notification_count":0}`)
	// UNRD-12: what is behind raises nothing.
	read(t, bob, room, "m.read", one, nil)
	same(t, "a receipt behind", count(), "0/0")
	alice.Say(t, room, "x")
	bob.Say(t, room, "y")
	same(t, "RCPT-11: an own message", count(), "0/0")
	gone := alice.Say(t, room, "bob!")
	same(t, "before a redaction", count(), "1/1")
	alice.Redact(t, room, gone)
	same(t, "EVAL-20: a redacted event", count(), "0/0")
	// UNRD-13, UNRD-18
	e := alice.Say(t, room, "z")
	read(t, bob, room, "m.fully_read", e, nil)
	bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.marked_unread", bob.User, room), `{"unread":true}`)
	same(t, "m.fully_read and m.marked_unread", count(), "1/0")
	// EVAL-19
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", bob.User), `{"ignored_users":{"@alice:example.org":{}}}`)
	alice.Say(t, room, "bob bob bob")
	same(t, "an ignored user", count(), "0/0")
}

// What was read is known after a restart (RCPT-16), and a token of before goes on (SYNC-7).
func TestReceiptsStay(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/hs.db"
	start := func() *homeservertest.Server {
		st, err := sqlite.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		return homeservertest.New(t, homeserver.WithStore(st))
	}
	hs := start()
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	one := alice.Say(t, room, "one")
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	two := alice.Say(t, room, "two")
	read(t, bob, room, "m.read", one, nil)
	read(t, bob, room, "m.read.private", two, nil)
	if err := hs.Close(); err != nil {
		t.Fatal(err)
	}
	again := start()
	alice, bob = again.Login(t, "alice"), again.Login(t, "bob")
	at := func(answer gjson.Result, event events.EventID) string {
		return strings.Join(slices.Sorted(maps.Keys(receiptsOf(answer, room).Get(gjson.Escape(string(event))).Map())), " ")
	}
	since := syncWith(t, alice, token, "")
	same(t, "messages since the token", bodies(homeservertest.Room(since, "join", room).Get("timeline.events")), []string{"two"})
	same(t, "receipts since the token", at(since, one), "m.read")
	same(t, "private ones of somebody else", at(syncWith(t, alice, "", ""), two), "") // RCPT-9
	first := syncWith(t, bob, "", "")
	same(t, "receipts in a first sync", at(first, one)+" "+at(first, two), "m.read m.read.private")
	same(t, "unread", unreadOf(t, bob, room, false, ""), "0/0")
}

func TestUnreadThreads(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	root := alice.Say(t, room, "root")
	related := func(kind string, to events.EventID) events.EventID {
		t.Helper()
		return alice.Send(t, room, "m.room.message", map[string]any{
			"msgtype": "m.text", "body": "bob", "m.relates_to": map[string]any{"rel_type": kind, "event_id": to},
		})
	}
	in := related("m.thread", root)
	indirect := related("m.reference", in)
	same(t, "SYNC-39, UNRD-6: main alone", unreadOf(t, bob, room, true, ""), "1/0")
	same(t, "UNRD-8: the thread, and what relates to it", unreadOf(t, bob, room, true, root), "2/2")
	// CLIENT-17: what was asked for by its old name comes by it.
	old := homeservertest.Room(syncWith(t, bob, "", `{"room":{"timeline":{"org.matrix.msc3773.unread_thread_notifications":true}}}`), "join", room)
	same(t, "main alone", old.Get("unread_notifications.notification_count").Raw, "1")
	same(t, "the thread", old.Get(`org\.matrix\.msc3773\.unread_thread_notifications`).Get(gjson.Escape(string(root))).Get("notification_count").Raw, "2")
	same(t, "its new name", old.Get("unread_thread_notifications").Raw, "")
	same(t, "UNRD-7: all together", unreadOf(t, bob, room, false, ""), "3/2")
	// SYNC-39: what is absent is zero, so that they come with everything that is told of the room.
	token := syncWith(t, bob, "", "").Get("next_batch").Str
	bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/tags/u.x", bob.User, room), `{}`)
	tagged := homeservertest.Room(syncWith(t, bob, token, `{"room":{"timeline":{"unread_thread_notifications":true}}}`), "join", room)
	same(t, "main, with a tag", tagged.Get("unread_notifications.notification_count").Raw, "1")
	same(t, "the thread, with a tag", tagged.Get("unread_thread_notifications").Get(gjson.Escape(string(root))).Get("notification_count").Raw, "2")
	// RCPT-4, RCPT-10, UNRD-11: a threaded receipt clears its thread only.
	read(t, bob, room, "m.read", in, map[string]any{"thread_id": root})
	same(t, "thread half read", unreadOf(t, bob, room, true, root), "1/1")
	same(t, "main untouched", unreadOf(t, bob, room, true, ""), "1/0")
	// UNRD-10: related to the root through another event.
	read(t, bob, room, "m.read", indirect, map[string]any{"thread_id": root})
	same(t, "thread read: left out", unreadOf(t, bob, room, true, root), "none")
	read(t, bob, room, "m.read", root, map[string]any{"thread_id": "main"})
	same(t, "main read", unreadOf(t, bob, room, true, ""), "0/0")
	// UNRD-11: an unthreaded one clears everything up to it.
	again := related("m.thread", root)
	alice.Say(t, room, "later")
	read(t, bob, room, "m.read", again, nil)
	same(t, "thread after an unthreaded receipt", unreadOf(t, bob, room, true, root), "none")
	same(t, "main after an unthreaded receipt", unreadOf(t, bob, room, true, ""), "1/0")
	// RCPT-8, UNRD-16: of two at one event the unthreaded one is shown.
	token = syncWith(t, alice, "", "").Get("next_batch").Str
	last := alice.Say(t, room, "last")
	read(t, bob, room, "m.read", last, map[string]any{"thread_id": "main"})
	seen := func() gjson.Result {
		return receiptsOf(syncWith(t, alice, token, ""), room).Get(gjson.Escape(string(last))).Get(`m\.read`).Get(gjson.Escape(string(bob.User)))
	}
	same(t, "threaded alone", seen().Get("thread_id").Str, "main")
	read(t, bob, room, "m.read", last, nil)
	same(t, "with the unthreaded one", seen().Get("thread_id").Raw, "")
	same(t, "the unthreaded one alone", strings.Count(receiptsOf(syncWith(t, alice, token, ""), room).Raw, string(bob.User)), 1)
}
