package homeserver_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/homeservertest"
)

// keysOf fails unless an object has no keys but those that are allowed.
func keysOf(t *testing.T, what string, object gjson.Result, allowed ...string) {
	t.Helper()
	object.ForEach(func(key, _ gjson.Result) bool {
		if !slices.Contains(allowed, key.Str) {
			t.Errorf("%s has %s", what, key)
		}
		return true
	})
}

func TestSyncShape(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	alice.Invite(t, alice.CreateRoom(t, nil), bob.User)
	left := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, left)
	bob.Leave(t, left)
	alice.Put(t, homeservertest.Path("/v3/rooms/{}/typing/{}", room, alice.User), `{"typing":true}`)
	bob.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/account_data/x", bob.User, room), `{}`)
	alice.Put(t, homeservertest.Path("/v3/sendToDevice/m.test/{}", "t"), map[string]any{
		"messages": map[string]any{string(bob.User): map[string]any{"*": map[string]any{}}},
	})
	answer := syncWith(t, bob, "", `{"room":{"include_leave":true,"timeline":{"unread_thread_notifications":true}}}`)
	// SYNC-11
	keysOf(t, "the answer", answer, "next_batch", "rooms", "presence", "account_data", "to_device", "device_lists",
		"device_one_time_keys_count", "device_unused_fallback_key_types", "org.matrix.msc2732.device_unused_fallback_key_types")
	keysOf(t, "rooms", answer.Get("rooms"), "join", "invite", "knock", "leave")
	// SYNC-15
	joined := homeservertest.Room(answer, "join", room)
	keysOf(t, "a joined room", joined, "summary", "state", "timeline", "ephemeral", "account_data", "unread_notifications", "unread_thread_notifications")
	keysOf(t, "a room that was left", homeservertest.Room(answer, "leave", left), "state", "timeline", "account_data")
	// SYNC-12: every part that is there has a list of events.
	for _, part := range []gjson.Result{
		answer.Get("presence"), answer.Get("account_data"), answer.Get("to_device"), joined.Get("state"), joined.Get("timeline"),
		joined.Get("ephemeral"), joined.Get("account_data"), answer.Get("rooms.invite.*.invite_state"),
	} {
		if !part.Get("events").IsArray() {
			t.Errorf("a part is %s", part)
		}
	}
	// CLIENT-7: numbers are integers as JSON writes them.
	if found := regexp.MustCompile(`:-?[0-9]+(\.[0-9]|[eE])`).FindString(answer.Raw); found != "" {
		t.Errorf("a number is %s", found)
	}
	// FILT-19: without lazy loading include_redundant_members changes nothing.
	plain := homeservertest.Room(syncWith(t, bob, "", `{"room":{"timeline":{"limit":1}}}`), "join", room)
	redundant := homeservertest.Room(syncWith(t, bob, "", `{"room":{"timeline":{"limit":1},"state":{"include_redundant_members":true}}}`), "join", room)
	same(t, "include_redundant_members without lazy loading", stateKeys(redundant.Get("state.events")), stateKeys(plain.Get("state.events")))
	lazy := `{"room":{"timeline":{"limit":1},"state":{"lazy_load_members":true,"include_redundant_members":true}}}`
	token := syncWith(t, bob, "", lazy).Get("next_batch").Str
	alice.Say(t, room, "hello")
	again := homeservertest.Room(syncWith(t, bob, token, lazy), "join", room)
	same(t, "redundant members", stateKeys(again.Get("state.events")), []string{"m.room.member/@alice:example.org"}) // SYNC-32
}

// SYNC-32: who loads members lazily is sent each of them once, if it has received them.
func TestLazyMembersAreSentOnce(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	tablet := hs.Login(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	carol.Join(t, room)
	const lazy = `{"room":{"timeline":{"limit":3},"state":{"lazy_load_members":true}}}`
	alice.Say(t, room, "x")
	carol.Say(t, room, "x")
	bob.Say(t, room, "x")
	first := syncWith(t, bob, "", lazy)
	token := first.Get("next_batch").Str
	told := func(c *homeservertest.Client, token, filter string) (string, []string) {
		t.Helper()
		answer := syncWith(t, c, token, filter)
		return answer.Get("next_batch").Str, stateKeys(homeservertest.Room(answer, "join", room).Get("state.events"))
	}
	const alices, carols, daves = "m.room.member/@alice:example.org", "m.room.member/@carol:example.org", "m.room.member/@dave:example.org"

	carol.Say(t, room, "hello")
	same(t, "nothing new", syncWith(t, bob, "", lazy).Get("next_batch").Str != token, true) // another client of the device, whose token is not used
	other, keys := told(bob, token, lazy)
	same(t, "another client has come between", keys, []string{carols})
	alice.Say(t, room, "hello")
	token, keys = told(bob, other, lazy)
	same(t, "who has been sent by the first answer alone", keys, []string{alices})
	carol.Say(t, room, "hello")
	alice.Say(t, room, "hello")
	token, keys = told(bob, token, lazy)
	same(t, "known", keys, []string{})

	dave := hs.User(t, "dave")
	dave.Join(t, room)
	token, _ = told(bob, token, lazy)
	dave.Say(t, room, "hello")
	for range 2 { // an answer that is lost
		_, keys = told(bob, token, lazy)
		same(t, "not received", keys, []string{daves})
	}
	next, _ := told(bob, token, lazy)
	dave.Say(t, room, "hello")
	_, keys = told(bob, next, lazy)
	same(t, "received", keys, []string{})
	_, keys = told(bob, token, lazy)
	same(t, "from an old backup", keys, []string{daves})
	_, keys = told(tablet, next, lazy)
	same(t, "another device", keys, []string{daves})
	_, keys = told(bob, strings.Split(next, ".")[0], lazy)
	same(t, "a token without a mark", keys, []string{daves})

	for range 5 {
		dave.Say(t, room, "much")
	}
	_, keys = told(bob, next, lazy)
	same(t, "after a gap", keys, []string{daves})
	next, _ = told(bob, next, lazy)
	dave.Put(t, homeservertest.Path("/v3/profile/{}/displayname", dave.User), `{"displayname":"D"}`)
	next, _ = told(bob, next, lazy)
	dave.Say(t, room, "my name is D")
	next, keys = told(bob, next, lazy)
	same(t, "changed", keys, []string{daves})
	dave.Say(t, room, "again")
	_, keys = told(bob, next, `{"room":{"state":{"lazy_load_members":true,"include_redundant_members":true}}}`)
	same(t, "include_redundant_members", keys, []string{daves})
	_, keys = told(bob, next, lazy)
	same(t, "known again", keys, []string{})
}

// SYNC-5: whoever goes away leaves nothing behind, and nobody waits for ever.
func TestSyncEndsWithTheClient(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	token := syncWith(t, alice, "", "").Get("next_batch").Str
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		req, err := http.NewRequestWithContext(ctx, "GET", hs.URL+"/_matrix/client/v3/sync?timeout=300000&since="+token, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+alice.Token)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close() //nolint:errcheck // not the point
			t.Fatalf("answered with %s though nothing has changed", resp.Status)
		}
		cancel()
	}
	// The server stops without waiting for those who have gone.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := hs.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// What clients do in their usual way.
func TestHabitsOfClients(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	// CLIENT-9: a stored filter; one that is gone is said to be.
	filter := `{"room":{"timeline":{"limit":8,"unread_thread_notifications":true},"state":{"lazy_load_members":true}}}`
	id := bob.Post(t, homeservertest.Path("/v3/user/{}/filter", bob.User), filter).Get("filter_id").Str
	for i := range 12 {
		alice.Say(t, room, fmt.Sprint(i))
	}
	same(t, "with a stored filter", len(homeservertest.Timeline(syncWith(t, bob, "", id), room)), 8)
	bob.Do(t, "GET", homeservertest.Path("/v3/user/{}/filter/{}", bob.User, "9999"), nil).WantError(404, "M_NOT_FOUND")
	// CLIENT-29, CLIENTA-7: r0, and prev_batch with every limited timeline.
	r0 := bob.Get(t, "/r0/sync?filter="+id)
	if s := homeservertest.Room(r0, "join", room); !s.Get("timeline.limited").Bool() || s.Get("timeline.prev_batch").Str == "" {
		t.Errorf("r0: %s", s)
	}
	// RCPT-15, EMOJI-1, PACK-1: account data without behaviour of its own.
	for _, typ := range []string{"m.marked_unread", "com.famedly.marked_unread"} {
		path := homeservertest.Path("/v3/user/{}/rooms/{}/account_data/{}", bob.User, room, typ)
		bob.Put(t, path, `{"unread":true}`)
		same(t, typ, bob.Get(t, path).Raw, `{"unread":true}`)
	}
	for _, typ := range []string{"m.recent_emoji", "m.image_pack.rooms"} {
		path := homeservertest.Path("/v3/user/{}/account_data/{}", bob.User, typ)
		bob.Put(t, path, `{"x":[1]}`)
		same(t, typ, bob.Get(t, path).Raw, `{"x":[1]}`)
	}
	alice.SetState(t, room, "m.room.image_pack", "cats", `{"images":{"cat":{"url":"mxc://example.org/cat"}}}`)
	same(t, "m.room.image_pack", alice.State(t, room, "m.room.image_pack", "cats").Get("images.cat.url").Str, "mxc://example.org/cat")
	// IM-2, CLIENT-27: messages of all kinds, untouched.
	for _, content := range []string{
		`{"body":"b","format":"org.matrix.custom.html","formatted_body":"<span data-mx-spoiler>x</span>","msgtype":"m.text"}`,
		`{"body":"cat.gif","filename":"cat.gif","info":{"is_animated":true,"mimetype":"image/gif"},"msgtype":"m.image","url":"mxc://example.org/x"}`,
		`{"body":"here","geo_uri":"geo:1,2","msgtype":"m.location"}`,
		`{"body":"x","fi.mau.double_puppet_source":"bridge","msgtype":"org.example.custom"}`,
	} {
		sent := alice.Send(t, room, "m.room.message", content)
		same(t, "content", alice.Get(t, homeservertest.Path("/v3/rooms/{}/event/{}", room, sent)).Get("content").Raw, content)
	}
	// IM-3, FILT-17
	page := alice.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=b&limit=50&filter=%7B%22contains_url%22%3Atrue%7D")
	same(t, "with a url", bodies(page.Get("chunk")), []string{"cat.gif"})
	// AD-8
	old := bob.Get(t, "/v3/initialSync")
	if !old.Get(`account_data.#(type=="m.recent_emoji")`).Exists() || !old.Get(`rooms.0.account_data.#(type=="m.marked_unread")`).Exists() {
		t.Errorf("account data of initialSync: %s", old.Get("account_data"))
	}
	// INVP-3: blocked invites are hidden from /sync alone.
	closed := alice.CreateRoom(t, nil)
	alice.Invite(t, closed, bob.User)
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.invite_permission_config", bob.User), `{"default_action":"block"}`)
	if homeservertest.HasRoom("invite", closed)(syncWith(t, bob, "", "")) {
		t.Error("a blocked invite is in /sync")
	}
	same(t, "membership in the state", alice.State(t, closed, "m.room.member", string(bob.User)).Get("membership").Str, "invite")
}
