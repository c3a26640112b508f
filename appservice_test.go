package homeserver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/uia"
)

// ircBridge has the users @irc_… and the aliases #irc_… to itself, and shares the users
// @both_….
var ircBridge = homeserver.AppService{
	ID: "irc", Token: "irc-token", ServerToken: "irc-secret", Sender: "ircbot",
	Users:   []homeserver.AppServiceNamespace{{Regex: `@irc_.*:example\.org`, Exclusive: true}, {Regex: `@both_`}},
	Aliases: []homeserver.AppServiceNamespace{{Regex: `#irc_`, Exclusive: true}, {Regex: `#both_`}},
}

// xmppBridge is another one.
var xmppBridge = homeserver.AppService{
	ID: "xmpp", Token: "xmpp-token", ServerToken: "xmpp-secret", Sender: "xmppbot",
	Users:   []homeserver.AppServiceNamespace{{Regex: `@xmpp_[a-z]+`, Exclusive: true}, {Regex: `@irc_x`}},
	Aliases: []homeserver.AppServiceNamespace{{Regex: `#xmpp_`, Exclusive: true}},
}

// withBridges starts a server with both, and returns clients with their tokens.
func withBridges(t *testing.T, options ...homeserver.Option) (hs *homeservertest.Server, irc, xmpp *homeservertest.Client) {
	t.Helper()
	hs = homeservertest.New(t, append([]homeserver.Option{homeserver.WithAppServices(ircBridge, xmppBridge)}, options...)...)
	irc, xmpp = hs.Anonymous(), hs.Anonymous()
	irc.Token, xmpp.Token = ircBridge.Token, xmppBridge.Token
	return hs, irc, xmpp
}

// ghost registers a user for a service, without a session.
func ghost(t *testing.T, service *homeservertest.Client, username string) events.UserID {
	t.Helper()
	answer := service.Post(t, "/v3/register", map[string]any{
		"type": "m.login.application_service", "username": username, "inhibit_login": true,
	})
	return events.UserID(answer.Get("user_id").Str)
}

// as is a path with a user_id.
func as(user events.UserID, template string, parts ...any) string {
	mark := "?"
	if strings.Contains(template, "?") {
		mark = "&"
	}
	return homeservertest.Path(template+mark+"user_id={}", append(parts, user)...)
}

func TestServiceRegisters(t *testing.T) {
	t.Parallel()
	const typ = `"type":"m.login.application_service"`
	hs, irc, xmpp := withBridges(t, homeserver.WithRegistration(homeserver.RegistrationClosed))
	for _, username := range []string{"alice", "both_old"} {
		if _, err := hs.CreateUser(t.Context(), username, homeservertest.Password); err != nil {
			t.Fatal(err)
		}
	}
	alice := hs.Login(t, "alice")

	t.Run("no interactive authentication, password or open registration is needed", func(t *testing.T) { // ASC-10, AS-12
		got := irc.Post(t, "/v3/register", `{`+typ+`,"username":"irc_bob","device_id":"D"}`)
		if got.Get("user_id").Str != "@irc_bob:example.org" || got.Get("device_id").Str != "D" {
			t.Error(got)
		}
		bob := hs.Anonymous()
		bob.Token = got.Get("access_token").Str
		if who := bob.Get(t, "/v3/account/whoami"); who.Get("user_id").Str != "@irc_bob:example.org" || who.Get("device_id").Str != "D" {
			t.Error(who)
		}
	})
	t.Run("with inhibit_login there is no session", func(t *testing.T) { // ASC-10, REG-8, AS-12
		got := irc.Post(t, "/v3/register", `{`+typ+`,"username":"irc_carol","inhibit_login":true}`)
		if got.Get("access_token").Exists() || got.Get("device_id").Exists() {
			t.Error(got)
		}
		if list := irc.Get(t, as("@irc_carol:example.org", "/v3/devices")).Get("devices"); len(list.Array()) > 0 {
			t.Error(list)
		}
	})
	for _, tt := range []struct {
		says   string
		client *homeservertest.Client
		body   string
		status int
		code   string
	}{
		{"ASC-11, AS-14: no token", hs.Anonymous(), `{` + typ + `,"username":"irc_x"}`, 401, "M_MISSING_TOKEN"},
		{"ASC-11, AS-14: unknown token", &homeservertest.Client{Token: "nonsense"}, `{` + typ + `,"username":"irc_x"}`, 401, "M_UNKNOWN_TOKEN"},
		{"AS-14: a user's token", alice, `{` + typ + `,"username":"irc_x"}`, 403, "M_FORBIDDEN"},
		{"ASC-11, AS-12: taken", irc, `{` + typ + `,"username":"irc_bob"}`, 400, "M_USER_IN_USE"},
		{"taken by a person, in a namespace that is shared", irc, `{` + typ + `,"username":"both_old"}`, 400, "M_USER_IN_USE"},
		{"AS-7: the sender has its account from the beginning", irc, `{` + typ + `,"username":"ircbot"}`, 400, "M_USER_IN_USE"},
		{"ASC-7, AS-7: outside its namespaces", irc, `{` + typ + `,"username":"dave"}`, 400, "M_EXCLUSIVE"},
		{"ASC-7: in another's", irc, `{` + typ + `,"username":"xmpp_dave"}`, 400, "M_EXCLUSIVE"},
		{"ASC-8, AS-6: in its own, and in another's exclusive one", xmpp, `{` + typ + `,"username":"irc_x"}`, 400, "M_EXCLUSIVE"},
		{"no username", irc, `{` + typ + `}`, 400, "M_MISSING_PARAM"},
		{"no possible username", irc, `{` + typ + `,"username":"irc_:"}`, 400, "M_INVALID_USERNAME"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			c := hs.Anonymous()
			c.Token = tt.client.Token
			c.Do(t, "POST", "/v3/register", tt.body).WantError(tt.status, tt.code)
		})
	}
}

// A user ID that a service has to itself is refused to everybody else, one in a
// namespace that is not exclusive is not (ASC-8, AS-6, REG-4, REG-15).
func TestExclusiveUsers(t *testing.T) {
	t.Parallel()
	hs, _, _ := withBridges(t)
	register := func(username string) *homeservertest.Response {
		return hs.Anonymous().Do(t, "POST", "/v3/register", map[string]any{
			"username": username, "password": "secret", "auth": map[string]any{"type": "m.login.dummy"},
		})
	}
	register("irc_bob").WantError(400, "M_EXCLUSIVE")  // ASC-8, REG-4
	register("IRC_bob").WantError(400, "M_EXCLUSIVE")  // the same user
	register("xmpp_bob").WantError(400, "M_EXCLUSIVE") // ASC-8
	register("both_bob").Want(200)                     // ASC-8
	register("my_irc_bob").Want(200)
	hs.Anonymous().Do(t, "POST", "/v3/register", `{"username":"irc_bob","password":"x"}`).WantError(400, "M_EXCLUSIVE") // before UIA

	available := func(username string) *homeservertest.Response {
		return hs.Anonymous().Do(t, "GET", homeservertest.Path("/v3/register/available?username={}", username), nil)
	}
	available("irc_bob").WantError(400, "M_EXCLUSIVE") // REG-15, AS-6
	available("ircbot").WantError(400, "M_USER_IN_USE")
	if got := available("both_eve").Want(200).Raw; got != `{"available":true}` {
		t.Error(got)
	}
	if _, err := hs.SignIn(t.Context(), "irc_bob", homeserver.Device{}); err == nil || !strings.Contains(err.Error(), "M_EXCLUSIVE") {
		t.Errorf("the host's users: %v", err)
	}
	if user, err := hs.CreateUser(t.Context(), "irc_host", ""); err != nil {
		t.Errorf("the host itself: %s %v", user, err)
	}
}

func TestServiceLogsIn(t *testing.T) {
	t.Parallel()
	hs, irc, _ := withBridges(t)
	alice := hs.User(t, "alice")
	bob := ghost(t, irc, "irc_bob")
	body := func(user string) string {
		return fmt.Sprintf(`{"type":"m.login.application_service","identifier":{"type":"m.id.user","user":%q},"device_id":"D"}`, user)
	}
	t.Run("GET /login has the type", func(t *testing.T) { // CLIENTA-13, AS-13
		const path = `flows.#(type=="m.login.application_service")`
		if flows := hs.Anonymous().Get(t, "/v3/login"); !flows.Get(path).Exists() {
			t.Error(flows)
		}
		if flows := homeservertest.New(t).Anonymous().Get(t, "/v3/login"); flows.Get(path).Exists() {
			t.Errorf("without services: %s", flows)
		}
	})
	t.Run("a session on a device, which may be used again", func(t *testing.T) { // LOGIN-15, AS-13
		first := irc.Post(t, "/v3/login", body("irc_bob"))
		again := irc.Post(t, "/v3/login", body(string(bob)))
		if first.Get("user_id").Str != string(bob) || again.Get("device_id").Str != "D" {
			t.Errorf("%s\n%s", first, again)
		}
		c := hs.Anonymous()
		c.Token = again.Get("access_token").Str
		if who := c.Get(t, "/v3/account/whoami"); who.Get("user_id").Str != string(bob) || who.Get("device_id").Str != "D" {
			t.Error(who)
		}
		c.Token = first.Get("access_token").Str
		c.Do(t, "GET", "/v3/account/whoami", nil).WantError(401, "M_UNKNOWN_TOKEN")
	})
	t.Run("the sender", func(t *testing.T) { // AS-7
		if got := irc.Post(t, "/v3/login", body("ircbot")); got.Get("user_id").Str != "@ircbot:example.org" {
			t.Error(got)
		}
	})
	for _, tt := range []struct {
		says, token, user string
		status            int
		code              string
	}{
		{"no token", "", "irc_bob", 401, "M_MISSING_TOKEN"},
		{"unknown token", "nonsense", "irc_bob", 401, "M_UNKNOWN_TOKEN"},
		{"no service's token", alice.Token, "irc_bob", 403, "M_FORBIDDEN"},
		{"user unregistered", irc.Token, "irc_nobody", 403, "M_FORBIDDEN"},
		{"outside namespace", irc.Token, "alice", 400, "M_EXCLUSIVE"},
		{"another server", irc.Token, "@irc_bob:elsewhere.org", 403, "M_FORBIDDEN"},
	} {
		t.Run(tt.says, func(t *testing.T) { // LOGIN-15, SRC-2, ASC-7, AS-7, AS-13, AS-14
			c := hs.Anonymous()
			c.Token = tt.token
			c.Do(t, "POST", "/v3/login", body(tt.user)).WantError(tt.status, tt.code)
		})
	}
}

// Where nobody signs in by /login, services do not either: their users have no
// sessions (ASC-12, AS-15, LOGIN-16).
func TestNoLegacyLogin(t *testing.T) {
	t.Parallel()
	hs, irc, _ := withBridges(t, homeserver.WithAccountRules(homeserver.AccountRules{NoPasswords: true}))
	const register = `{"type":"m.login.application_service","username":"irc_bob"`
	irc.Do(t, "POST", "/v3/register", register+`}`).WantError(400, "M_APPSERVICE_LOGIN_UNSUPPORTED")                                                                             // ASC-12
	irc.Do(t, "POST", "/v3/register", register+`,"inhibit_login":true}`).Want(200)                                                                                               // ASC-12, and the refusal has made nothing
	irc.Do(t, "POST", "/v3/login", `{"type":"m.login.application_service","identifier":{"type":"m.id.user","user":"irc_bob"}}`).WantError(400, "M_APPSERVICE_LOGIN_UNSUPPORTED") // LOGIN-16
	hs.Anonymous().Do(t, "GET", "/v3/login", nil).WantError(404, "M_UNRECOGNIZED")                                                                                               // LOGIN-1
}

func TestServiceActs(t *testing.T) {
	t.Parallel()
	hs, irc, xmpp := withBridges(t)
	alice := hs.User(t, "alice")
	bob := ghost(t, irc, "irc_bob")
	whoami := func(t *testing.T, query string) gjson.Result {
		t.Helper()
		return irc.Get(t, "/v3/account/whoami"+query)
	}

	t.Run("by default it is its sender, who needs no registration", func(t *testing.T) { // ASC-4, AS-8
		got := whoami(t, "")
		if got.Get("user_id").Str != "@ircbot:example.org" || got.Get("device_id").Exists() { // DEV-30
			t.Error(got)
		}
		room := irc.CreateRoom(t, `{"preset":"public_chat"}`)
		alice.Join(t, room)
		said := irc.Say(t, room, "hello")
		if e := alice.HearEvent(t, room, said); e.Get("sender").Str != "@ircbot:example.org" {
			t.Error(e)
		}
	})
	t.Run("user_id selects one of its users", func(t *testing.T) { // ASC-4, AS-8, WHO-2
		if got := whoami(t, "?user_id=@irc_bob:example.org"); got.Get("user_id").Str != string(bob) || got.Get("device_id").Exists() {
			t.Error(got)
		}
	})
	t.Run("the token may be in the query", func(t *testing.T) { // ASC-3
		got := hs.Anonymous().Get(t, "/v3/account/whoami?access_token=irc-token&user_id=@irc_bob:example.org")
		if got.Get("user_id").Str != string(bob) {
			t.Error(got)
		}
	})
	t.Run("the token is none to refresh", func(t *testing.T) { // ASC-3, REFR-10
		irc.Do(t, "POST", "/v3/refresh?user_id=@irc_bob:example.org", `{"refresh_token":"irc-token"}`).WantError(401, "M_UNKNOWN_TOKEN")
	})
	for _, tt := range []struct{ says, user string }{
		{"outside its namespace", "@alice:example.org"},
		{"another service's sender", "@xmppbot:example.org"},
		{"not registered", "@irc_nobody:example.org"},
		{"of another server", "@irc_bob:elsewhere.org"}, // ASC-2
		{"no user ID", "irc_bob"},
	} {
		t.Run("user_id is "+tt.says, func(t *testing.T) { // ASC-4, AS-9, WHO-2
			irc.Do(t, "GET", as(events.UserID(tt.user), "/v3/account/whoami"), nil).WantError(403, "M_FORBIDDEN")
		})
	}
	t.Run("the sender does not act in the place of a user_id that cannot be read", func(t *testing.T) { // ASC-4
		for _, query := range []string{"user_id=%zz", "user_id=@irc_bob:example.org;x", "a=1&user_id=@irc_bob%3Aexample.org%"} {
			irc.Do(t, "GET", "/v3/account/whoami?"+query, nil).WantError(400, "M_INVALID_PARAM")
		}
		if got := whoami(t, "?user%5Fid=@irc_bob:example.org"); got.Get("user_id").Str != string(bob) {
			t.Error(got)
		}
		alice.Get(t, "/v3/account/whoami?user_id=%zz")
	})
	t.Run("user_id means nothing for users", func(t *testing.T) { // CLIENTA-14
		if got := alice.Get(t, as(bob, "/v3/account/whoami")); got.Get("user_id").Str != string(alice.User) {
			t.Error(got)
		}
	})
	t.Run("device_id selects a device of the user", func(t *testing.T) { // ASC-5, AS-10, WHO-2, CLIENTA-15
		irc.Do(t, "PUT", as(bob, "/v3/devices/PHONE"), `{}`).Want(201)
		for _, query := range []string{
			"?user_id=@irc_bob:example.org&device_id=PHONE",
			"?user_id=@irc_bob:example.org&org.matrix.msc3202.device_id=PHONE",
			"?user_id=@irc_bob:example.org&device_id=PHONE&org.matrix.msc3202.device_id=PHONE",
		} {
			if got := whoami(t, query); got.Get("user_id").Str != string(bob) || got.Get("device_id").Str != "PHONE" {
				t.Errorf("%s: %s", query, got)
			}
		}
		for _, query := range []string{"?device_id=PHONE", "?user_id=@irc_bob:example.org&device_id=X"} {
			irc.Do(t, "GET", "/v3/account/whoami"+query, nil).WantError(400, "M_UNKNOWN_DEVICE")
		}
		irc.Do(t, "DELETE", as(bob, "/v3/devices/PHONE"), nil).Want(200)
		irc.Do(t, "GET", "/v3/account/whoami?user_id=@irc_bob:example.org&device_id=PHONE", nil).WantError(400, "M_UNKNOWN_DEVICE")
	})
	t.Run("without a device, what a device is needed for fails", func(t *testing.T) { // ASC-5, AS-10
		irc.Do(t, "POST", as(bob, "/v3/keys/upload"), `{}`).WantError(400, "M_MISSING_PARAM")
	})
	t.Run("/sync and /events need an explicit user_id", func(t *testing.T) { // ASC-9, AS-39
		irc.Do(t, "POST", "/unstable/org.matrix.simplified_msc3575/sync", `{}`).WantError(400, "M_MISSING_PARAM")
		for _, path := range []string{"/v3/sync", "/v3/events"} {
			irc.Do(t, "GET", path+"?timeout=0", nil).WantError(400, "M_MISSING_PARAM")
			irc.Do(t, "GET", as(bob, path+"?timeout=0"), nil).Want(200)
		}
		irc.Do(t, "GET", as("@ircbot:example.org", "/v3/sync"), nil).Want(200)
	})
	t.Run("a repeated transaction is the same event; its users and the other service are apart", func(t *testing.T) { // TXN-4
		shared := ghost(t, irc, "both_carol")
		room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
		send := func(c *homeservertest.Client, user events.UserID) string {
			c.Do(t, "POST", as(user, "/v3/join/{}", room), `{}`).Want(200)
			return c.Put(t, as(user, "/v3/rooms/{}/send/m.room.message/1", room), `{"msgtype":"m.text","body":"x"}`).Get("event_id").Str
		}
		first := send(irc, bob)
		if again := send(irc, bob); again != first {
			t.Errorf("%s, then %s", first, again)
		}
		if other := send(irc, shared); other == first {
			t.Error("another user's event is the same")
		}
		common := ghost(t, irc, "irc_x")
		if send(irc, common) == send(xmpp, common) {
			t.Error("the other service's event is the same, of a user of both")
		}
		if other := send(xmpp, "@xmppbot:example.org"); other == first {
			t.Error("another service's event is the same")
		}
	})
	t.Run("a locked user is locked for the service, too", func(t *testing.T) {
		dave := ghost(t, irc, "irc_dave")
		irc.Do(t, "GET", as(dave, "/v3/account/whoami"), nil).Want(200)
		if err := hs.SetLocked(t.Context(), dave, true); err != nil {
			t.Fatal(err)
		}
		irc.Do(t, "GET", as(dave, "/v3/account/whoami"), nil).WantError(401, "M_USER_LOCKED")
	})
	t.Run("a user may be deactivated without interactive authentication", func(t *testing.T) { // CLIENTA-26
		eve := ghost(t, irc, "irc_eve")
		irc.Do(t, "GET", as(eve, "/v3/account/whoami"), nil).Want(200)
		irc.Do(t, "POST", "/v3/account/deactivate", `{}`).WantError(400, "M_MISSING_PARAM")
		irc.Do(t, "POST", as(eve, "/v3/account/deactivate"), `{}`).Want(200)
		irc.Do(t, "GET", as(eve, "/v3/account/whoami"), nil).WantError(403, "M_FORBIDDEN")
	})
}

// ts sets the time of what a service sends, not its place; ordinary users' is ignored
// (ASC-6, AS-17, STATE-15).
func TestServiceTime(t *testing.T) {
	t.Parallel()
	hs, irc, _ := withBridges(t)
	alice := hs.User(t, "alice")
	room := irc.CreateRoom(t, `{"preset":"public_chat"}`)
	alice.Join(t, room)
	before := irc.Say(t, room, "now")
	const content = `{"msgtype":"m.text","body":"x","topic":"x"}`
	for _, path := range []string{"/v3/rooms/{}/send/m.room.message/1", "/v3/rooms/{}/state/m.room.topic/"} {
		path := homeservertest.Path(path, room)
		for _, ts := range []string{"-1", "soon", "9007199254740992", "1.5"} {
			irc.Do(t, "PUT", path+"?ts="+ts, content).WantError(400, "M_INVALID_PARAM") // ASC-6
		}
		irc.Put(t, path+"?ts=12345", content)
	}
	list := alice.History(t, room, 3)
	if list[0].Get("origin_server_ts").Raw != "12345" || list[1].Get("origin_server_ts").Raw != "12345" || list[2].Get("event_id").Str != string(before) {
		t.Error(list)
	}
	said := alice.Put(t, homeservertest.Path("/v3/rooms/{}/send/m.room.message/1?ts=12345", room), content).Get("event_id").Str
	redacted := irc.Put(t, homeservertest.Path("/v3/rooms/{}/redact/{}/1?ts=12345", room, before), `{}`).Get("event_id").Str // AS-17: elsewhere
	for _, id := range []string{said, redacted} {
		if e := irc.Get(t, homeservertest.Path("/v3/rooms/{}/event/{}", room, id)); e.Get("origin_server_ts").Int() == 12345 {
			t.Error(e)
		}
	}
}

func TestExclusiveAliases(t *testing.T) {
	t.Parallel()
	hs, irc, xmpp := withBridges(t)
	alice := hs.User(t, "alice")
	room, theirs := alice.CreateRoom(t, `{"preset":"public_chat"}`), irc.CreateRoom(t, nil)
	put := func(c *homeservertest.Client, alias string, room events.RoomID) *homeservertest.Response {
		return c.Do(t, "PUT", homeservertest.Path("/v3/directory/room/{}", alias+":example.org"), map[string]any{"room_id": room})
	}
	remove := func(c *homeservertest.Client, alias string) *homeservertest.Response {
		return c.Do(t, "DELETE", homeservertest.Path("/v3/directory/room/{}", alias+":example.org"), nil)
	}
	create := func(c *homeservertest.Client, name string) *homeservertest.Response {
		return c.Do(t, "POST", "/v3/createRoom", map[string]any{"room_alias_name": name})
	}
	// ASC-8, AS-6, ALIAS-2: others are kept out of exclusive namespaces.
	put(alice, "#irc_tea", room).WantError(400, "M_EXCLUSIVE")
	create(alice, "irc_tea").WantError(400, "M_EXCLUSIVE")
	put(xmpp, "#irc_tea", theirs).WantError(400, "M_EXCLUSIVE")
	put(alice, "#both_tea", room).Want(200) // ASC-8: not exclusive
	// ASC-7, AS-7: a service stays in its own.
	put(irc, "#irc_tea", theirs).Want(200)
	create(irc, "irc_coffee").Want(200)
	put(irc, "#both_milk", theirs).Want(200)
	put(irc, "#tea", theirs).WantError(400, "M_EXCLUSIVE")
	create(irc, "tea").WantError(400, "M_EXCLUSIVE")
	// AS-6: nobody else deletes what is a service's.
	remove(alice, "#irc_tea").WantError(400, "M_EXCLUSIVE")
	remove(irc, "#irc_tea").Want(200)
	remove(alice, "#both_tea").Want(200)
	hs.Anonymous().Do(t, "GET", homeservertest.Path("/v3/directory/room/{}", "#irc_tea:example.org"), nil).WantError(404, "M_NOT_FOUND")
}

// A service lists rooms for its networks, apart from the server's own list (AS-37,
// AS-38).
func TestNetworkLists(t *testing.T) {
	t.Parallel()
	hs, irc, xmpp := withBridges(t)
	alice := hs.User(t, "alice")
	room := alice.CreateRoom(t, `{"preset":"public_chat","name":"tea"}`)
	alice.CreateRoom(t, `{"visibility":"public","name":"plain"}`)
	path := homeservertest.Path("/v3/directory/list/appservice/libera/{}", room)
	listed := func(body string, want ...string) {
		t.Helper()
		wantNames(t, alice.Post(t, "/v3/publicRooms", body), want...)
	}
	if got := irc.Put(t, path, `{"visibility":"public"}`).Raw; got != `{}` { // ASC-15, RDIR-4
		t.Error(got)
	}
	listed(`{}`, "plain")                                        // ASC-15, RDIR-15
	listed(`{"include_all_networks":true}`, "plain", "tea")      // ASC-15, RDIR-15
	listed(`{"third_party_instance_id":"irc|libera"}`, "tea")    // ASC-15, RDIR-16
	listed(`{"third_party_instance_id":"xmpp|libera"}`)          // RDIR-16
	xmpp.Put(t, path, `{"visibility":"private"}`)                // its own list of that name
	listed(`{"third_party_instance_id":"irc|libera"}`, "tea")    // RDIR-16
	alice.Do(t, "PUT", path, `{}`).WantError(403, "M_FORBIDDEN") // RDIR-4
	alice.Do(t, "DELETE", path, nil).WantError(403, "M_FORBIDDEN")
	irc.Do(t, "PUT", path, `{}`).WantError(400, "M_MISSING_PARAM") // RDIR-4: visibility is required
	irc.Put(t, path, `{"visibility":"private"}`)                   // ASC-15
	listed(`{"third_party_instance_id":"irc|libera"}`)
	irc.Put(t, path, `{"visibility":"public"}`)
	irc.Do(t, "DELETE", path, nil).Want(200) // CLIENTA-26
	listed(`{"include_all_networks":true}`, "plain")
}

// The sender of a service is never limited, its other users unless the registration
// exempts them (RATE-6, AS-18).
func TestServiceRateLimits(t *testing.T) {
	t.Parallel()
	tight := homeserver.WithRateLimit(homeserver.RateAccount, time.Hour, 1)
	free := xmppBridge
	free.Unlimited = true
	hs := homeservertest.New(t, homeserver.WithAppServices(ircBridge, free), tight,
		homeserver.WithRateLimit(homeserver.RateRegister, time.Hour, 1))
	irc, xmpp := hs.Anonymous(), hs.Anonymous()
	irc.Token, xmpp.Token = ircBridge.Token, free.Token
	var bob, carol events.UserID
	for i := range 3 { // a service registers as its sender
		bob, carol = ghost(t, irc, fmt.Sprintf("irc_%d", i)), ghost(t, xmpp, "xmpp_"+string(rune('a'+i)))
	}
	for range 3 {
		irc.Do(t, "GET", "/v3/account/whoami", nil).Want(200)
		xmpp.Do(t, "GET", as(carol, "/v3/account/whoami"), nil).Want(200)
	}
	irc.Do(t, "GET", as(bob, "/v3/account/whoami"), nil).Want(200)
	irc.Do(t, "GET", as(bob, "/v3/account/whoami"), nil).WantError(429, "M_LIMIT_EXCEEDED")
}

// Names that the server makes up are in no service's namespace: those of guests, of
// people who name none, and of those who sign in elsewhere (ASC-8, SSO-8).
func TestMadeUpUsersAreNotExclusive(t *testing.T) {
	t.Parallel()
	only := func(regex string) homeserver.Option {
		return homeserver.WithAppServices(homeserver.AppService{
			ID: "all", Token: "all-token", ServerToken: "all-secret", Sender: "allbot",
			Users: []homeserver.AppServiceNamespace{{Regex: regex, Exclusive: true}},
		})
	}
	for _, tt := range []struct {
		regex                string
		guests, unnamed, sso bool
	}{
		{`@irc_.*`, true, true, true},
		{`@guest-.*`, false, true, true},
		{`@[a-z]{12}:.*`, true, false, true}, // alice is free
		{`@alice.*`, true, true, true},       // and gets a name that is made up
		{`@.*`, false, false, false},
	} {
		t.Run(tt.regex, func(t *testing.T) {
			t.Parallel()
			hs := homeservertest.New(t, only(tt.regex), homeserver.WithAccountRules(homeserver.AccountRules{Guests: true}),
				homeserver.WithSSO(homeserver.SSO{Providers: []uia.IdentityProvider{idp{uia.ProviderInfo{ID: "idp", Name: "IdP"}}}}))
			post := func(path, body string, ok bool) {
				t.Helper()
				answer := hs.Anonymous().Do(t, "POST", path, body)
				if !ok {
					answer.WantError(400, "M_EXCLUSIVE")
				} else if user := answer.Want(200).Get("user_id").Str; regexp.MustCompile("^" + tt.regex).MatchString(user) {
					t.Errorf("%s is in the namespace", user)
				}
			}
			post("/v3/register?kind=guest", `{}`, tt.guests)
			post("/v3/register", `{"password":"x","auth":{"type":"m.login.dummy"}}`, tt.unnamed)
			browser := &http.Client{}
			browser.Jar, _ = cookiejar.New(nil)
			answer, err := browser.Get(hs.URL + "/_matrix/client/v3/login/sso/redirect?redirectUrl=https://app.example.org")
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			page, _ := io.ReadAll(answer.Body)
			user := regexp.MustCompile(`@\S+:example\.org`).FindString(string(page))
			switch {
			case !tt.sso && (answer.StatusCode != 400 || !strings.Contains(string(page), "namespace")):
				t.Errorf("%d %s", answer.StatusCode, page)
			case tt.sso && (answer.StatusCode != 200 || user == "" || regexp.MustCompile("^"+tt.regex).MatchString(user)):
				t.Errorf("signed in as %s: %d %s", user, answer.StatusCode, page)
			}
		})
	}
}

// Whom the host's accounts let in gets no account in a service's namespace either
// (ASC-8).
func TestProviderAndExclusiveUsers(t *testing.T) {
	t.Parallel()
	hs, irc, _ := withBridges(t, homeserver.WithAuthProvider(everybody{}))
	login := func(user string) *homeservertest.Response {
		return hs.Anonymous().Do(t, "POST", "/v3/login", map[string]any{
			"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": user}, "password": "x",
		})
	}
	login("irc_bob").WantError(400, "M_EXCLUSIVE")
	login("bob").Want(200)
	if user := ghost(t, irc, "irc_bob"); user != "@irc_bob:example.org" {
		t.Error(user)
	}
}

// everybody lets everybody in.
type everybody struct{}

var _ uia.Provider = everybody{}

func (everybody) CheckPassword(context.Context, events.UserID, string) error { return nil }
