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
