package homeserver_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

func ignore(t *testing.T, c *homeservertest.Client, users ...events.UserID) {
	t.Helper()
	list := map[events.UserID]json.RawMessage{}
	for _, u := range users {
		list[u] = json.RawMessage(`{}`)
	}
	c.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", c.User), map[string]any{"ignored_users": list})
}

func TestThreads(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	list := homeservertest.Path("/v1/rooms/{}/threads", room)
	threads := func(t *testing.T, c *homeservertest.Client, query string) gjson.Result {
		t.Helper()
		return c.Get(t, list+query)
	}
	if got := threads(t, alice, ""); got.Get("chunk").Raw != `[]` || got.Get("next_batch").Exists() { // REL-22
		t.Errorf("no threads: %s", got)
	}
	byAlice, byBob, third := alice.Say(t, room, "a"), bob.Say(t, room, "b"), bob.Say(t, room, "c")
	alice.Say(t, room, "no root")
	sendRelated(t, bob, room, "m.thread", byAlice)
	sendRelated(t, bob, room, "m.thread", byBob)
	sendRelated(t, bob, room, "m.thread", third)
	last := sendRelated(t, bob, room, "m.thread", byAlice)

	// REL-23: ordered by the latest event; REL-22: participated.
	sameIDs(t, "all", eventIDs(threads(t, alice, "").Get("chunk")), byAlice, third, byBob)
	sameIDs(t, "include=all", eventIDs(threads(t, alice, "?include=all").Get("chunk")), byAlice, third, byBob)
	sameIDs(t, "sent the root", eventIDs(threads(t, alice, "?include=participated").Get("chunk")), byAlice)
	sendRelated(t, alice, room, "m.thread", byBob)
	sameIDs(t, "sent an event", eventIDs(threads(t, alice, "?include=participated").Get("chunk")), byBob, byAlice)
	var got []events.EventID
	for next := ""; ; {
		page := threads(t, alice, "?limit=1"+next)
		got = append(got, eventIDs(page.Get("chunk"))...)
		if !page.Get("next_batch").Exists() {
			break
		}
		next = "&from=" + page.Get("next_batch").Str
	}
	sameIDs(t, "REL-22: pages", got, byBob, byAlice, third)

	// REL-19, REL-20
	root := threads(t, alice, "").Get("chunk.1")
	told := root.Get(`unsigned.m\.relations.m\.thread`)
	same(t, "REL-23: with bundles", root.Get("event_id").Str, string(byAlice))
	same(t, "REL-20: count", told.Get("count").Raw, "2")
	same(t, "REL-20: participated", told.Get("current_user_participated").Raw, "true")
	direct := bob.Get(t, homeservertest.Path("/v3/rooms/{}/event/{}", room, last))
	for _, key := range []string{"event_id", "type", "sender", "origin_server_ts", "room_id", "content"} {
		same(t, "REL-20: "+key, told.Get("latest_event").Get(key).Raw, direct.Get(key).Raw)
	}
	changed := edit(t, bob, room, last, "edited")
	same(t, "REL-20: with its own bundles", bundle(t, alice, room, byAlice).Get(`m\.thread.latest_event.unsigned.m\.relations.m\.replace.event_id`).Str, string(changed))
	same(t, "REL-20: an edit is not in the thread", bundle(t, alice, room, byAlice).Get(`m\.thread.count`).Raw, "2")
	same(t, "REL-20: not participated", bundle(t, alice, room, third).Get(`m\.thread.current_user_participated`).Raw, "false")
	bob.Redact(t, room, last) // REL-11, REDACT-12
	same(t, "redacted", bundle(t, alice, room, byAlice).Get(`m\.thread.count`).Raw, "1")
	sameIDs(t, "REL-23: by what is left", eventIDs(threads(t, alice, "").Get("chunk")), byBob, third, byAlice)

	t.Run("ignored users", func(t *testing.T) {
		ignore(t, alice, bob.User)
		defer ignore(t, alice)
		page := threads(t, alice, "").Get("chunk")
		sameIDs(t, "what they alone have sent is no thread", eventIDs(page), byBob)
		same(t, "REL-23: their roots appear redacted", page.Get("0.content").Raw, `{}`)
		same(t, "REL-20", page.Get(`0.unsigned.m\.relations.m\.thread.count`).Raw, "1")
		same(t, "REL-20", page.Get(`0.unsigned.m\.relations.m\.thread.latest_event.sender`).Str, string(alice.User))
	})
	t.Run("refusals", func(t *testing.T) { // REL-24
		for path, want := range map[string]string{
			list + "?from=x":        "400 M_INVALID_PARAM",
			list + "?from=1-999999": "400 M_INVALID_PARAM",
			list + "?include=x":     "400 M_INVALID_PARAM",
			list + "?limit=-1":      "400 M_INVALID_PARAM",
			homeservertest.Path("/v1/rooms/{}/threads", "!unknown:example.org"):   "403 M_FORBIDDEN",
			homeservertest.Path("/v1/rooms/{}/threads", carol.CreateRoom(t, nil)): "403 M_FORBIDDEN",
		} {
			r := alice.Do(t, "GET", path, nil)
			if got := fmt.Sprint(r.Status, " ", r.JSON().Get("errcode").Str); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
	})
	t.Run("what somebody may not see is not told", func(t *testing.T) { // REL-11
		alice.SetState(t, room, "m.room.history_visibility", "", `{"history_visibility":"joined"}`)
		bob.Leave(t, room)
		new := alice.Say(t, room, "d")
		sendRelated(t, alice, room, "m.thread", new)
		sendRelated(t, alice, room, "m.thread", third)
		sameIDs(t, "threads", eventIDs(threads(t, alice, "").Get("chunk")), third, new, byBob, byAlice)
		page := threads(t, bob, "").Get("chunk")
		sameIDs(t, "threads of who has left", eventIDs(page), third, byBob, byAlice)
		same(t, "count", page.Get(`0.unsigned.m\.relations.m\.thread.count`).Raw, "1")
		same(t, "latest", page.Get(`0.unsigned.m\.relations.m\.thread.latest_event.sender`).Str, string(bob.User))
		carol.Join(t, room)
		sameIDs(t, "threads of who comes late", eventIDs(threads(t, carol, "").Get("chunk")), third, byBob, byAlice)
	})
}

// For receipts and counts an event is in the thread that it leads to, by three relations at most to an event that says so
// (UNRD-8, UNRD-10).
func TestThreadsOfReceipts(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	root := alice.Say(t, room, "root")
	in := sendRelated(t, alice, room, "m.thread", root)
	one := sendRelated(t, alice, room, "m.reference", in)
	two := sendRelated(t, alice, room, "m.reference", one)
	three := sendRelated(t, alice, room, "m.reference", two)
	four := sendRelated(t, alice, room, "m.reference", three)
	ofRoot := sendRelated(t, alice, room, "m.reference", root)
	for name, tt := range map[string]struct {
		event  events.EventID
		thread string
		want   int
	}{
		"REL-25: has m.thread":                 {in, string(root), 200},
		"REL-25: reaches one by one relation":  {one, string(root), 200},
		"REL-25: by two":                       {two, string(root), 200},
		"REL-25: by three":                     {three, string(root), 200},
		"REL-25: by four":                      {four, string(root), 400},
		"REL-25: too far is main":              {four, "main", 200},
		"REL-25: a root is in main":            {root, "main", 200},
		"REL-25: a relation to a root is main": {ofRoot, "main", 200},
		"REL-25: in a thread, so not in main":  {in, "main", 400},
		"REL-25: leads to a thread, not main":  {two, "main", 400},
	} {
		t.Run(name, func(t *testing.T) {
			path := homeservertest.Path("/v3/rooms/{}/receipt/m.read/{}", room, tt.event)
			bob.Do(t, "POST", path, map[string]any{"thread_id": tt.thread}).Want(tt.want)
		})
	}
	// The counts of threads and main, of somebody who has read nothing since they came.
	carol := hs.User(t, "carol")
	carol.Join(t, room)
	sendRelated(t, alice, room, "m.reference", three)
	sendRelated(t, alice, room, "m.reference", two)
	sendRelated(t, alice, room, "m.thread", root)
	sendRelated(t, alice, room, "m.reference", root)
	same(t, "REL-25: counts of the thread", unreadOf(t, carol, room, true, root), "2/0")
	same(t, "REL-25: counts of main", unreadOf(t, carol, room, true, ""), "2/0")
}

// DEACT-4: what an erased user has sent is not told to those who come later, with
// other events either.
func TestBundlesOfErasedUsers(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := bob.CreateRoom(t, `{"preset":"public_chat"}`)
	alice.Join(t, room)
	said, root := alice.Say(t, room, "secret"), bob.Say(t, room, "root")
	changed := edit(t, alice, room, said, "secret too")
	last := sendRelated(t, alice, room, "m.thread", root)
	alice.Post(t, "/v3/account/deactivate", `{"erase":true,"auth":{"type":"m.login.password","user":"alice","password":"`+homeservertest.Password+`"}}`)
	carol := hs.User(t, "carol")
	carol.Join(t, room)
	same(t, "who was there", bundle(t, bob, room, said).Get(`m\.replace.event_id`).Str, string(changed))
	same(t, "who comes later", bundle(t, carol, room, said).Raw, "")
	latest := bundle(t, carol, room, root).Get(`m\.thread.latest_event`)
	same(t, "the latest event", latest.Get("event_id").Str, string(last))
	same(t, "is redacted", latest.Get("content").Raw, "{}")
}
