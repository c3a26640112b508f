package api

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// withAdmin adds the administrator root to a server, and returns the token.
func (s *server) withAdmin(t *testing.T) string {
	t.Helper()
	token := s.signUp(t, "root")
	if err := s.Accounts.SetAdmin(t.Context(), "@root:example.org", true); err != nil {
		t.Fatal(err)
	}
	return token
}

// ADM-1: a user's sessions, for the user and for administrators.
func TestWhois(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	root, alice, bob := s.withAdmin(t), s.signUp(t, "alice"), s.signUp(t, "bob")
	s.signIn(t, "alice", "LAPTOP")
	const path = "/_matrix/client/v3/admin/whois/@alice:example.org"
	connection := fmt.Sprintf(`{"sessions":[{"connections":[{"ip":"192.0.2.1","last_seen":%d,"user_agent":""}]}]}`, s.now.UnixMilli())
	for _, token := range []string{alice, root} {
		wantJSON(t, do(s, "GET", path, token, ""), 200,
			`{"user_id":"@alice:example.org","devices":{"PHONE":`+connection+`,"LAPTOP":`+connection+`}}`)
	}
	want(t, do(s, "GET", path, bob, ""), 403, mxerr.MForbidden)
	want(t, do(s, "GET", "/_matrix/client/r0/admin/whois/@nobody:example.org", bob, ""), 403, mxerr.MForbidden)
	want(t, do(s, "GET", "/_matrix/client/r0/admin/whois/@nobody:example.org", root, ""), 404, mxerr.MNotFound)
	want(t, do(s, "GET", path, "", ""), 401, mxerr.MMissingToken)
}

// ADM-2, ADM-3: administrators ask, lock and suspend, under the unstable name too; what is said is what holds; ADM-5, ADM-7.
func TestModeration(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"/_matrix/client/v1", "/_matrix/client/unstable/uk.timedout.msc4323"} {
		s := newServer(t, nil)
		root, alice := s.withAdmin(t), s.signUp(t, "alice")
		lock, suspend := base+"/admin/lock/@alice:example.org", base+"/admin/suspend/@alice:example.org"
		for _, on := range []bool{true, false} {
			body := fmt.Sprintf(`{"locked":%v}`, on)
			wantJSON(t, do(s, "PUT", lock, root, body), 200, body)
			wantJSON(t, do(s, "GET", lock, root, ""), 200, body)
			w := do(s, "GET", "/_matrix/client/v3/account/whoami", alice, "")
			if on {
				want(t, w, 401, mxerr.MUserLocked)
			} else {
				want(t, w, 200, "")
			}
		}
		const name = "/_matrix/client/v3/profile/@alice:example.org/displayname"
		for _, on := range []bool{true, false} {
			body := fmt.Sprintf(`{"suspended":%v}`, on)
			wantJSON(t, do(s, "PUT", suspend, root, body), 200, body)
			wantJSON(t, do(s, "GET", suspend, root, ""), 200, body)
			wantJSON(t, do(s, "GET", lock, root, ""), 200, `{"locked":false}`)
			if !s.signedIn(alice) {
				t.Error("ADM-7: the token is not valid any more")
			}
			w := do(s, "PUT", name, alice, `{"displayname":"A"}`)
			if on {
				want(t, w, 403, mxerr.MUserSuspended) // ADM-7, ADM-9 for profiles
			} else {
				want(t, w, 200, "")
			}
		}
	}
}

// ADM-8 for accounts: what suspended users still do.
func TestSuspendedUsersStill(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	if err := s.Accounts.SetSuspended(t.Context(), "@alice:example.org", true); err != nil {
		t.Fatal(err)
	}
	token := s.signIn(t, "alice", "LAPTOP")
	want(t, do(s, "GET", "/_matrix/client/v3/devices", token, ""), 200, "")
	want(t, do(s, "PUT", "/_matrix/client/v3/user/@alice:example.org/account_data/m.x", token, `{}`), 200, "")
	want(t, do(s, "POST", passwordPath, token, `{"new_password":"new",`+withPassword("alice", "alice", "")+`}`), 200, "")
	want(t, do(s, "POST", "/_matrix/client/v3/logout", s.signInWith(t, "alice", "new"), ""), 200, "")
	want(t, do(s, "POST", deactivatePath, token, `{`+withPassword("alice", "new", "")+`}`), 200, "")
}

// signInWith signs a user in and returns the access token.
func (s *server) signInWith(t *testing.T, username, password string) string {
	t.Helper()
	w := s.loginWith(username, password)
	want(t, w, 200, "")
	return field(w, "access_token")
}

// ADM-4: who may not, on whom not, and in which order that is found out.
func TestModerationRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	root, alice := s.withAdmin(t), s.signUp(t, "alice")
	s.signUp(t, "gone")
	if _, err := s.Accounts.DeactivateUser(t.Context(), "@gone:example.org", false); err != nil {
		t.Fatal(err)
	}
	s.signUp(t, "other")
	if err := s.Accounts.SetAdmin(t.Context(), "@other:example.org", true); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		token, user string
		status      int
		code        mxerr.Code
	}{
		"no administrator":                        {alice, "@alice:example.org", 403, mxerr.MForbidden},
		"rights are checked before the look-up":   {alice, "@nobody:example.org", 403, mxerr.MForbidden},
		"rights are checked before what is local": {alice, "@nobody:example.com", 403, mxerr.MForbidden},
		"the target is an administrator":          {root, "@other:example.org", 403, mxerr.MForbidden},
		"oneself":                                 {root, "@root:example.org", 403, mxerr.MForbidden},
		"not local":                               {root, "@alice:example.com", 400, mxerr.MInvalidParam},
		"unknown":                                 {root, "@nobody:example.org", 404, mxerr.MNotFound},
		"deactivated":                             {root, "@gone:example.org", 404, mxerr.MNotFound},
		"no user ID":                              {root, "alice", 400, mxerr.MInvalidParam},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for what, body := range map[string]string{"lock": `{"locked":true}`, "suspend": `{"suspended":true}`} {
				path := "/_matrix/client/v1/admin/" + what + "/" + test.user
				want(t, do(s, "PUT", path, test.token, body), test.status, test.code)
				want(t, do(s, "GET", path, test.token, ""), test.status, test.code)
				want(t, do(s, "PUT", path, root, `{}`), 400, map[bool]mxerr.Code{true: mxerr.MInvalidParam, false: mxerr.MMissingParam}[test.user == "alice"])
			}
		})
	}
}

// TURN-1, TURN-3, VOIP-2, API-9: time-limited credentials, made as relays check them; CLIENTA-22: with uris.
func TestTURN(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) {
		c.TURN = account.TURN{URIs: []string{"turn:turn.example.org?transport=udp", "turns:turn.example.org"}, Secret: "n0t t0ld"}
	})
	for version, password := range map[string]string{"v3": "YCsiG7Dnmb24TAjO7ruAb32ZzvE=", "r0": "dLJAAT+a+CFTAgV6sxk4DJcrPWc="} {
		token := s.signUp(t, "alice"+version)
		wantJSON(t, do(s, "GET", "/_matrix/client/"+version+"/voip/turnServer", token, ""), 200, fmt.Sprintf(
			`{"username":"1700086400:@alice%s:example.org","password":%q,"ttl":86400,"uris":["turn:turn.example.org?transport=udp","turns:turn.example.org"]}`,
			version, password))
	}
	want(t, do(s, "GET", "/_matrix/client/v3/voip/turnServer", "", ""), 401, mxerr.MMissingToken)
}

// TURN-1, TURN-2, VOIP-2, VOIP-3: fixed credentials, and no relay.
func TestTURNWithoutSecret(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) {
		c.TURN = account.TURN{URIs: []string{"turn:turn.example.org"}, Username: "u", Password: "p"}
	})
	wantJSON(t, do(s, "GET", "/_matrix/client/v3/voip/turnServer", s.signUp(t, "alice"), ""), 200,
		`{"username":"u","password":"p","ttl":86400,"uris":["turn:turn.example.org"]}`)
	s = newServer(t, nil)
	wantJSON(t, do(s, "GET", "/_matrix/client/v3/voip/turnServer", s.signUp(t, "alice"), ""), 200, `{}`)
}

// CAP-10: what is advertised is what is enforced, for each capability of accounts.
func TestCapabilitiesHold(t *testing.T) {
	t.Parallel()
	const none, profile = `{"enabled":false}`, "/_matrix/client/v3/profile/@alice:example.org/"
	for name, test := range map[string]struct {
		change             func(*account.Config)
		capability, value  string
		method, path, body string
		status             int
		code               mxerr.Code
	}{
		"CAP-2": {func(c *account.Config) { c.FixedPasswords = true }, "m.change_password", none, "POST", passwordPath, `{"new_password":"x"}`, 403, mxerr.MForbidden},
		"CAP-7": {nil, "m.get_login_token", none, "POST", getTokenPath, `{}`, 404, mxerr.MUnrecognized},
		"CAP-4": {func(c *account.Config) { c.ProfileFields = &account.ProfileFields{} }, "m.profile_fields", none,
			"PUT", profile + "m.tz", `{"m.tz":"Europe/Berlin"}`, 403, mxerr.MForbidden},
		"CAP-5 displayname": {func(c *account.Config) {
			c.ProfileFields = &account.ProfileFields{Enabled: true, Disallowed: []string{"displayname"}}
		}, "m.set_displayname", none, "PUT", profile + "displayname", `{"displayname":"x"}`, 403, mxerr.MForbidden}, // PROF-10
		"CAP-5 avatar_url": {func(c *account.Config) {
			c.ProfileFields = &account.ProfileFields{Enabled: true, Allowed: []string{"displayname"}}
		}, "m.set_avatar_url", none, "DELETE", profile + "avatar_url", ``, 403, mxerr.MForbidden},
		"CAP-5 open":      {nil, "m.set_displayname", `{"enabled":true}`, "PUT", profile + "displayname", `{"displayname":"x"}`, 200, ""},
		"CAP-7 open":      {withLoginTokens, "m.get_login_token", `{"enabled":true}`, "POST", getTokenPath, `{` + withPassword("alice", "alice", "") + `}`, 200, ""},
		"CAP-9 is absent": {nil, `m.account_moderation`, ``, "GET", "/_matrix/client/v1/admin/lock/@alice:example.org", ``, 403, mxerr.MForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, test.change)
			token := s.signUp(t, "alice")
			w := do(s, "GET", "/_matrix/client/v3/capabilities", token, "")
			if got := memberOf(w, "capabilities", test.capability); got != test.value {
				t.Errorf("%s is %s, want %s", test.capability, got, test.value)
			}
			want(t, do(s, test.method, test.path, token, test.body), test.status, test.code)
		})
	}
	s := newServer(t, nil)
	w := do(s, "GET", "/_matrix/client/v3/capabilities", s.withAdmin(t), "")
	if got := memberOf(w, "capabilities", "m.account_moderation"); got != `{"lock":true,"suspend":true}` { // CAP-9, SRC-8
		t.Errorf("m.account_moderation is %s", got)
	}
}

// AUTH-9, OAUTH-1, CLIENTA-23: a server without OAuth says so in the way that makes clients go on with the login it has.
func TestNoOAuth(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	want(t, do(s, "GET", loginPath, "", ""), 200, "")
	for _, path := range []string{"/_matrix/client/v1/auth_metadata", "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata", "/_matrix/client/unstable/org.matrix.msc2965/auth_issuer"} {
		want(t, do(s, "GET", path, "", ""), 404, mxerr.MUnrecognized)
	}
	// DEV-14, XS-6: so no stage of it stands for the password.
	token := s.signUp(t, "alice")
	old, fresh := newPerson(alice, ""), newPerson(alice, "2")
	want(t, do(s, "POST", crossSigningPath, token, old.all(t)), 200, "")
	for _, w := range []*httptest.ResponseRecorder{
		do(s, "DELETE", devicesPath+"/PHONE", token, `{}`),
		do(s, "POST", "/_matrix/client/v3/delete_devices", token, `{"devices":["PHONE"]}`),
		do(s, "POST", crossSigningPath, token, fresh.all(t)),
	} {
		want(t, w, 401, "")
		if got := field(w, "flows.#.stages"); got != `[["m.login.password"]]` {
			t.Errorf("flows %s", got)
		}
		if params := field(w, "params"); strings.Contains(params, "oauth") || strings.Contains(params, "cross_signing_reset") {
			t.Errorf("params %s", params)
		}
	}
}
