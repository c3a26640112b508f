package homeserver_test

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
)

// The budgets that a server has by default: for each class of requests one a user who is
// signed in, and one an address for those who are not, which a trusted proxy tells
// (RATE-1 to RATE-4). Guesses at one password are few wherever they come from, and those
// of one address whomever they are at.
func TestLimitsByDefault(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	srv := newServer(t, homeserver.WithClock(func() time.Time { return now }),
		homeserver.WithClientAddress(homeserver.ForwardedFor(netip.MustParsePrefix("192.0.2.1/32")))) // the peer of httptest
	call := func(from, method, path, token, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/_matrix/client/v3"+path, strings.NewReader(body))
		r.Header.Set("X-Forwarded-For", from)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, r)
		return w
	}
	login := func(from, user, password string) int {
		t.Helper()
		w := call(from, "POST", "/login", "", fmt.Sprintf(`{"type":"m.login.password","user":%q,"password":%q}`, user, password))
		if wait := gjson.GetBytes(w.Body.Bytes(), "retry_after_ms"); w.Code == 429 && (wait.Int() <= 0 || w.Header().Get("Retry-After") == "") {
			t.Errorf("%s, Retry-After %q", w.Body, w.Header().Get("Retry-After"))
		}
		return w.Code
	}
	tokens := make(map[string]string)
	for _, name := range []string{"alice", "bob"} {
		if _, err := srv.CreateUser(t.Context(), name, name); err != nil {
			t.Fatal(err)
		}
		session, err := srv.SignIn(t.Context(), name, homeserver.Device{})
		if err != nil {
			t.Fatal(err)
		}
		tokens[name] = session.Token
	}
	// last does something until it is refused, and returns how often it went well.
	last := func(do func(i int) int) int {
		for i := range 1000 {
			if do(i) == 429 {
				return i
			}
		}
		return 1000
	}

	// One address tries one password at many accounts: the others' addresses are free.
	if n := last(func(i int) int { return login("198.51.100.1", fmt.Sprintf("user%d", i), "123456") }); n != 20 {
		t.Errorf("one address tries %d passwords", n)
	}
	if status := login("198.51.100.2", "bob", "bob"); status != 200 {
		t.Errorf("another address: %d", status)
	}
	now = now.Add(2 * time.Second)
	if status := login("198.51.100.1", "bob", "bob"); status != 200 {
		t.Errorf("the address after a while: %d", status)
	}
	// Many addresses try many passwords at one account: the others' accounts are free.
	if n := last(func(i int) int { return login(fmt.Sprintf("203.0.113.%d", i), "alice", "guess") }); n != 20 {
		t.Errorf("%d guesses at one account", n)
	}
	if status := login("198.51.100.3", "bob", "bob"); status != 200 {
		t.Errorf("another account: %d", status)
	}
	now = now.Add(5 * time.Second)
	if status := login("198.51.100.4", "alice", "alice"); status != 200 {
		t.Errorf("the account after a while: %d", status)
	}
	// Those who are signed in have budgets of their own, wherever they are, and each
	// class has.
	typing := func(i int, name string) int {
		return call(fmt.Sprintf("203.0.113.%d", i%250), "PUT", "/rooms/!x:example.org/typing/@"+name+":example.org", tokens[name], `{"typing":true}`).Code
	}
	if n := last(func(i int) int { return typing(i, "alice") }); n != 200 {
		t.Errorf("%d messages", n)
	}
	if status := typing(0, "bob"); status == 429 {
		t.Error("another user is limited")
	}
	if w := call("203.0.113.1", "GET", "/account/whoami", tokens["alice"], ""); w.Code != 200 {
		t.Errorf("another class: %d %s", w.Code, w.Body)
	}
}

// RATE-4: each endpoint that has to be limited is, as what its class says; the refusal tells how long to wait
// in both ways (RATE-1 to RATE-3), and whoever waits that long is served.
func TestLimitedEndpoints(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		method, path, body string
		class              homeserver.RateClass
		open               bool // nobody is signed in
	}{
		{method: "GET", path: "/v3/login", class: homeserver.RateLogin, open: true},
		{method: "POST", path: "/v3/login", body: `{"type":"m.login.password","user":"alice","password":"x"}`, class: homeserver.RateLogin, open: true},
		{method: "POST", path: "/v1/login/get_token", body: `{}`, class: homeserver.RateProbe},
		{method: "POST", path: "/v3/refresh", body: `{"refresh_token":"x"}`, class: homeserver.RateLogin, open: true},
		{method: "POST", path: "/v3/register", body: `{}`, class: homeserver.RateRegister, open: true},
		{method: "POST", path: "/v3/register?kind=guest", body: `{}`, class: homeserver.RateRegister, open: true},
		{method: "GET", path: "/v3/register/available?username=bob", class: homeserver.RateRegister, open: true},
		{method: "GET", path: "/v1/register/m.login.registration_token/validity?token=x", class: homeserver.RateProbe, open: true},
		{method: "POST", path: "/v3/account/password", body: `{"new_password":"x"}`, class: homeserver.RateAccount},
		{method: "POST", path: "/v3/account/password", body: `{"new_password":"x"}`, class: homeserver.RateAccount, open: true},
		{method: "POST", path: "/v3/account/deactivate", body: `{}`, class: homeserver.RateAccount},
		{method: "POST", path: "/v3/account/deactivate", body: `{}`, class: homeserver.RateAccount, open: true},
		{method: "POST", path: "/v3/account/3pid/add", body: `{"sid":"x","client_secret":"x"}`, class: homeserver.RateAccount},
		{method: "POST", path: "/v3/account/3pid/bind", body: `{"sid":"x","client_secret":"x","id_server":"x","id_access_token":"x"}`, class: homeserver.RateAccount},
		{method: "GET", path: "/v3/account/whoami", class: homeserver.RateAccount},
		{method: "GET", path: "/v3/capabilities", class: homeserver.RateAccount},
		{method: "PUT", path: "/v3/profile/@alice:example.org/displayname", body: `{"displayname":"A"}`, class: homeserver.RateAccount},
		{method: "DELETE", path: "/v3/profile/@alice:example.org/displayname", class: homeserver.RateAccount},
		{method: "POST", path: "/v3/user_directory/search", body: `{"search_term":"x"}`, class: homeserver.RateSearch},
		{method: "GET", path: "/v1/mutual_rooms?user_id=@bob:example.org", class: homeserver.RateSearch},
		{method: "GET", path: "/v1/rooms/!x:example.org/threads", class: homeserver.RateSearch},
		{method: "GET", path: "/v1/rooms/!x:example.org/timestamp_to_event?ts=1", class: homeserver.RateSearch},
		{method: "POST", path: "/v3/user/@alice:example.org/openid/request_token", body: `{}`, class: homeserver.RateAccount},
		{method: "GET", path: "/v3/voip/turnServer", class: homeserver.RateAccount},
		{method: "POST", path: "/v3/rooms/!x:example.org/report", body: `{"reason":"x"}`, class: homeserver.RateAccount},
		{method: "POST", path: "/v3/users/@bob:example.org/report", body: `{"reason":"x"}`, class: homeserver.RateAccount},
	} {
		t.Run(row.method+" "+row.path, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1_700_000_000, 0)
			srv := newServer(t, homeserver.WithClock(func() time.Time { return now }),
				homeserver.WithoutRateLimits(), homeserver.WithRateLimit(row.class, time.Hour, 1),
				homeserver.WithAccountRules(homeserver.AccountRules{LoginTokens: true, Guests: true}))
			token := ""
			if !row.open {
				session, err := srv.SignIn(t.Context(), "alice", homeserver.Device{})
				if err != nil {
					t.Fatal(err)
				}
				token = session.Token
			}
			call := func() *httptest.ResponseRecorder {
				return serve(srv, row.method, "/_matrix/client"+row.path, token, row.body)
			}
			allowed := func() {
				t.Helper()
				if w := call(); w.Code == 429 || gjson.GetBytes(w.Body.Bytes(), "errcode").Str == "M_UNRECOGNIZED" {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
			}
			allowed()
			w := call()
			body := gjson.ParseBytes(w.Body.Bytes())
			if w.Code != 429 || body.Get("errcode").Str != "M_LIMIT_EXCEEDED" || body.Get("retry_after_ms").Raw != "3600000" || w.Header().Get("Retry-After") != "3600" {
				t.Errorf("at once again: %d %s, Retry-After %q", w.Code, w.Body, w.Header().Get("Retry-After"))
			}
			now = now.Add(time.Hour)
			allowed()
		})
	}
}
