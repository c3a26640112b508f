package homeservertest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

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
