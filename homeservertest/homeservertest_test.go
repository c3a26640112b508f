package homeservertest_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// What the README shows.
func TestGreeting(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t) // in memory, milliseconds, gone with the test
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	greeting := alice.Say(t, room, "hello")
	bob.HearEvent(t, room, greeting)
}

// A user can be registered, signs in, and finds the server by its name.
func TestUsers(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	phone := hs.Login(t, "alice")
	for _, c := range []*homeservertest.Client{alice, phone} {
		me := c.Get(t, "/v3/account/whoami")
		if c.User != "@alice:example.org" || me.Get("user_id").Str != string(c.User) || me.Get("device_id").Str != c.Device {
			t.Errorf("%s with device %s is %s", c, c.Device, me)
		}
	}
	if alice.Token == phone.Token || alice.Device == phone.Device {
		t.Error("two logins are one")
	}
	hs.Anonymous().Do(t, "GET", "/v3/account/whoami", nil).WantError(401, "M_MISSING_TOKEN")
	if got := hs.Anonymous().Get(t, "/.well-known/matrix/client").Get(`m\.homeserver.base_url`).Str; got != hs.URL {
		t.Errorf("base_url %q, want %q", got, hs.URL)
	}
}

// Options come after the defaults.
func TestOptions(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, homeserver.WithRegistration(homeserver.RegistrationClosed))
	hs.Anonymous().Do(t, "POST", "/v3/register", `{}`).WantError(403, "M_FORBIDDEN")
}

// Bodies of any kind arrive as they should, and paths with what is in IDs.
func TestBodiesAndPaths(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "a/b")
	path := homeservertest.Path("/v3/profile/{}/{}", alice.User, "displayname")
	for _, body := range []any{
		`{"displayname":"<A>"}`, []byte(`{"displayname":"<A>"}`), map[string]string{"displayname": "<A>"},
		struct {
			Name string `json:"displayname"`
		}{"<A>"},
	} {
		alice.Put(t, path, `{"displayname":""}`)
		alice.Put(t, path, body)
		if got := alice.Get(t, "/_matrix/client"+path).Get("displayname").Str; got != "<A>" {
			t.Errorf("%T: displayname %q", body, got)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a missing part is not noticed")
		}
	}()
	homeservertest.Path("/v3/profile/{}/{}", "a")
}

// fakeTest takes the place of a test that fails.
type fakeTest struct {
	testing.TB
	said strings.Builder
}

func (f *fakeTest) Helper() {}

func (f *fakeTest) Fatalf(format string, args ...any) {
	fmt.Fprintf(&f.said, format, args...)
	runtime.Goexit()
}

// A failure tells who has asked what, what came, and what was wanted.
func TestFailures(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	for name, tt := range map[string]struct {
		run  func(t testing.TB)
		want []string
	}{
		"status": {
			func(t testing.TB) { alice.Put(t, "/v3/profile/@bob:example.org/displayname", `{"displayname":"B"}`) },
			[]string{
				"@alice:example.org sends PUT /_matrix/client/v3/profile/@bob:example.org/displayname {\"displayname\":\"B\"}",
				"and gets 403 {", "M_FORBIDDEN", "want status 200",
			},
		},
		"errcode": {
			func(t testing.TB) { hs.Anonymous().Do(t, "GET", "/v3/nothing", nil).WantError(404, "M_NOT_FOUND") },
			[]string{"somebody sends GET /_matrix/client/v3/nothing\n", "want errcode M_NOT_FOUND"},
		},
		"no error": {
			func(t testing.TB) { alice.Do(t, "GET", "/versions", nil).WantError(200, "M_NOT_FOUND") },
			[]string{"and gets 200", "want errcode M_NOT_FOUND"},
		},
		"body": {
			func(t testing.TB) { alice.Post(t, "/v3/login", func() {}) },
			[]string{"POST /_matrix/client/v3/login: encode body: json: unsupported type"},
		},
		"not JSON": {
			func(t testing.TB) { alice.Do(t, "OPTIONS", "/versions", nil).JSON() },
			[]string{"and gets 200", "which is not JSON"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := &fakeTest{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				tt.run(fake)
			}()
			<-done
			for _, text := range tt.want {
				if !strings.Contains(fake.said.String(), text) {
					t.Errorf("no %q in the failure:\n%s", text, &fake.said)
				}
			}
		})
	}
}

// The conditions find what they are for and nothing else.
func TestConditions(t *testing.T) {
	t.Parallel()
	sync := gjson.Parse(`{"rooms":{
		"join":{"!a.b:example.org":{"timeline":{"events":[{"event_id":"$one"},{"event_id":"$two"}]}}},
		"invite":{"!c:example.org":{"invite_state":{"events":[]}}}}}`)
	for name, tt := range map[string]struct{ got, want bool }{
		"event":             {homeservertest.HasEvent("!a.b:example.org", "$two")(sync), true},
		"other event":       {homeservertest.HasEvent("!a.b:example.org", "$three")(sync), false},
		"event of no room":  {homeservertest.HasEvent("!c:example.org", "$two")(sync), false},
		"joined":            {homeservertest.HasRoom("join", "!a.b:example.org")(sync), true},
		"invited":           {homeservertest.HasRoom("invite", "!c:example.org")(sync), true},
		"invited elsewhere": {homeservertest.HasRoom("invite", "!a.b:example.org")(sync), false},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
	if events := homeservertest.Timeline(sync, "!a.b:example.org"); len(events) != 2 || events[1].Get("event_id").Str != "$two" {
		t.Errorf("timeline %v", events)
	}
}

// Everything that a client does with rooms, between two users.
func TestRooms(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	if !bob.Sync(t).Get("next_batch").Exists() || bob.Since == "" {
		t.Error("the first sync has no token")
	}
	room := alice.CreateRoom(t, nil)
	alice.Invite(t, room, bob.User)
	bob.SyncUntil(t, homeservertest.HasRoom("invite", room))
	bob.Join(t, room)

	// Both arrive in one sync, and either can be asked for.
	one, two := alice.Say(t, room, "one"), alice.Say(t, room, "two")
	for _, id := range []events.EventID{two, one, two} {
		if e := bob.HearEvent(t, room, id); e.Get("sender").Str != string(alice.User) {
			t.Errorf("bob hears %s", e)
		}
	}
	done := make(chan events.EventID)
	go func() { done <- alice.Send(t, room, "m.room.message", `{"msgtype":"m.notice","body":"three"}`) }()
	heard := bob.Hear(t, room, func(e gjson.Result) bool { return e.Get("content.body").Str == "three" })
	if id := <-done; heard.Get("event_id").Str != string(id) {
		t.Errorf("bob hears %s, alice has sent %s", heard, id)
	}

	alice.SetState(t, room, "m.room.topic", "", `{"topic":"tea"}`)
	if got := bob.State(t, room, "m.room.topic", "").Get("topic").Str; got != "tea" {
		t.Errorf("the topic is %q", got)
	}
	bob.HearEvent(t, room, alice.Redact(t, room, one))
	history := bob.History(t, room, 4)
	if len(history) != 4 || history[2].Get("event_id").Str != heard.Get("event_id").Str {
		t.Errorf("the last events are %v", history)
	}
	bob.Leave(t, room)
	bob.SyncUntil(t, homeservertest.HasRoom("leave", room))
	bob.Do(t, "PUT", homeservertest.Path("/v3/rooms/{}/send/m.x/1", room), "{}").WantError(403, "M_FORBIDDEN")
}
