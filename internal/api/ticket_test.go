package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

const getTokenPath = "/_matrix/client/v1/login/get_token"

func withLoginTokens(c *account.Config) { c.LoginTokens = true }

// loginToken signs in with a login token, as Hydrogen does: with an identifier and a txn_id that mean nothing (CLIENTA-12).
func (s *server) loginToken(token string) *httptest.ResponseRecorder {
	return do(s, "POST", loginPath, "", fmt.Sprintf(
		`{"type":"m.login.token","token":%q,"identifier":{"type":"m.id.user"},"txn_id":"1","device_id":"NEW"}`, token))
}

// LOGIN-18: UIA, then a token with which another client signs in as the same user, once; LOGIN-2: the flow says so.
func TestLoginToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, withLoginTokens)
	alice := s.signUp(t, "alice")
	wantJSON(t, do(s, "GET", loginPath, "", ""), 200,
		`{"flows":[{"type":"m.login.password"},{"type":"m.login.token","get_login_token":true}]}`)
	for range 2 { // UIA-16: it always prompts
		w := do(s, "POST", getTokenPath, alice, `{}`)
		session := field(w, "session")
		wantJSON(t, w, 401, `{"session":"`+session+`","flows":[{"stages":["m.login.password"]}],"completed":[],"params":{}}`)
		w = do(s, "POST", getTokenPath, alice, `{`+withPassword("alice", "alice", session)+`}`)
		wantKeys(t, w, 200, "login_token", "expires_in_ms")
		if field(w, "expires_in_ms") != "120000" {
			t.Errorf("body %s", w.Body)
		}
		login := s.loginToken(field(w, "login_token"))
		wantKeys(t, login, 200, "user_id", "access_token", "device_id", "home_server")
		if field(login, "user_id") != "@alice:example.org" || field(login, "device_id") != "NEW" || !s.signedIn(field(login, "access_token")) {
			t.Errorf("body %s", login.Body)
		}
		want(t, s.loginToken(field(w, "login_token")), 403, mxerr.MForbidden)
		if s.signedIn(field(w, "login_token")) {
			t.Error("a login token is taken for an access token")
		}
	}
}

// UIA-16: proof of being the user is good for one login token: whoever repeats the request is asked again.
func TestLoginTokenPromptsAlways(t *testing.T) {
	t.Parallel()
	s := newServer(t, withLoginTokens)
	alice := s.signUp(t, "alice")
	session := field(do(s, "POST", getTokenPath, alice, `{}`), "session")
	body := `{` + withPassword("alice", "alice", session) + `}`
	want(t, do(s, "POST", getTokenPath, alice, body), 200, "")
	for _, again := range []string{body, `{"auth":{"session":"` + session + `"}}`} {
		w := do(s, "POST", getTokenPath, alice, again)
		want(t, w, 401, "")
		if field(w, "session") == session || field(w, "completed") != "[]" {
			t.Errorf("body %s", w.Body)
		}
	}
}

// LOGIN-13: unknown, used and expired tokens, and those of other kinds; one that is refused for another reason is not used up.
func TestLoginTokenRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	access := s.signUp(t, "alice")
	openID, _, err := s.Accounts.OpenIDToken(t.Context(), "@alice:example.org")
	if err != nil {
		t.Fatal(err)
	}
	expired, err := s.Accounts.CreateLoginToken(t.Context(), "@alice:example.org", 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(5 * time.Second)
	for name, token := range map[string]string{
		"unknown": "nonsense", "empty": "", "access token": access, "OpenID token": openID, "expired": expired,
	} {
		t.Run(name, func(t *testing.T) { want(t, s.loginToken(token), 403, mxerr.MForbidden) })
	}
	want(t, do(s, "POST", loginPath, "", `{"type":"m.login.token"}`), 400, mxerr.MMissingParam)

	token, err := s.Accounts.CreateLoginToken(t.Context(), "@alice:example.org", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s.change(t, "@alice:example.org", func(u *store.User) { u.Locked = true })
	want(t, s.loginToken(token), 401, mxerr.MUserLocked)
	s.change(t, "@alice:example.org", func(u *store.User) { u.Locked = false })
	want(t, s.loginToken(token), 200, "")
}

// PWD-3 for login tokens: a new password ends them.
func TestLoginTokenEndsWithPassword(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	access := s.signUp(t, "alice")
	token, err := s.Accounts.CreateLoginToken(t.Context(), "@alice:example.org", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	want(t, do(s, "POST", passwordPath, access, `{"new_password":"new",`+withPassword("alice", "alice", "")+`}`), 200, "")
	want(t, s.loginToken(token), 403, mxerr.MForbidden)
}

// LOGIN-18: where login tokens are not offered there is no such endpoint.
func TestNoLoginTokens(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice := s.signUp(t, "alice")
	want(t, do(s, "POST", getTokenPath, alice, `{}`), 404, mxerr.MUnrecognized)
	want(t, do(s, "POST", getTokenPath, "", `{}`), 401, mxerr.MMissingToken)
}

// OPENID-1, API-9: a token for others, with its lifetime in seconds; OPENID-3: they ask whose it is; OPENID-2: it opens
// nothing else.
func TestOpenID(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice := s.signUp(t, "alice")
	const path, userinfo = "/_matrix/client/v3/user/@alice:example.org/openid/request_token", "/_matrix/federation/v1/openid/userinfo"
	w := do(s, "POST", path, alice, `{}`)
	token := field(w, "access_token")
	wantJSON(t, w, 200, `{"access_token":"`+token+`","token_type":"Bearer","matrix_server_name":"example.org","expires_in":3600}`)
	want(t, do(s, "POST", "/_matrix/client/v3/user/@bob:example.org/openid/request_token", alice, `{}`), 403, mxerr.MForbidden)

	wantJSON(t, do(s, "GET", userinfo+"?access_token="+token, "", ""), 200, `{"sub":"@alice:example.org"}`)
	for _, bad := range []string{"", "?access_token=", "?access_token=nonsense", "?access_token=" + alice} {
		want(t, do(s, "GET", userinfo+bad, "", ""), 401, mxerr.MUnknownToken)
	}
	if s.signedIn(token) {
		t.Error("OPENID-2: an OpenID token is taken for an access token")
	}
	want(t, do(s, "POST", path, token, `{}`), 401, mxerr.MUnknownToken)
	want(t, s.loginToken(token), 403, mxerr.MForbidden)
	s.now = s.now.Add(time.Hour)
	want(t, do(s, "GET", userinfo+"?access_token="+token, "", ""), 401, mxerr.MUnknownToken)
}

// LOGIN-1, LOGIN-2, LOGIN-3, AUTH-9: a server without passwords does not list them, and takes none; where there is no other way to sign in,
// there is no list.
func TestNoPasswords(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.NoPasswords = true })
	if _, err := s.Accounts.CreateUser(t.Context(), "alice", "alice"); err != nil {
		t.Fatal(err)
	}
	want(t, do(s, "GET", loginPath, "", ""), 404, mxerr.MUnrecognized)
	want(t, s.loginWith("alice", "alice"), 400, mxerr.MUnknown) // LOGIN-3
	s = newServer(t, func(c *account.Config) { c.NoPasswords, c.LoginTokens = true, true })
	wantJSON(t, do(s, "GET", loginPath, "", ""), 200, `{"flows":[{"type":"m.login.token","get_login_token":true}]}`)
}

// A host signs users in by itself: sessions like any other, an account for those who have none.
func TestSignIn(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for range 2 {
		session, err := s.Accounts.SignIn(t.Context(), "@carol:example.org", account.Client{Device: "APP", Refresh: true})
		if err != nil {
			t.Fatal(err)
		}
		w := do(s, "GET", "/_matrix/client/v3/account/whoami", session.Token, "")
		wantJSON(t, w, 200, `{"user_id":"@carol:example.org","device_id":"APP","is_guest":false}`)
		want(t, s.refresh(session.Refresh), 200, "")
	}
	for _, user := range []string{"@carol:example.com", "@Carol X:example.org"} {
		if session, err := s.Accounts.SignIn(t.Context(), user, account.Client{}); err == nil {
			t.Errorf("session of %s: %+v", user, session)
		}
	}
}

// guesses is a Limiter that lets three guesses at each account through, and all else.
type guesses map[string]int

func (g guesses) Allow(class ratelimit.Class, key string) time.Duration {
	if class != ratelimit.Guess {
		return 0
	}
	g[key]++
	if g[key] > 3 {
		return 5 * time.Second
	}
	return 0
}

// RATE-1, CLIENTA-16: guessing at the password of one account is slowed down, whatever the address, at login and in UIA.
func TestGuessingIsSlow(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.Limiter = guesses{} })
	alice := s.signUp(t, "alice")
	s.signUp(t, "bob")
	for range 2 {
		want(t, s.loginWith("Alice", "wrong"), 403, mxerr.MForbidden)
	}
	want(t, do(s, "POST", passwordPath, alice, `{"new_password":"x",`+withPassword("@alice:example.org", "wrong", "")+`}`), 401, mxerr.MForbidden)
	w := s.loginWith("alice", "wrong")
	want(t, w, 429, mxerr.MLimitExceeded)
	if field(w, "retry_after_ms") != "5000" || w.Header().Get("Retry-After") != "5" { // RATE-2, RATE-3
		t.Errorf("%s, Retry-After %s", w.Body, w.Header().Get("Retry-After"))
	}
	want(t, do(s, "POST", passwordPath, alice, `{"new_password":"x",`+withPassword("alice", "alice", "")+`}`), 429, mxerr.MLimitExceeded)
	want(t, s.loginWith("bob", "bob"), 200, "")
}

// hostTokens accepts tokens that are a user's name, after a dot the device's.
type hostTokens struct {
	hostAccounts
	known map[string]uia.Verified
	calls int
}

func (h *hostTokens) VerifyToken(_ context.Context, token string) (uia.Verified, error) {
	h.calls++
	v, ok := h.known[token]
	switch {
	case token == "expired":
		return v, uia.ErrExpiredToken
	case !ok:
		return v, uia.ErrUnknownToken
	}
	return v, nil
}

// A host has its own tokens accepted: AUTH-3 and AUTH-4 hold for them, the answer is remembered for its time, accounts and
// devices are made as needed, and the server's own tokens work beside them.
func TestHostTokens(t *testing.T) {
	t.Parallel()
	host := &hostTokens{hostAccounts: hostAccounts{"@carol:example.org": "secret"}}
	s := newServer(t, func(c *account.Config) { c.Provider = host })
	host.known = map[string]uia.Verified{
		"jwt":    {User: "@carol:example.org", Device: "APP"},
		"cookie": {User: "@carol:example.org"},
		"short":  {User: "@dan:example.org", Device: "APP", Until: s.now.Add(time.Second)},
		"stray":  {User: "@eve:example.com"},
	}
	const whoami = "/_matrix/client/v3/account/whoami"
	for range 3 {
		wantJSON(t, do(s, "GET", whoami, "jwt", ""), 200, `{"user_id":"@carol:example.org","device_id":"APP","is_guest":false}`)
	}
	if host.calls != 1 {
		t.Errorf("the host was asked %d times", host.calls)
	}
	wantJSON(t, do(s, "GET", whoami, "cookie", ""), 200, `{"user_id":"@carol:example.org","is_guest":false}`) // WHO-1
	wantJSON(t, do(s, "GET", whoami, "short", ""), 200, `{"user_id":"@dan:example.org","device_id":"APP","is_guest":false}`)
	wantEnded(t, do(s, "GET", whoami, "expired", ""), true)
	wantEnded(t, do(s, "GET", whoami, "nonsense", ""), false)
	want(t, do(s, "GET", whoami, "stray", ""), 500, mxerr.MUnknown)
	if own := field(s.loginWith("carol", "secret"), "access_token"); !s.signedIn(own) {
		t.Error("the server's own tokens do not work")
	}

	s.now = s.now.Add(time.Second)
	clear(host.known)
	if s.signedIn("short") || !s.signedIn("jwt") {
		t.Error("answers are not remembered for as long as the host said")
	}
	s.now = s.now.Add(time.Minute)
	if s.signedIn("jwt") || s.signedIn("cookie") {
		t.Error("tokens that the host has revoked work after a minute")
	}
}

// revokingHost is hostTokens that end when the host is asked to end them.
type revokingHost struct {
	hostTokens
	err error
}

func (h *revokingHost) RevokeTokens(_ context.Context, user events.UserID, devices []string) error {
	if h.err == nil {
		maps.DeleteFunc(h.known, func(_ string, v uia.Verified) bool {
			return v.User == user && (devices == nil || slices.Contains(devices, v.Device))
		})
	}
	return h.err
}

// SDEV-9, SDEV-12, SDEV-13: signing out ends the tokens of the host, too, if it can do that; else they begin another session.
func TestHostTokensEnd(t *testing.T) {
	t.Parallel()
	host := &revokingHost{hostTokens: hostTokens{hostAccounts: hostAccounts{"@carol:example.org": "carol"}}}
	s := newServer(t, func(c *account.Config) { c.Provider = host })
	const v3 = "/_matrix/client/v3"
	for name, test := range map[string]struct {
		token, method, path, body string
		left                      string // of the tokens, those that work
	}{
		"SDEV-12":                  {"phone", "POST", "/logout", ``, "laptop bare other"},
		"SDEV-12 without a device": {"bare", "POST", "/logout", ``, "laptop phone other"},
		"SDEV-13":                  {"laptop", "POST", "/logout/all", ``, "other"},
		"SDEV-9":                   {"laptop", "DELETE", "/devices/PHONE", `{` + withPassword("carol", "carol", "") + `}`, "laptop bare other"},
	} {
		host.known = map[string]uia.Verified{
			"phone": {User: "@carol:example.org", Device: "PHONE"}, "laptop": {User: "@carol:example.org", Device: "LAPTOP"},
			"bare": {User: "@carol:example.org"}, "other": {User: "@dan:example.org", Device: "PHONE"},
		}
		for token := range host.known {
			if !s.signedIn(token) {
				t.Fatalf("%s: %s is not signed in", name, token)
			}
		}
		host.err = errors.New("the host is down")
		want(t, do(s, test.method, v3+test.path, test.token, test.body), 500, mxerr.MUnknown)
		host.err = nil
		wantJSON(t, do(s, test.method, v3+test.path, test.token, test.body), 200, `{}`)
		for _, token := range []string{"phone", "laptop", "bare", "other"} {
			if s.signedIn(token) != slices.Contains(strings.Fields(test.left), token) {
				t.Errorf("%s: %s works: %v", name, token, s.signedIn(token))
			}
		}
		s.now = s.now.Add(time.Hour)
	}
	unable := &hostTokens{known: map[string]uia.Verified{"jwt": {User: "@carol:example.org", Device: "APP"}}}
	s = newServer(t, func(c *account.Config) { c.Provider = unable })
	want(t, do(s, "POST", v3+"/logout", "jwt", ""), 200, "")
	if !s.signedIn("jwt") {
		t.Error("a token that the host has not ended does not work")
	}
}

// Where there are only tokens of the host, nothing can be confirmed unless the host says how; then it can (UIA-1, UIA-3).
func TestOnlyHostTokens(t *testing.T) {
	t.Parallel()
	host := &hostTokens{known: map[string]uia.Verified{"jwt": {User: "@carol:example.org", Device: "APP"}}}
	only := func(flows func(string, events.UserID, []uia.Flow) []uia.Flow) *server {
		return newServer(t, func(c *account.Config) { c.Provider, c.NoPasswords, c.Flows = host, true, flows })
	}
	const path = "/_matrix/client/v3/devices/OLD"
	s := only(nil)
	want(t, do(s, "GET", loginPath, "", ""), 404, mxerr.MUnrecognized)
	want(t, do(s, "DELETE", path, "jwt", ``), 403, mxerr.MForbidden)
	s = only(func(string, events.UserID, []uia.Flow) []uia.Flow { return []uia.Flow{{uia.TypeDummy}} })
	wantKeys(t, do(s, "DELETE", path, "jwt", ``), 401, "session", "flows", "completed", "params") // UIA-3
	want(t, do(s, "DELETE", path, "jwt", `{"auth":{"type":"m.login.dummy"}}`), 200, "")
}

// meanwhile is a host to which something happens just before it answers or after it has
// ended tokens.
type meanwhile struct {
	revokingHost
	verified, revoking func()
}

func (h *meanwhile) VerifyToken(ctx context.Context, token string) (uia.Verified, error) {
	v, err := h.revokingHost.VerifyToken(ctx, token)
	if do := h.verified; token == "late" && do != nil {
		h.verified = nil
		do()
	}
	return v, err
}

func (h *meanwhile) RevokeTokens(ctx context.Context, user events.UserID, devices []string) error {
	if h.revoking != nil {
		h.revoking()
	}
	return h.revokingHost.RevokeTokens(ctx, user, devices)
}

// SDEV-12: a token with which somebody comes while it is ended does not bring back the device, nor is it remembered as good.
func TestHostTokensEndWhileInUse(t *testing.T) {
	t.Parallel()
	const v3 = "/_matrix/client/v3"
	for name, arrange := range map[string]func(s *server, host *meanwhile, logout func()){
		"the host has answered already":    func(_ *server, host *meanwhile, logout func()) { host.verified = logout },
		"the host does not know of it yet": func(s *server, host *meanwhile, _ func()) { host.revoking = func() { s.signedIn("late") } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := &meanwhile{}
			host.known = map[string]uia.Verified{
				"phone": {User: "@carol:example.org", Device: "PHONE"}, "late": {User: "@carol:example.org", Device: "PHONE"},
				"other": {User: "@carol:example.org", Device: "OTHER"},
			}
			s := newServer(t, func(c *account.Config) { c.Provider = host })
			if !s.signedIn("phone") || !s.signedIn("other") {
				t.Fatal("not signed in")
			}
			logout := func() { want(t, do(s, "POST", v3+"/logout", "phone", ""), 200, "") }
			arrange(s, host, logout)
			if host.verified == nil {
				logout()
			}
			wantEnded(t, do(s, "GET", v3+"/account/whoami", "late", ""), false)
			want(t, do(s, "GET", v3+"/devices/PHONE", "other", ""), 404, mxerr.MNotFound)
		})
	}
}

// However the host spells a user, there is one account of that name, with the ID that all others have (ID-2, ID-4, LOGIN-8).
func TestHostSpelling(t *testing.T) {
	t.Parallel()
	host := &hostTokens{}
	s := newServer(t, func(c *account.Config) {
		c.Provider = host
		c.PublicURL = "https://hs.example.org/matrix"
		c.SSO = account.SSO{Providers: []uia.IdentityProvider{acme}, Trusted: []string{"https://app.example.org/element"}}
	})
	host.known = map[string]uia.Verified{
		"new": {User: "@Carol:example.org", Device: "APP"}, "known": {User: "@ALICE:example.org", Device: "APP"},
	}
	const whoami = "/_matrix/client/v3/account/whoami"
	token, err := s.Accounts.CreateLoginToken(t.Context(), "@Alice:example.org", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if w := s.loginToken(token); field(w, "user_id") != "@alice:example.org" {
		t.Errorf("by a login token: %s", w.Body)
	}
	for range 2 {
		wantJSON(t, do(s, "GET", whoami, "new", ""), 200, `{"user_id":"@carol:example.org","device_id":"APP","is_guest":false}`)
		wantJSON(t, do(s, "GET", whoami, "known", ""), 200, `{"user_id":"@alice:example.org","device_id":"APP","is_guest":false}`)
		s.now = s.now.Add(time.Hour)
	}
	if user, _ := s.signOn(t, "acme", "@Alice:example.org"); user != "@alice:example.org" {
		t.Errorf("by single sign-on: %s", user)
	}
}

// SDEV-14: the device that comes with a host's token is announced, like any other; and it can be named like any other (LOGIN-14).
func TestHostTokensAnnounceDevices(t *testing.T) {
	t.Parallel()
	host := &hostTokens{known: map[string]uia.Verified{
		"jwt": {User: "@carol:example.org", Device: "APP"}, "long": {User: "@carol:example.org", Device: strings.Repeat("x", 256)},
	}}
	s := newServer(t, func(c *account.Config) { c.Provider = host })
	for range 2 {
		want(t, do(s, "GET", "/_matrix/client/v3/account/whoami", "jwt", ""), 200, "")
	}
	if len(s.lists) != 1 || s.lists[0].User != "@carol:example.org" {
		t.Errorf("announced: %v", s.lists)
	}
	want(t, do(s, "GET", "/_matrix/client/v3/account/whoami", "long", ""), 400, mxerr.MInvalidParam)
}

// The owner of a host's token is refused like any other who is locked or deactivated.
func TestHostTokensOfClosedAccounts(t *testing.T) {
	t.Parallel()
	host := &hostTokens{known: map[string]uia.Verified{"jwt": {User: "@carol:example.org", Device: "APP"}}}
	s := newServer(t, func(c *account.Config) { c.Provider = host })
	if !s.signedIn("jwt") {
		t.Fatal("not signed in")
	}
	if err := s.Accounts.SetLocked(t.Context(), "@carol:example.org", true); err != nil {
		t.Fatal(err)
	}
	want(t, do(s, "GET", "/_matrix/client/v3/account/whoami", "jwt", ""), 401, mxerr.MUserLocked)
	if _, err := s.Accounts.DeactivateUser(t.Context(), "@carol:example.org", false); err != nil {
		t.Fatal(err)
	}
	wantEnded(t, do(s, "GET", "/_matrix/client/v3/account/whoami", "jwt", ""), false)
}
