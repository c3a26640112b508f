package homeservertest_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// t is the test that an example stands for.
var t *testing.T

// Two users talk.
func Example() {
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")

	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	greeting := alice.Say(t, room, "hello")

	bob.HearEvent(t, room, greeting)
}

// A bot is tested: the client plays the person who talks to it.
func ExampleServer_User() {
	hs := homeservertest.New(t)
	bot, alice := hs.User(t, "bot"), hs.User(t, "alice")
	go runBot(t, hs.URL, bot.Token)

	room := alice.CreateRoom(t, map[string]any{"invite": []any{bot.User}})
	alice.Say(t, room, "!ping")
	answer := alice.Hear(t, room, func(e gjson.Result) bool {
		return e.Get("type").Str == "m.room.message" && e.Get("sender").Str == string(bot.User)
	})
	if text := answer.Get("content.body").Str; text != "pong" {
		t.Errorf("the bot says %q", text)
	}
}

// runBot stands for the bot that is tested.
func runBot(_ *testing.T, url, token string) {}

// What has no method of its own is a request.
func ExampleClient_Do() {
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, nil)

	bob.Do(t, "GET", homeservertest.Path("/v3/rooms/{}/state", room), nil).WantError(http.StatusForbidden, "M_FORBIDDEN")
	topic := homeservertest.Path("/v3/rooms/{}/state/m.room.topic", room)
	alice.Put(t, topic, `{"topic":"tea"}`)
	if got := alice.Get(t, topic).Get("topic").String(); !strings.Contains(got, "tea") {
		t.Errorf("the topic is %q", got)
	}
}

// A bot has to send again what the server refuses, or what it gets no answer to,
// and nobody may read it twice.
func ExampleServer_Intercept() {
	hs := homeservertest.New(t)
	bot, alice := hs.User(t, "bot"), hs.User(t, "alice")
	room := bot.CreateRoom(t, map[string]any{"invite": []any{alice.User}})
	alice.Join(t, room)

	var sends atomic.Int64
	hs.Intercept(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, "/send/") {
				next.ServeHTTP(w, r)
				return
			}
			switch sends.Add(1) {
			case 1:
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, `{"errcode":"M_LIMIT_EXCEEDED","error":"not so fast","retry_after_ms":10}`)
			case 2:
				next.ServeHTTP(w, r)
				panic(http.ErrAbortHandler) // it was sent, but the bot does not hear of it
			default:
				next.ServeHTTP(w, r)
			}
		})
	})
	go runBot(t, hs.URL, bot.Token)

	alice.Hear(t, room, func(e gjson.Result) bool { return e.Get("content.body").Str == "I am here" })
}

// Time passes, and the bot's token expires: it has to sign in again, on the same
// device.
func ExampleNew_clock() {
	var passed atomic.Int64
	hs := homeservertest.New(t,
		homeserver.WithClock(func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }),
		homeserver.WithAccountRules(homeserver.AccountRules{SessionLifetime: time.Hour}))
	bot := hs.User(t, "bot")

	passed.Add(int64(2 * time.Hour))

	refusal := bot.Do(t, "GET", "/v3/account/whoami", nil).WantError(http.StatusUnauthorized, "M_UNKNOWN_TOKEN")
	if !refusal.Get("soft_logout").Bool() {
		t.Error("the device is gone")
	}
}
