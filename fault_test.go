package homeserver_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

// Wherever the storage fails during a request, the answer is 500 M_UNKNOWN, nothing
// of it is ever seen, and the next request works as if nothing had been.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	inner, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	st := storetest.Faulty(inner)
	hs := homeservertest.New(t, homeserver.WithStore(st), homeserver.WithLogger(slog.New(slog.DiscardHandler)))
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	root := alice.Say(t, room, "root")
	alice.Sync(t)

	old := alice.CreateRoom(t, `{"preset":"public_chat","visibility":"public","room_version":"11","room_alias_name":"old"}`)
	alice.Put(t, homeservertest.Path("/v3/user/{}/rooms/{}/tags/u.work", alice.User, old), `{}`)
	alice.Put(t, homeservertest.Path("/v3/pushrules/global/room/{}", old), `{"actions":[]}`)
	alice.Sync(t)

	txn := 0
	for what, request := range map[string]func() (method, path string, body any){
		"send": func() (string, string, any) {
			txn++
			return "PUT", homeservertest.Path("/v3/rooms/{}/send/m.room.message/{}", room, fmt.Sprint("t", txn)), `{"body":"b","msgtype":"m.text"}`
		},
		"relation": func() (string, string, any) {
			txn++
			return "PUT", homeservertest.Path("/v3/rooms/{}/send/m.room.message/{}", room, fmt.Sprint("t", txn)),
				`{"body":"b","msgtype":"m.text","m.relates_to":` + relation("m.thread", root) + `}`
		},
		"redaction of a relation": func() (string, string, any) {
			st.FailAt(0, nil)
			txn++
			target := sendRelated(t, alice, room, "m.thread", root)
			alice.Sync(t)
			return "PUT", homeservertest.Path("/v3/rooms/{}/redact/{}/{}", room, target, fmt.Sprint("r", txn)), `{}`
		},
		"state": func() (string, string, any) {
			txn++
			return "PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.topic/", room), fmt.Sprintf(`{"topic":"%d"}`, txn)
		},
		"redact": func() (string, string, any) {
			st.FailAt(0, nil)
			txn++
			target := alice.Say(t, room, "to be redacted")
			alice.Sync(t)
			return "PUT", homeservertest.Path("/v3/rooms/{}/redact/{}/{}", room, target, fmt.Sprint("r", txn)), `{}`
		},
		"create":  func() (string, string, any) { return "POST", "/v3/createRoom", `{"name":"N","preset":"public_chat"}` },
		"upgrade": func() (string, string, any) { return "POST", upgradePath(old), `{"new_version":"10"}` }, // UPGR-4: all or nothing
		"account data": func() (string, string, any) {
			txn++
			return "PUT", homeservertest.Path("/v3/user/{}/account_data/x", alice.User), fmt.Sprintf(`{"n":%d}`, txn)
		},
		"receipt": func() (string, string, any) {
			st.FailAt(0, nil)
			e := bob.Say(t, room, "read me")
			alice.Sync(t)
			return "POST", homeservertest.Path("/v3/rooms/{}/receipt/m.read/{}", room, e), `{}`
		},
	} {
		for n := 1; ; n++ {
			method, path, body := request()
			st.FailAt(n, errors.New("disk on fire"))
			answer := alice.Do(t, method, path, body)
			st.FailAt(0, nil)
			if answer.Status == 200 {
				alice.Sync(t)
				break // it makes fewer than n calls
			}
			answer.WantError(500, "M_UNKNOWN")
			if sync := alice.Sync(t); sync.Get("rooms").Exists() || sync.Get("account_data").Exists() {
				t.Fatalf("%s failed at call %d, and a sync shows %s", what, n, sync)
			}
			if n > 300 {
				t.Fatalf("%s never succeeds", what)
			}
		}
	}
	// What is in memory is what is stored.
	before := snapshot(t, alice, room)
	again := homeservertest.New(t, homeserver.WithStore(unclosed{inner}))
	alice2 := again.Login(t, "alice")
	same(t, "a server that reads it all anew", snapshot(t, alice2, room), before)
}

// unclosed leaves closing to the first server.
type unclosed struct{ store.Store }

func (unclosed) Close() error { return nil }

// snapshot is the state and the whole timeline of a room.
func snapshot(t *testing.T, c *homeservertest.Client, room events.RoomID) []string {
	t.Helper()
	var out []string
	for _, e := range c.Get(t, homeservertest.Path("/v3/rooms/{}/messages", room)+"?dir=f&limit=1000").Get("chunk").Array() {
		out = append(out, e.Get("event_id").Str+e.Get("content").Raw)
	}
	state := map[string]string{}
	for _, e := range c.Get(t, homeservertest.Path("/v3/rooms/{}/state", room)).Array() {
		state[e.Get("type").Str+e.Get("state_key").Str] = e.Get("event_id").Str
	}
	sync := homeservertest.Room(syncWith(t, c, "", ""), "join", room)
	sync.Get("timeline.events").ForEach(func(_, e gjson.Result) bool {
		out = append(out, e.Get("event_id").Str)
		return true
	})
	threads := c.Get(t, homeservertest.Path("/v1/rooms/{}/threads", room)).Get(`chunk.#.unsigned.m\.relations.m\.thread.count`)
	return append(out, fmt.Sprint(state), threads.Raw)
}
