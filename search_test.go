package homeserver_test

import (
	"fmt"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/homeservertest"
)

// search sends a search for room events and returns what was found.
func search(t *testing.T, c *homeservertest.Client, body string, next string) gjson.Result {
	t.Helper()
	path := "/v3/search"
	if next != "" {
		path += "?next_batch=" + next
	}
	return c.Post(t, path, `{"search_categories":{"room_events":`+body+`}}`).Get("search_categories.room_events")
}

// foundTexts lists what was found.
func foundTexts(found gjson.Result) []string {
	out := []string{}
	for _, r := range found.Get("results").Array() {
		c := r.Get("result.content")
		out = append(out, c.Get("body").Str+c.Get("name").Str+c.Get("topic").Str)
	}
	return out
}

func TestSearch(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"Cake club","topic":"All about cake"}`)
	other := alice.CreateRoom(t, nil)
	bob.Join(t, room)
	alice.Say(t, room, "I like cake")
	alice.Say(t, room, "A very long message in which cake occurs but once")
	mine := bob.Say(t, room, "cake CAKE Cake")
	alice.Say(t, room, "nothing of interest")
	alice.Say(t, other, "secret cake")
	alice.Send(t, room, "m.room.encrypted", map[string]any{"algorithm": "x", "ciphertext": "cake", "body": "cake"})

	// SRCH-1, SRCH-2, SRCH-5: the best first by default; letter case doesn't matter.
	found := search(t, bob, `{"search_term":"Cake","keys":["content.body"]}`, "")
	same(t, "by rank", foundTexts(found), []string{"cake CAKE Cake", "I like cake", "A very long message in which cake occurs but once"})
	same(t, "count", found.Get("count").Int(), 3)
	same(t, "highlights", found.Get("highlights").Raw, `["cake"]`)
	if r := found.Get("results.0"); r.Get("rank").Type != gjson.Number || r.Get("result.room_id").Str != string(room) || r.Get("context").Exists() {
		t.Errorf("a result: %s", r)
	}
	found = search(t, bob, `{"search_term":"cake","keys":["content.body"],"order_by":"recent"}`, "")
	same(t, "newest first", foundTexts(found), []string{"cake CAKE Cake", "A very long message in which cake occurs but once", "I like cake"})
	// SRCH-3: names and topics too; nothing that is encrypted; nothing of rooms one is not in (SRCH-4).
	found = search(t, bob, `{"search_term":"cake","order_by":"recent"}`, "")
	same(t, "all fields", foundTexts(found), []string{"cake CAKE Cake", "A very long message in which cake occurs but once", "I like cake", "All about cake", "Cake club"})
	same(t, "names", foundTexts(search(t, bob, `{"search_term":"club","keys":["content.name"]}`, "")), []string{"Cake club"})
	same(t, "all words", foundTexts(search(t, bob, `{"search_term":"cake like"}`, "")), []string{"I like cake"})
	empty := search(t, bob, `{"search_term":"pie"}`, "")
	same(t, "nothing", empty.Get("results").Raw, "[]")
	// SRCH-2: the filter.
	same(t, "by sender", foundTexts(search(t, bob, `{"search_term":"cake","filter":{"senders":["@bob:example.org"]}}`, "")), []string{"cake CAKE Cake"})
	same(t, "by room", foundTexts(search(t, alice, fmt.Sprintf(`{"search_term":"cake","filter":{"rooms":[%q]}}`, other), "")), []string{"secret cake"})
	both := search(t, alice, fmt.Sprintf(`{"search_term":"cake","keys":["content.body"],"filter":{"rooms":[%q,%q]}}`, other, room), "") // SRCH-11
	same(t, "in two rooms", len(foundTexts(both)), 4)
	// SRCH-10: paging.
	var all []string
	next := ""
	for range 5 {
		page := search(t, bob, `{"search_term":"cake","order_by":"recent","filter":{"limit":2}}`, next)
		all = append(all, foundTexts(page)...)
		if next = page.Get("next_batch").Str; next == "" {
			break
		}
	}
	same(t, "page by page", all, foundTexts(found))
	if found.Get("next_batch").Exists() {
		t.Error("a token though there is nothing further")
	}
	// SRCH-9, SRCH-10: groups, which can be paged alone.
	grouped := search(t, alice, `{"search_term":"cake","keys":["content.body"],"order_by":"recent","filter":{"limit":3},"groupings":{"group_by":[{"key":"room_id"},{"key":"sender"}]}}`, "")
	byRoom := grouped.Get("groups.room_id").Get(gjson.Escape(string(room)))
	if len(byRoom.Get("results").Array()) != 2 || byRoom.Get("order").Type != gjson.Number || byRoom.Get("results.0").Str != string(mine) {
		t.Errorf("groups: %s", grouped.Get("groups"))
	}
	same(t, "by sender", grouped.Get("groups.sender").Get(gjson.Escape(string(bob.User))).Get("results").Raw, fmt.Sprintf(`[%q]`, mine))
	rest := search(t, alice, `{"search_term":"cake","keys":["content.body"],"order_by":"recent"}`, byRoom.Get("next_batch").Str)
	same(t, "the rest of a group", foundTexts(rest), []string{"I like cake"})
	// SRCH-6, SRCH-7: context.
	alice.Put(t, homeservertest.Path("/v3/profile/{}/displayname", alice.User), `{"displayname":"Alice"}`)
	r := search(t, bob, `{"search_term":"long","event_context":{"before_limit":1,"after_limit":1,"include_profile":true}}`, "").Get("results.0.context")
	same(t, "before", bodies(r.Get("events_before")), []string{"I like cake"})
	same(t, "after", bodies(r.Get("events_after")), []string{"cake CAKE Cake"})
	same(t, "historic name", r.Get("profile_info").Get(gjson.Escape(string(alice.User))).Get("displayname").Str, "alice")
	page := bob.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=1&from="+r.Get("start").Str)
	same(t, "on from start", page.Get("chunk.0.type").Str, "m.room.member")
	r = search(t, bob, `{"search_term":"long","event_context":{}}`, "").Get("results.0.context")
	same(t, "default before", len(r.Get("events_before").Array()), 5)
	// SRCH-8
	state := search(t, bob, `{"search_term":"long","include_state":true}`, "").Get("state").Get(gjson.Escape(string(room)))
	if !state.Get(`#(type=="m.room.create")`).Exists() {
		t.Errorf("state: %s", state)
	}
	// SRCH-4: redacted events are found no more, nor what came after one left, nor forgotten rooms.
	bob.Redact(t, room, mine)
	same(t, "after a redaction", len(foundTexts(search(t, bob, `{"search_term":"cake","keys":["content.body"]}`, ""))), 2)
	bob.Leave(t, room)
	alice.Say(t, room, "cake for those who stayed")
	same(t, "after leaving", len(foundTexts(search(t, bob, `{"search_term":"cake","keys":["content.body"]}`, ""))), 2)
	bob.Post(t, homeservertest.Path("/v3/rooms/{}/forget", room), `{}`)
	same(t, "after forgetting", foundTexts(search(t, bob, `{"search_term":"cake"}`, "")), []string{})
	// VIS-6: what one may not see is not found.
	carol := hs.User(t, "carol")
	alice.SetState(t, room, "m.room.history_visibility", "", `{"history_visibility":"joined"}`)
	alice.Say(t, room, "hidden cake")
	carol.Join(t, room)
	for _, text := range foundTexts(search(t, carol, `{"search_term":"cake"}`, "")) {
		if text == "hidden cake" {
			t.Error("a hidden message is found")
		}
	}
	// SRCH-1: what is not in order.
	for body, code := range map[string]string{
		`{}`: "M_MISSING_PARAM",
		`{"search_categories":{"room_events":{}}}`:                                                              "M_MISSING_PARAM",
		`{"search_categories":{"room_events":{"search_term":1}}}`:                                               "M_BAD_JSON",
		`{"search_categories":{"room_events":{"search_term":"x","keys":["content.secret"]}}}`:                   "M_INVALID_PARAM",
		`{"search_categories":{"room_events":{"search_term":"x","order_by":"luck"}}}`:                           "M_INVALID_PARAM",
		`{"search_categories":{"room_events":{"search_term":"x","groupings":{"group_by":[{"key":"colour"}]}}}}`: "M_INVALID_PARAM",
		`{"search_categories":{"room_events":{"search_term":"x","filter":{"limit":"many"}}}}`:                   "M_BAD_JSON",
	} {
		alice.Do(t, "POST", "/v3/search", body).WantError(400, code)
	}
	alice.Do(t, "POST", "/v3/search?next_batch=x", `{"search_categories":{"room_events":{"search_term":"x"}}}`).WantError(400, "M_INVALID_PARAM")
	hs.Anonymous().Do(t, "POST", "/v3/search", `{}`).WantError(401, "M_MISSING_TOKEN")
}
