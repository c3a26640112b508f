package api

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

const (
	passwordPath   = "/_matrix/client/v3/account/password"
	deactivatePath = "/_matrix/client/v3/account/deactivate"
)

// withPassword is the auth object of a user of signUp, with a session or without.
func withPassword(username, password, session string) string {
	if session != "" {
		session = `,"session":"` + session + `"`
	}
	return fmt.Sprintf(`"auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":%q},"password":%q%s}`,
		username, password, session)
}

// loginWith tries to sign in with a password.
func (s *server) loginWith(username, password string) *httptest.ResponseRecorder {
	return do(s, "POST", loginPath, "", fmt.Sprintf(`{"type":"m.login.password","user":%q,"password":%q}`, username, password))
}

// PWD-1, UIA-1: 401 with the flows, then {}; PWD-2: the flows prove the owner; PWD-4: the new password works, the old one
// does not.
func TestChangePassword(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v3", "r0"} {
		s := newServer(t, nil)
		token := s.signUp(t, "alice")
		path := "/_matrix/client/" + version + "/account/password"
		w := do(s, "POST", path, token, `{"new_password":"new"}`)
		session := field(w, "session")
		wantJSON(t, w, 401, `{"session":"`+session+`","flows":[{"stages":["m.login.password"]}],"completed":[],"params":{}}`)
		w = do(s, "POST", path, token, `{"new_password":"new",`+withPassword("alice", "wrong", session)+`}`)
		want(t, w, 401, mxerr.MForbidden) // UIA-7
		if field(w, "session") != session {
			t.Errorf("body %s", w.Body)
		}
		want(t, s.loginWith("alice", "alice"), 200, "")
		wantJSON(t, do(s, "POST", path, token, `{"new_password":"new",`+withPassword("alice", "alice", session)+`}`), 200, `{}`)
		want(t, s.loginWith("alice", "alice"), 403, mxerr.MForbidden)
		want(t, s.loginWith("alice", "new"), 200, "")
	}
}

// PWD-4, UIA-14: proof for one new password is none for another: what is answered with success is the password.
func TestChangePasswordTwice(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	session := field(do(s, "POST", passwordPath, token, `{"new_password":"new"}`), "session")
	want(t, do(s, "POST", passwordPath, token, `{"new_password":"new",`+withPassword("alice", "alice", session)+`}`), 200, "")
	for _, auth := range []string{`"auth":{"session":"` + session + `"}`, withPassword("alice", "alice", session)} {
		want(t, do(s, "POST", passwordPath, token, `{"new_password":"newer",`+auth+`}`), 401, "")
	}
	want(t, s.loginWith("alice", "newer"), 403, mxerr.MForbidden)
	want(t, s.loginWith("alice", "new"), 200, "")
}

// PWD-3: the calling session stays; the others end with their devices unless logout_devices is false.
func TestChangePasswordSessions(t *testing.T) {
	t.Parallel()
	for members, stays := range map[string]bool{
		``: false, `"logout_devices":null,`: false, `"logout_devices":true,`: false, `"logout_devices":false,`: true,
	} {
		t.Run(members, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, nil)
			phone, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
			laptop := s.signIn(t, "alice", "LAPTOP")
			tablet := s.renewable(t, "alice", "TABLET")
			body := `{"new_password":"new",` + members + withPassword("alice", "alice", "") + `}`
			want(t, do(s, "POST", passwordPath, phone, body), 200, "")
			if !s.signedIn(phone) || !s.signedIn(bob) {
				t.Error("the calling session or another user's has ended")
			}
			if s.signedIn(laptop) != stays || s.signedIn(field(tablet, "access_token")) != stays {
				t.Errorf("laptop signed in: %v, want %v", s.signedIn(laptop), stays)
			}
			if got := s.refresh(field(tablet, "refresh_token")).Code == 200; got != stays {
				t.Errorf("refresh token works: %v, want %v", got, stays)
			}
			devices, err := s.Accounts.Devices(t.Context(), "@alice:example.org")
			if err != nil || (len(devices) == 3) != stays || !slices.ContainsFunc(devices, func(d account.Device) bool { return d.ID == "PHONE" }) {
				t.Errorf("devices %v, %v", devices, err)
			}
		})
	}
}

// Requests for a new password that are refused, and change nothing.
func TestChangePasswordRefused(t *testing.T) {
	t.Parallel()
	auth := withPassword("alice", "alice", "")
	for name, test := range map[string]struct {
		anonymous bool
		body      string
		status    int
		code      mxerr.Code
	}{
		"PWD-1 new_password missing":               {false, `{` + auth + `}`, 400, mxerr.MMissingParam},
		"PWD-5 weak password":                      {false, `{"new_password":"12345678",` + auth + `}`, 400, mxerr.MWeakPassword},
		"PWD-5 weak password, before a challenge":  {false, `{"new_password":"12345678"}`, 400, mxerr.MWeakPassword},
		"empty password":                           {false, `{"new_password":"",` + auth + `}`, 400, mxerr.MWeakPassword},
		"UIA-15 another user's password":           {false, `{"new_password":"new",` + withPassword("bob", "bob", "") + `}`, 403, mxerr.MForbidden},
		"PWD-2 without a token a password is none": {true, `{"new_password":"new",` + auth + `}`, 403, mxerr.MForbidden},
		"API-3 wrong type":                         {false, `{"new_password":"new","logout_devices":1}`, 400, mxerr.MBadJSON},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, func(c *account.Config) {
				c.PasswordPolicy = func(p string) error {
					if p == "12345678" {
						return errors.New("this is the password that everybody tries first")
					}
					return nil
				}
			})
			token := s.signUp(t, "alice")
			s.signUp(t, "bob")
			laptop := s.signIn(t, "alice", "LAPTOP")
			if test.anonymous {
				token = ""
			}
			want(t, do(s, "POST", passwordPath, token, test.body), test.status, test.code)
			if !s.signedIn(laptop) || s.loginWith("alice", "alice").Code != 200 {
				t.Error("something has changed")
			}
			want(t, do(s, "POST", passwordPath, "stale", test.body), 401, mxerr.MUnknownToken) // AUTH-6
		})
	}
}

// REG-9: a password can be too weak for registration, too.
func TestRegisterWeakPassword(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) {
		c.PasswordPolicy = func(string) error { return errors.New("no password is good enough") }
	})
	w := do(s, "POST", registerPath, "", `{"auth":{"type":"m.login.dummy"},"username":"alice","password":"alice"}`)
	wantJSON(t, w, 400, `{"errcode":"M_WEAK_PASSWORD","error":"no password is good enough"}`)
}

// PWD-5, CAP-2, CAP-10: where passwords cannot be changed, the endpoint says so as the capability does.
func TestFixedPasswords(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*account.Config){
		"by configuration":       func(c *account.Config) { c.FixedPasswords = true },
		"accounts of the host":   func(c *account.Config) { c.Provider = hostAccounts{"@alice:example.org": "alice"} },
		"the host offers no way": func(c *account.Config) { c.Flows = func(string, events.UserID, []uia.Flow) []uia.Flow { return nil } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, change)
			if _, err := s.Accounts.CreateUser(t.Context(), "alice", "alice"); err != nil {
				t.Fatal(err)
			}
			token := s.signIn(t, "alice", "PHONE")
			want(t, do(s, "POST", passwordPath, token, `{"new_password":"new",`+withPassword("alice", "alice", "")+`}`), 403, mxerr.MForbidden)
			want(t, s.loginWith("alice", "alice"), 200, "")
		})
	}
}

// DEACT-1: UIA, then id_server_unbind_result, DEACT-2 success as nothing was bound; DEACT-3: neither password nor token
// works any more, devices and profile are gone, the rooms are left, and the name is not given away again.
func TestDeactivate(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	phone, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
	laptop := s.renewable(t, "alice", "LAPTOP")
	datum := "/_matrix/client/v3/user/@alice:example.org/account_data/m.x"
	want(t, do(s, "PUT", datum, phone, `{}`), 200, "")

	w := do(s, "POST", deactivatePath, phone, `{}`)
	session := field(w, "session")
	wantJSON(t, w, 401, `{"session":"`+session+`","flows":[{"stages":["m.login.password"]}],"completed":[],"params":{}}`)
	want(t, do(s, "POST", deactivatePath, phone, `{`+withPassword("alice", "wrong", session)+`}`), 401, mxerr.MForbidden) // DEACT-5
	want(t, do(s, "POST", deactivatePath, phone, `{`+withPassword("bob", "bob", session)+`}`), 403, mxerr.MForbidden)
	if !s.signedIn(phone) || !s.signedIn(field(laptop, "access_token")) || len(s.left) != 0 {
		t.Fatal("DEACT-5: the account has changed")
	}
	w = do(s, "POST", deactivatePath, phone, `{`+withPassword("alice", "alice", session)+`}`)
	wantJSON(t, w, 200, `{"id_server_unbind_result":"success"}`)

	want(t, s.loginWith("alice", "alice"), 403, mxerr.MForbidden)
	for _, token := range []string{phone, field(laptop, "access_token")} {
		wantEnded(t, do(s, "GET", "/_matrix/client/v3/account/whoami", token, ""), false)
	}
	wantEnded(t, s.refresh(field(laptop, "refresh_token")), false)
	if devices, err := s.Accounts.Devices(t.Context(), "@alice:example.org"); err != nil || len(devices) != 0 {
		t.Errorf("devices %v, %v", devices, err)
	}
	wantJSON(t, do(s, "GET", "/_matrix/client/v3/profile/@alice:example.org", "", ""), 200, `{}`)
	// Once more when nobody can act for the user any more: rooms may have been joined meanwhile.
	if diff := cmp.Diff([]events.UserID{"@alice:example.org", "@alice:example.org"}, s.left); diff != "" {
		t.Errorf("rooms were left by (-want +got)\n%s", diff)
	}
	want(t, do(s, "POST", registerPath, "", `{"username":"alice"}`), 400, mxerr.MUserInUse) // REG-11
	if !s.signedIn(bob) {
		t.Error("another user's session has ended")
	}
	data, err := s.Accounts.AccountData(t.Context(), "@alice:example.org", "", "m.x")
	if err != nil {
		t.Errorf("account data is deleted without erase: %s, %v", data, err)
	}
}

// AUTH-6, DEACT-1: without a token the proof says whose account it is; in r0 as well.
func TestDeactivateWithoutToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
	const path = "/_matrix/client/r0/account/deactivate"
	want(t, do(s, "POST", path, "", `{`+withPassword("alice", "bob", "")+`}`), 401, mxerr.MForbidden)
	wantJSON(t, do(s, "POST", path, "", `{`+withPassword("alice", "alice", "")+`}`), 200, `{"id_server_unbind_result":"success"}`)
	if s.signedIn(alice) || !s.signedIn(bob) {
		t.Errorf("signed in: alice %v, bob %v", s.signedIn(alice), s.signedIn(bob))
	}
}

// DEACT-4 in the database: erase deletes account data and marks the account, so that the rooms know.
func TestDeactivateErase(t *testing.T) {
	t.Parallel()
	for _, erase := range []bool{true, false} {
		s := newServer(t, nil)
		token := s.signUp(t, "alice")
		want(t, do(s, "PUT", "/_matrix/client/v3/user/@alice:example.org/account_data/m.x", token, `{}`), 200, "")
		want(t, do(s, "POST", deactivatePath, token, fmt.Sprintf(`{"erase":%v,%s}`, erase, withPassword("alice", "alice", ""))), 200, "")
		_, err := s.Accounts.AccountData(t.Context(), "@alice:example.org", "", "m.x")
		if errors.Is(err, mxerr.MNotFound) != erase {
			t.Errorf("erase %v: account data: %v", erase, err)
		}
		s.change(t, "@alice:example.org", func(u *store.User) {
			if (u.Erased != 0) != erase || !u.Deactivated || u.PasswordHash != "" {
				t.Errorf("erase %v: account %+v", erase, u)
			}
		})
	}
}

// An account is not deactivated unless its rooms can be left: then the owner can try again.
func TestDeactivateFails(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	s.leaveErr = errors.New("the database is full")
	body := `{` + withPassword("alice", "alice", "") + `}`
	want(t, do(s, "POST", deactivatePath, token, body), 500, mxerr.MUnknown)
	if !s.signedIn(token) {
		t.Fatal("the account has changed")
	}
	s.leaveErr = nil
	want(t, do(s, "POST", deactivatePath, token, body), 200, "")
	if _, err := s.Accounts.DeactivateUser(t.Context(), "@alice:example.org", true); !errors.Is(err, mxerr.MNotFound) {
		t.Errorf("deactivated twice: %v", err)
	}
}

// Guests have neither a password nor an account to deactivate (GUEST-1).
func TestGuestsKeepTheirAccount(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	s.change(t, "@alice:example.org", func(u *store.User) { u.Guest = true })
	for _, path := range []string{passwordPath, deactivatePath} {
		want(t, do(s, "POST", path, token, `{"new_password":"new"}`), 403, mxerr.MGuestAccessForbidden)
	}
}

// The host sets passwords and gets the same refusals; what the provider keeps is set through it.
func TestSetPassword(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	if err := s.Accounts.SetPassword(t.Context(), "@alice:example.org", "new"); err != nil {
		t.Fatal(err)
	}
	if s.signedIn(token) || s.loginWith("alice", "new").Code != 200 {
		t.Error("the password is not set or the session has not ended")
	}
	if err := s.Accounts.SetPassword(t.Context(), "@nobody:example.org", "new"); !errors.Is(err, mxerr.MNotFound) {
		t.Errorf("unknown user: %v", err)
	}

	host := settableAccounts{hostAccounts{"@carol:example.org": "old"}}
	s = newServer(t, func(c *account.Config) { c.Provider = host })
	token = field(s.loginWith("carol", "old"), "access_token")
	want(t, do(s, "POST", passwordPath, token, `{"new_password":"new",`+withPassword("carol", "old", "")+`}`), 200, "")
	want(t, s.loginWith("carol", "old"), 403, mxerr.MForbidden)
	want(t, s.loginWith("carol", "new"), 200, "")
}
