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
