package api

import (
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

const refreshPath = "/_matrix/client/v3/refresh"

// renewable signs a user of signUp in on a device, asking for a refresh token (LOGIN-4).
func (s *server) renewable(t *testing.T, username, device string) *httptest.ResponseRecorder {
	t.Helper()
	w := do(s, "POST", loginPath, "", fmt.Sprintf(
		`{"type":"m.login.password","user":%q,"password":%[1]q,"device_id":%q,"refresh_token":true}`, username, device))
	wantKeys(t, w, 200, "user_id", "access_token", "device_id", "home_server", "refresh_token", "expires_in_ms")
	return w
}

func (s *server) refresh(token string) *httptest.ResponseRecorder {
	return do(s, "POST", refreshPath, "", fmt.Sprintf(`{"refresh_token":%q}`, token))
}

// wantEnded wants 401 M_UNKNOWN_TOKEN, and soft_logout or not.
func wantEnded(t *testing.T, w *httptest.ResponseRecorder, soft bool) {
	t.Helper()
	want(t, w, 401, mxerr.MUnknownToken)
	if got := field(w, "soft_logout") == "true"; got != soft {
		t.Errorf("soft logout %v, want %v", got, soft)
	}
}

// REFR-1, REFR-6, CLIENTA-10: new tokens for the same device; API-9: expires_in_ms counts milliseconds; REFR-8: afterwards the token
// is expired, with soft_logout; REFR-5: every answer has a refresh token, so there is none to keep.
func TestRefresh(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.TokenLifetime = 5 * time.Minute })
	s.signUp(t, "alice")
	session := s.renewable(t, "alice", "LAPTOP")
	for range 3 {
		access := field(session, "access_token")
		if !s.signedIn(access) || field(session, "expires_in_ms") != "300000" {
			t.Fatalf("signed in: %v; %s", s.signedIn(access), session.Body)
		}
		s.now = s.now.Add(5 * time.Minute)
		wantEnded(t, do(s, "GET", "/_matrix/client/v3/account/whoami", access, ""), true)
		session = s.refresh(field(session, "refresh_token"))
		wantKeys(t, session, 200, "access_token", "refresh_token", "expires_in_ms")
		w := do(s, "GET", "/_matrix/client/v3/account/whoami", field(session, "access_token"), "")
		wantJSON(t, w, 200, `{"user_id":"@alice:example.org","device_id":"LAPTOP","is_guest":false}`)
	}
}

// REFR-4: the old refresh token works until one of the new tokens is used; a lost answer can be asked for again.
func TestRefreshRetry(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*server, *httptest.ResponseRecorder) bool{
		"the new access token": func(s *server, w *httptest.ResponseRecorder) bool { return s.signedIn(field(w, "access_token")) },
		"the new refresh token": func(s *server, w *httptest.ResponseRecorder) bool {
			return s.refresh(field(w, "refresh_token")).Code == 200
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, nil)
			s.signUp(t, "alice")
			first := s.renewable(t, "alice", "LAPTOP")
			other := s.renewable(t, "alice", "TABLET")
			want(t, s.refresh(field(first, "refresh_token")), 200, "") // lost
			if !s.signedIn(field(first, "access_token")) {
				t.Error("the old access token has ended before the new one was used")
			}
			second := s.refresh(field(first, "refresh_token")) // the retry
			want(t, second, 200, "")
			if !use(s, second) {
				t.Fatal("the new token does not work")
			}
			wantEnded(t, s.refresh(field(first, "refresh_token")), true)
			if s.signedIn(field(first, "access_token")) {
				t.Error("the old access token has outlived its refresh token")
			}
			if !s.signedIn(field(other, "access_token")) || s.refresh(field(other, "refresh_token")).Code != 200 {
				t.Error("another device's session has ended")
			}
		})
	}
}

// REFR-4: of two requests with the same token at once, such as from two windows of a client, both answers are good,
// whichever the client keeps, until it has gone on from one of them.
func TestRefreshTwice(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	first := s.renewable(t, "alice", "LAPTOP")
	answers := make([]*httptest.ResponseRecorder, 2)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = s.refresh(field(first, "refresh_token")) })
	}
	wg.Wait()
	for i, w := range answers {
		want(t, w, 200, "")
		if !s.signedIn(field(w, "access_token")) {
			t.Errorf("the access token of answer %d does not work", i)
		}
	}
	wantEnded(t, s.refresh(field(first, "refresh_token")), true)
	next := s.refresh(field(answers[0], "refresh_token"))
	want(t, next, 200, "")
	if !s.signedIn(field(next, "access_token")) {
		t.Fatal("the session has ended")
	}
	wantEnded(t, s.refresh(field(answers[1], "refresh_token")), true)
	if s.signedIn(field(answers[1], "access_token")) {
		t.Error("the session goes on in two ways")
	}
}

// REFR-2: a refresh token that is unknown, used or revoked; soft_logout for as long as the device is there.
func TestRefreshEnded(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	wantEnded(t, s.refresh("nonsense"), false)
	wantEnded(t, s.refresh(""), false)
	want(t, do(s, "POST", refreshPath, "", `{}`), 400, mxerr.MMissingParam)
	want(t, do(s, "POST", refreshPath, "", `{"refresh_token":1}`), 400, mxerr.MBadJSON)

	first := s.renewable(t, "alice", "LAPTOP")
	wantEnded(t, s.refresh(field(first, "access_token")), true) // an access token renews nothing
	if s.signedIn(field(first, "refresh_token")) {
		t.Error("a refresh token is taken for an access token")
	}
	second := s.renewable(t, "alice", "LAPTOP") // SDEV-3 for refresh tokens
	wantEnded(t, s.refresh(field(first, "refresh_token")), true)
	want(t, do(s, "POST", "/_matrix/client/v3/logout", field(second, "access_token"), ""), 200, "")
	wantEnded(t, s.refresh(field(second, "refresh_token")), false)
	wantEnded(t, do(s, "GET", "/_matrix/client/v3/account/whoami", field(second, "access_token"), ""), false)

	third := s.renewable(t, "alice", "LAPTOP")
	if err := s.Accounts.SetLocked(t.Context(), "@alice:example.org", true); err != nil { // ADM-5
		t.Fatal(err)
	}
	want(t, s.refresh(field(third, "refresh_token")), 401, mxerr.MUserLocked)
}

// REFR-3: only clients that ask for it get a refresh token; the tokens of the others do not end.
func TestNoRefreshTokenUnasked(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	w := do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"alice","password":"alice","refresh_token":false}`)
	wantKeys(t, w, 200, "user_id", "access_token", "device_id", "home_server")
	w = do(s, "POST", registerPath, "", `{"auth":{"type":"m.login.dummy"},"username":"bob","password":"x","refresh_token":true}`)
	wantKeys(t, w, 200, "user_id", "access_token", "device_id", "home_server", "refresh_token", "expires_in_ms") // REG-7
	w = do(s, "POST", registerPath, "", `{"auth":{"type":"m.login.dummy"},"username":"eve","password":"x","refresh_token":true,"inhibit_login":true}`)
	wantKeys(t, w, 200, "user_id", "home_server") // REG-8
	s.now = s.now.Add(365 * 24 * time.Hour)
	if !s.signedIn(token) {
		t.Error("a token without expires_in_ms has ended")
	}
}

// REFR-7, REFR-9: a session that cannot be renewed ends with soft_logout, and goes on with a login on its old device.
func TestSessionLifetime(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.SessionLifetime = 24 * time.Hour })
	s.signUp(t, "alice")
	login := func() *httptest.ResponseRecorder {
		return do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"alice","password":"alice","device_id":"LAPTOP","initial_device_display_name":"x"}`)
	}
	w := login()
	wantKeys(t, w, 200, "user_id", "access_token", "device_id", "home_server", "expires_in_ms")
	token := field(w, "access_token")
	want(t, do(s, "PUT", "/_matrix/client/v3/devices/LAPTOP", token, `{"display_name":"Kept"}`), 200, "")
	s.now = s.now.Add(24 * time.Hour)
	wantEnded(t, do(s, "GET", "/_matrix/client/v3/devices/LAPTOP", token, ""), true)
	token = field(login(), "access_token")
	if w := do(s, "GET", "/_matrix/client/v3/devices/LAPTOP", token, ""); field(w, "display_name") != "Kept" {
		t.Errorf("the device was not kept: %s", w.Body)
	}
}

// REFR-10, CLIENTA-8: the access token in the header is not looked at, whoever it asserts to be.
func TestRefreshIgnoresAccessToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	body := fmt.Sprintf(`{"refresh_token":%q}`, field(s.renewable(t, "alice", "LAPTOP"), "refresh_token"))
	want(t, do(s, "POST", refreshPath+"?user_id=@bob:example.org", "stale", body), 200, "")
	want(t, do(s, "POST", "/_matrix/client/r0/tokenrefresh", "", body), 404, mxerr.MUnrecognized)
}

// REFR-2, REFR-4, SDEV-12: refreshes at the same moment as signing out may succeed or come too late, but nothing that they
// bring outlives it: neither the new tokens nor the old ones, nor does the device come back.
func TestRefreshWhileSigningOut(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/_matrix/client/v3/logout", "/_matrix/client/v3/logout/all"} {
		s := newServer(t, nil)
		s.signUp(t, "alice")
		for range 10 {
			first := s.renewable(t, "alice", "LAPTOP")
			answers := make([]*httptest.ResponseRecorder, 3)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() { answers[i] = s.refresh(field(first, "refresh_token")) })
			}
			wg.Go(func() { want(t, do(s, "POST", path, field(first, "access_token"), ""), 200, "") })
			wg.Wait()
			for _, w := range append(answers, first) {
				if w.Code != 200 {
					wantEnded(t, w, false)
					continue
				}
				wantEnded(t, s.refresh(field(w, "refresh_token")), false)
				wantEnded(t, do(s, "GET", "/_matrix/client/v3/account/whoami", field(w, "access_token"), ""), false)
			}
			w := do(s, "GET", devicesPath, s.signIn(t, "alice", "PHONE"), "")
			if ids := field(w, "devices.#.device_id"); ids != `["PHONE"]` {
				t.Errorf("%s: the devices are %s", path, ids)
			}
		}
	}
}
