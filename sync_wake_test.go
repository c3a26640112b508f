package homeserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/homeservertest"
)

// caller sends requests with an access token, and wants them to succeed.
func caller(t *testing.T, srv http.Handler) func(token, method, path, body string) gjson.Result {
	return func(token, method, path, body string) gjson.Result {
		t.Helper()
		w := serve(srv, method, "/_matrix/client"+path, token, body)
		if w.Code != 200 {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return gjson.Parse(w.Body.String())
	}
}

// Whoever waits is told of a change when it happens and not when the time is up, in /sync (SYNC-10, SYNC-38, UNRD-4), in
// sliding sync (SLIDE-49) and in /events (LEG-2). The clock of these tests is synctest's: it moves when all wait.
func TestWaitingEndsWithTheChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		call := caller(t, srv)
		alice, bob := register(t, srv, "", "alice"), register(t, srv, "", "bob")
		tablet := call("", "POST", "/v3/login", `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"bob"},"password":"secret"}`).Get("access_token").Str
		device := call(alice, "GET", "/v3/account/whoami", "").Get("device_id").Str
		newRoom := func(body string) string { return call(alice, "POST", "/v3/createRoom", body).Get("room_id").Str }
		room := newRoom(`{"preset":"public_chat"}`)
		call(bob, "POST", homeservertest.Path("/v3/join/{}", room), `{}`)
		n := 0
		say := func(token string) string {
			n++
			return call(token, "PUT", homeservertest.Path("/v3/rooms/{}/send/m.room.message/{}", room, fmt.Sprint(n)), `{"msgtype":"m.text","body":"x"}`).Get("event_id").Str
		}
		read := func(token, kind, event string) {
			call(token, "POST", homeservertest.Path("/v3/rooms/{}/receipt/{}/{}", room, kind, event), `{}`)
		}
		data := func(token, path string) { call(token, "PUT", path, fmt.Sprintf(`{"n":%d}`, n)) }
		joined := "rooms.join." + gjson.Escape(room) + "."
		var last, other string

		endpoints := map[string]struct {
			begin func() string
			wait  func(since string) gjson.Result
		}{
			"sync": {
				func() string { return call(bob, "GET", "/v3/sync?set_presence=offline", "").Get("next_batch").Str },
				func(since string) gjson.Result {
					return call(bob, "GET", "/v3/sync?set_presence=offline&timeout=300000&since="+since, "")
				},
			},
			"sliding sync": {
				func() string {
					return call(bob, "POST", slidingPath+"?set_presence=offline", wakingRequest).Get("pos").Str
				},
				func(since string) gjson.Result {
					return call(bob, "POST", slidingPath+"?set_presence=offline&timeout=300000&pos="+since, wakingRequest)
				},
			},
			"events": {
				func() string { return call(bob, "GET", "/v3/events?timeout=0", "").Get("end").Str },
				func(since string) gjson.Result { return call(bob, "GET", "/v3/events?timeout=300000&from="+since, "") },
			},
		}
		for _, tt := range []struct {
			what   string
			change func()
			told   string // path in the answer of /sync
			not    string // endpoints that do not tell it
		}{
			{"a message", func() { last = say(alice) }, joined + "timeline.events.0", ""},
			{"state", func() {
				n++
				call(alice, "PUT", homeservertest.Path("/v3/rooms/{}/state/m.room.topic", room), fmt.Sprintf(`{"topic":"%d"}`, n))
			}, joined + "timeline.events.0", ""},
			{"an invite", func() { newRoom(`{"invite":["@bob:example.org"]}`) }, "rooms.invite", ""},
			{"the user's own leaving", func() { call(tablet, "POST", homeservertest.Path("/v3/rooms/{}/leave", other), `{}`) }, "rooms.leave", ""},
			{"typing", func() {
				n++
				call(alice, "PUT", homeservertest.Path("/v3/rooms/{}/typing/@alice:example.org", room), fmt.Sprintf(`{"typing":%t}`, n%2 == 0))
				call(alice, "PUT", homeservertest.Path("/v3/rooms/{}/typing/@alice:example.org", room), fmt.Sprintf(`{"typing":%t}`, n%2 == 1))
			}, joined + "ephemeral.events.0", ""},
			{"a receipt", func() { read(alice, "m.read", last) }, joined + "ephemeral.events.0", ""},
			{"a receipt by another device", func() { read(tablet, "m.read.private", last) }, joined + "unread_notifications", ""},
			{"global account data", func() { data(tablet, "/v3/user/@bob:example.org/account_data/x") }, "account_data.events.0", "events"},
			{"account data of a room", func() { data(tablet, homeservertest.Path("/v3/user/@bob:example.org/rooms/{}/account_data/x", room)) },
				joined + "account_data.events.0", ""},
			{"presence", func() {
				n++
				call(alice, "PUT", "/v3/presence/@alice:example.org/status", fmt.Sprintf(`{"presence":"online","status_msg":"%d"}`, n))
			}, "presence.events.0", "sliding sync"},
			{"a message to the device", func() {
				n++
				call(alice, "PUT", fmt.Sprintf("/v3/sendToDevice/x/%d", n), `{"messages":{"@bob:example.org":{"*":{}}}}`)
			}, "to_device.events.0", "events"},
			{"a device list", func() {
				n++
				call(alice, "POST", "/v3/keys/upload", fmt.Sprintf(`{"device_keys":{"user_id":"@alice:example.org","device_id":%q,"algorithms":["x%d"],"keys":{"x:%s":"k"},"signatures":{}}}`, device, n, device))
			}, "device_lists.changed.0", "events"},
		} {
			for name, endpoint := range endpoints {
				if strings.Contains(tt.not, name) {
					continue
				}
				n++
				last = say(alice)
				other = call(tablet, "POST", "/v3/createRoom", `{}`).Get("room_id").Str
				call(bob, "GET", "/v3/sync?set_presence=offline&since="+endpoints["sync"].begin(), "") // ends the messages to the device that were told before
				since := endpoint.begin()
				started := time.Now()
				answers := make(chan gjson.Result, 1)
				go func() { answers <- endpoint.wait(since) }()
				synctest.Wait()
				if len(answers) > 0 {
					t.Errorf("%s in %s: does not wait: %s", tt.what, name, <-answers)
					continue
				}
				tt.change()
				answer := <-answers
				if waited := time.Since(started); waited > time.Second {
					t.Errorf("%s in %s: told after %v", tt.what, name, waited)
				}
				if name == "sync" && !answer.Get(tt.told).Exists() {
					t.Errorf("%s: %s", tt.what, answer)
				}
			}
		}
	})
}

// wakingRequest asks for everything that may end the waiting.
const wakingRequest = `{"lists":{"a":{"timeline_limit":1}},"extensions":{"account_data":{"enabled":true},"receipts":{"enabled":true},
	"typing":{"enabled":true},"e2ee":{"enabled":true},"to_device":{"enabled":true}}}`
