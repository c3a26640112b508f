package homeserver_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// gateway is a push gateway.
type gateway struct {
	url    string
	got    chan gjson.Result // the notifications
	answer chan string       // to the next of them; "500" is that status
}

// newGateway starts a gateway that takes every notification, unless answers are given.
func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{got: make(chan gjson.Result, 1000), answer: make(chan string, 1000)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != "POST" || r.URL.Path != "/_matrix/push/v1/notify" || // GW-1
			r.Header.Get("Content-Type") != "application/json" || !gjson.ValidBytes(body) || r.Header.Get("Authorization") != "" {
			t.Errorf("%s %s %v: %s: %v", r.Method, r.URL, r.Header, body, err)
		}
		answer := `{}`
		select {
		case answer = <-g.answer:
		default:
		}
		if !strings.HasPrefix(answer, "{") {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, answer)
		g.got <- gjson.GetBytes(body, "notification")
	}))
	t.Cleanup(srv.Close)
	g.url = srv.URL + "/_matrix/push/v1/notify"
	return g
}

// local lets the server push to gateways of tests.
func local() homeserver.Option {
	return homeserver.WithPushGateways(homeserver.PushGateways{
		Insecure: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
	})
}

// next returns the next notification.
func (g *gateway) next(t *testing.T) gjson.Result {
	t.Helper()
	select {
	case n := <-g.got:
		return n
	case <-time.After(2 * time.Minute):
		t.Fatal("there is no notification")
		return gjson.Result{}
	}
}

// want wants the next notification to be about an event.
func (g *gateway) want(t *testing.T, what string, event events.EventID) gjson.Result {
	t.Helper()
	n := g.next(t)
	same(t, what, n.Get("event_id").Str, string(event))
	return n
}

// push sets up a pusher at the gateway with the pushkey "key", or with changes as
// for pusherWith.
func (g *gateway) push(t *testing.T, c *homeservertest.Client, changes ...string) {
	t.Helper()
	c.Post(t, "/v3/pushers/set", pusherWith(t, append([]string{"data.url", `"` + g.url + `"`}, changes...)...))
}

func TestPush(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, local())
	g := newGateway(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	alice.Put(t, homeservertest.Path("/v3/profile/{}/displayname", alice.User), `{"displayname":"Alice"}`)
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"Tea","room_alias_name":"tea"}`)
	other := alice.CreateRoom(t, `{"preset":"public_chat","room_alias_name":"cake"}`)
	bob.Join(t, room)
	bob.Join(t, other)
	carol.Join(t, other) // or each message would be one to bob alone
	g.push(t, bob, "data.endpoint", `"https://e"`, "data.auth", `{"a":[1,null]}`)

	// GW-2
	text := `{"body":"hello bob, \u00e9<>","msgtype":"m.text","org.example.x":[15]}`
	first := alice.Send(t, room, "m.room.message", []byte(text))
	n := g.want(t, "the first", first)
	same(t, "room_id", n.Get("room_id").Str, string(room))
	same(t, "type", n.Get("type").Str, "m.room.message")
	same(t, "sender", n.Get("sender").Str, string(alice.User))
	same(t, "sender_display_name", n.Get("sender_display_name").Str, "Alice")
	same(t, "room_name", n.Get("room_name").Str, "Tea")
	same(t, "room_alias", n.Get("room_alias").Str, "#tea:example.org")
	same(t, "content", sameJSON(n.Get("content"), gjson.Parse(text)), true)
	same(t, "id", n.Get("id").Str, string(first)) // GW-9
	same(t, "user_is_target", n.Get("user_is_target").Raw, "")
	same(t, "prio", n.Get("prio").Str, "high") // GW-5: it mentions bob
	same(t, "counts", n.Get("counts").Raw, `{"unread":1}`)
	// GW-4, CLIENTC-15
	same(t, "devices", n.Get("devices.#").Int(), 1)
	d := n.Get("devices.0")
	same(t, "app_id", d.Get("app_id").Str, "org.example.app")
	same(t, "pushkey", d.Get("pushkey").Str, "key")
	same(t, "data", d.Get("data").Raw, `{"endpoint":"https://e","auth":{"a":[1,null]}}`)
	same(t, "tweaks", d.Get("tweaks.highlight").Raw, "true")
	if ts := d.Get("pushkey_ts").Int(); ts < time.Now().Add(-time.Hour).Unix() || ts > time.Now().Unix() {
		t.Errorf("pushkey_ts is %d", ts)
	}
	// GW-16: neither tokens nor anything of those who are not concerned.
	for _, secret := range []string{alice.Token, bob.Token, alice.Device, bob.Device} {
		if strings.Contains(n.Raw, secret) {
			t.Errorf("%s is in %s", secret, n)
		}
	}
	// GW-6: over all rooms. GW-5: low without sound and highlight. GW-9: the alias in place of the name.
	n = g.want(t, "a plain one", alice.Say(t, other, "two"))
	same(t, "unread", n.Get("counts.unread").Int(), 2)
	same(t, "prio", n.Get("prio").Str, "low")
	same(t, "room_name", n.Get("room_name").Str, "#cake:example.org")
	// GW-5: what is encrypted may be anything.
	n = g.want(t, "an encrypted one", alice.Send(t, room, "m.room.encrypted", `{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"x"}`))
	same(t, "prio", n.Get("prio").Str, "high")
	// What does not notify is not pushed: bob's own, and notices.
	bob.Say(t, other, "mine")
	alice.Send(t, other, "m.room.message", `{"body":"n","msgtype":"m.notice"}`)
	n = g.want(t, "after what does not notify", alice.Say(t, other, "three"))
	same(t, "unread", n.Get("counts.unread").Int(), 3) // bob has read the other room by writing there
	// GW-3
	g.push(t, bob, "data.format", `"event_id_only"`, "data.x", "1")
	n = g.want(t, "event_id_only", alice.Say(t, other, "bob: four"))
	var names []string
	n.ForEach(func(name, _ gjson.Result) bool { names = append(names, name.Str); return true })
	same(t, "members of event_id_only", names, []string{"counts", "devices", "event_id", "room_id", "prio"})
	same(t, "tweaks", n.Get("devices.0.tweaks").Raw, "")
	same(t, "data", n.Get("devices.0.data").Raw, `{"format":"event_id_only","x":1}`)
	// An unknown format is the full one (PUSH-11).
	g.push(t, bob, "data.format", `"org.example.none"`)
	same(t, "content", g.want(t, "an unknown format", alice.Say(t, other, "five")).Get("content.body").Str, "five")
	// PUSH-14: one that is switched off is silent; those of others and other devices of the user are not.
	g.push(t, bob, `org\.matrix\.msc3881\.enabled`, "false")
	silent := newGateway(t)
	silent.push(t, bob, "pushkey", `"two"`)
	silent.want(t, "the other pusher", alice.Say(t, other, "six"))
	g.push(t, bob)
	seventh := alice.Say(t, other, "seven")
	g.want(t, "switched on", seventh)
	silent.want(t, "the other pusher", seventh)
	// PUSH-3: one that is removed gets nothing more.
	g.push(t, bob, "kind", "null")
	silent.want(t, "the other pusher", alice.Say(t, other, "eight"))
	silent.want(t, "the other pusher", alice.Say(t, other, "nine"))
	same(t, "what the removed one got", len(g.got), 0)
}

// PUSH-12: a pushkey that is set again has a new time.
func TestPushkeyTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	clock := make(chan time.Time, 1)
	clock <- now
	hs := homeservertest.New(t, local(), homeserver.WithClock(func() time.Time {
		at := <-clock
		clock <- at
		return at
	}))
	g := newGateway(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	for range 2 {
		g.push(t, bob)
		n := g.want(t, "message", alice.Say(t, room, "x"))
		same(t, "pushkey_ts", n.Get("devices.0.pushkey_ts").Int(), now.Unix())
		now = (<-clock).Add(time.Minute)
		clock <- now
	}
}

// GW-15: invites are pushed.
func TestPushInvite(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, local())
	g := newGateway(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	g.push(t, bob)
	room := alice.CreateRoom(t, `{"name":"Tea"}`)
	alice.Say(t, room, "bob cannot see this")
	alice.Invite(t, room, bob.User)
	n := g.next(t)
	same(t, "type", n.Get("type").Str, "m.room.member")
	same(t, "user_is_target", n.Get("user_is_target").Raw, "true")
	same(t, "membership", n.Get("membership").Str, "invite")
	same(t, "content.membership", n.Get("content.membership").Str, "invite")
	same(t, "room_id", n.Get("room_id").Str, string(room))
	same(t, "room_name", n.Get("room_name").Str, "Tea")
	same(t, "sender", n.Get("sender").Str, string(alice.User))
	same(t, "counts", n.Get("counts").Raw, `{}`) // GW-7: a zero is left out
	same(t, "prio", n.Get("prio").Str, "high")
	bob.Join(t, room)
	g.want(t, "after joining", alice.Say(t, room, "hello"))
	bob.Leave(t, room)
	// Those who are ignored do not notify, and neither do rooms that were left.
	bob.Put(t, homeservertest.Path("/v3/user/{}/account_data/m.ignored_user_list", bob.User), `{"ignored_users":{"@alice:example.org":{}}}`)
	alice.Say(t, room, "not seen")
	alice.Invite(t, room, bob.User)
	carol := hs.User(t, "carol")
	carol.Invite(t, carol.CreateRoom(t, nil), bob.User)
	same(t, "who invites", g.next(t).Get("sender").Str, string(carol.User))
}

// GW-7, GW-8: what was read elsewhere leaves the badge.
func TestPushBadge(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, local())
	g := newGateway(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	g.push(t, bob, "data.x", "1")
	one := alice.Say(t, room, "one")
	g.want(t, "one", one)
	two := alice.Say(t, room, "two")
	g.want(t, "two", two)
	for i, event := range []events.EventID{one, two} {
		read(t, bob, room, "m.read", event, nil)
		n := g.next(t)
		same(t, "event_id", n.Get("event_id").Raw, "")
		same(t, "unread", n.Get("counts.unread").Raw, fmt.Sprint(1-i)) // GW-7: a zero is told
		same(t, "devices", n.Get("devices.0.pushkey").Str, "key")
		same(t, "data", n.Get("devices.0.data").Raw, `{"x":1}`)
		same(t, "prio", n.Get("prio").Raw, "")
	}
	// GW-8: only if the number has changed.
	three := alice.Send(t, room, "m.room.message", `{"body":"n","msgtype":"m.notice"}`)
	read(t, bob, room, "m.read.private", three, nil)
	g.want(t, "the next event", alice.Say(t, room, "four"))
	// UNRD-17: a room that was left has no share in it.
	cake := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, cake)
	bob.Leave(t, room)
	alice.Say(t, cake, "five")
	same(t, "unread after leaving", g.next(t).Get("counts.unread").Raw, "1")
}

// GW-14: what was read before it is pushed is not pushed. GW-11, GW-12: what cannot be delivered is tried again, in
// order, with the same event_id.
func TestPushAgain(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, local())
	g, other := newGateway(t), newGateway(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room, cake := alice.CreateRoom(t, `{"preset":"public_chat"}`), alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	bob.Join(t, cake)
	g.push(t, bob)
	other.push(t, bob, "pushkey", `"other"`)
	g.answer <- "500"
	one := alice.Say(t, room, "one")
	g.want(t, "one, which fails", one)
	other.want(t, "one elsewhere", one)
	var want []events.EventID
	for i := range 40 { // more than wait in memory
		id := alice.Say(t, []events.RoomID{room, cake}[i%2], fmt.Sprint(i))
		want = append(want, id)
		other.want(t, "what goes on elsewhere meanwhile", id) // GW-13: nobody waits for the one that fails
	}
	g.want(t, "one again", one)
	for _, id := range want {
		g.want(t, "what came meanwhile", id)
	}
	// GW-14
	g.answer <- "500"
	two := alice.Say(t, room, "two")
	g.want(t, "two, which fails", two)
	read(t, bob, room, "m.read", two, nil)
	for n := g.next(t); n.Get("event_id").Exists(); n = g.next(t) {
		t.Errorf("read and pushed all the same: %s", n)
	}
}

// GW-10: who rejects a pushkey gets nothing more for it.
func TestPushRejected(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, local())
	g := newGateway(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	g.push(t, bob)
	for _, answer := range []string{`{"rejected":["another",1,null]}`, `{"rejected":[]}`, `{"rejected":"key"}`, `{"rejected":null}`, `{}`} {
		g.answer <- answer
		g.want(t, answer, alice.Say(t, room, answer))
		same(t, "pushers", pushkeys(t, bob), []string{"key"})
	}
	other := newGateway(t)
	other.push(t, bob, "pushkey", `"other"`, "app_id", `"z"`)
	g.answer <- `{"rejected":["key","other"]}`
	last := alice.Say(t, room, "last")
	g.want(t, "last", last)
	other.want(t, "last elsewhere", last)
	for i := range 100 { // the answer is there, what it does is not yet
		if id := alice.Say(t, room, fmt.Sprint(i)); len(pushkeys(t, bob)) == 1 {
			other.want(t, "what follows elsewhere", id)
			break
		} else {
			other.want(t, "what follows elsewhere", id)
		}
	}
	same(t, "pushers", pushkeys(t, bob), []string{"other"})
}

// GW-12: what could not be delivered, and what was not even tried, is delivered after a restart.
func TestPushAfterRestart(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "chat.db")
	g := newGateway(t)
	open := func(t *testing.T, o ...homeserver.Option) *homeservertest.Server {
		t.Helper()
		st, err := sqlite.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		return homeservertest.New(t, append(o, homeserver.WithStore(st))...)
	}
	var room events.RoomID
	var ids []events.EventID
	t.Run("the gateway fails", func(t *testing.T) {
		hs := open(t, local())
		alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
		room = alice.CreateRoom(t, `{"preset":"public_chat"}`)
		bob.Join(t, room)
		alice.Say(t, room, "before there was a pusher")
		g.push(t, bob)
		g.answer <- "500"
		ids = append(ids, alice.Say(t, room, "one"))
		g.want(t, "one, which fails", ids[0])
		ids = append(ids, alice.Say(t, room, "two"))
	})
	t.Run("the address is refused", func(t *testing.T) { // PUSH-8
		hs := open(t)
		alice := hs.Login(t, "alice")
		ids = append(ids, alice.Say(t, room, "three"))
	})
	same(t, "what got there although it is refused", len(g.got), 0)
	hs := open(t, local())
	for i, id := range ids {
		n := g.want(t, fmt.Sprint("number ", i), id)
		same(t, "unread", n.Get("counts.unread").Int(), 4)
	}
	g.want(t, "what is new", hs.Login(t, "alice").Say(t, room, "four"))
}

// errorsIn hands out the errors in a log.
type errorsIn chan string

func (errorsIn) Enabled(context.Context, slog.Level) bool { return true }
func (e errorsIn) WithAttrs([]slog.Attr) slog.Handler     { return e }
func (e errorsIn) WithGroup(string) slog.Handler          { return e }
func (e errorsIn) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			e <- a.Value.String()
		}
		return true
	})
	return nil
}

// PUSH-8: gateways on private addresses are refused unless they are allowed, and denied ones in any case.
func TestPushToPrivateAddress(t *testing.T) {
	t.Parallel()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, gateways := range map[string]homeserver.PushGateways{
		"by default":         {Insecure: true},
		"allowed and denied": {Insecure: true, Allow: loopback, Deny: loopback},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := make(errorsIn, 1000)
			hs := homeservertest.New(t, homeserver.WithPushGateways(gateways), homeserver.WithLogger(slog.New(log)))
			g := newGateway(t)
			alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
			room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
			bob.Join(t, room)
			g.push(t, bob)
			alice.Say(t, room, "hello")
			if err := <-log; !strings.Contains(err, "not public") {
				t.Errorf("the error is %s", err)
			}
			same(t, "what got there", len(g.got), 0)
		})
	}
}

// GW-14: redirects are not followed, and long answers not read.
func TestPushRedirect(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, local())
	g := newGateway(t)
	visits := make(chan string, 100)
	redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits <- r.URL.Path
		http.Redirect(w, r, g.url, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(redirecting.Close)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	g.push(t, bob, "data.url", `"`+redirecting.URL+`/_matrix/push/v1/notify"`)
	alice.Say(t, room, "hello")
	for range 2 { // it is tried again, so it counts as a failure
		same(t, "path", <-visits, "/_matrix/push/v1/notify")
	}
	same(t, "what got to where the redirect leads", len(g.got), 0)
}
