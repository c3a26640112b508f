package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const registerPath = "/_matrix/client/v3/register"

// REG-1, UIA-1 for registration, UIA-2, UIA-3, UIA-17, CLIENTA-5: registration needs interactive authentication, even if its only stage
// always passes.
func TestRegisterChallenge(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, path := range []string{registerPath, registerPath + "?kind=user", "/_matrix/client/r0/register"} {
		for _, body := range []string{"", `{}`, `{"username":"alice","password":"alice"}`, `{"auth":null}`} {
			w := do(s, "POST", path, "", body)
			if field(w, "session") == "" {
				t.Fatalf("no session: %d %s", w.Code, w.Body)
			}
			wantJSON(t, w, 401, fmt.Sprintf(
				`{"session":%q,"flows":[{"stages":["m.login.dummy"]}],"completed":[],"params":{}}`, field(w, "session")))
		}
	}
	want(t, do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"alice","password":"alice"}`), 403, mxerr.MForbidden)
}

// REG-7, UIA-4, UIA-9: the request with the session and the stage registers and signs in.
func TestRegister(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for i, path := range []string{registerPath, "/_matrix/client/r0/register"} {
		user := fmt.Sprintf("alice%d", i)
		session := field(do(s, "POST", path, "", `{"username":"`+user+`","password":"secret"}`), "session")
		w := do(s, "POST", path, "stale token", fmt.Sprintf(
			`{"username":%q,"password":"secret","auth":{"type":"m.login.dummy","session":%q}}`, user, session))
		wantKeys(t, w, 200, "user_id", "access_token", "device_id", "home_server")
		if field(w, "user_id") != "@"+user+":example.org" || !regexp.MustCompile(`^[A-Z]{10}$`).MatchString(field(w, "device_id")) {
			t.Errorf("body %s", w.Body)
		}
		wantJSON(t, do(s, "GET", "/_matrix/client/v3/account/whoami", field(w, "access_token"), ""), 200, fmt.Sprintf(
			`{"user_id":"@%s:example.org","device_id":%q,"is_guest":false}`, user, field(w, "device_id")))
		want(t, do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"`+user+`","password":"secret"}`), 200, "")
		// REG-12, CLIENTA-20: the localpart is the display name at first.
		wantJSON(t, do(s, "GET", "/_matrix/client/v3/profile/@"+user+":example.org/displayname", "", ""), 200, `{"displayname":"`+user+`"}`)
	}
}

// UIA-5, CLIENTA-5: one request is enough for a flow of one stage.
func TestRegisterInOneRequest(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	w := do(s, "POST", registerPath, "", `{"auth":{"type":"m.login.dummy"},"username":"alice","password":"secret",
		"device_id":"PHONE","initial_device_display_name":"My phone"}`)
	want(t, w, 200, "")
	w = do(s, "GET", "/_matrix/client/v3/devices/"+field(w, "device_id"), field(w, "access_token"), "") // SDEV-2, SDEV-4
	if field(w, "device_id") != "PHONE" || field(w, "display_name") != "My phone" {
		t.Errorf("device %s", w.Body)
	}
}

// REG-2: every member is optional but the password, and the server makes a name up.
func TestRegisterWithoutUsername(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	users := make(map[string]bool)
	for range 3 {
		w := do(s, "POST", registerPath, "", `{"auth":{"type":"m.login.dummy"},"password":"secret","refresh_token":false,"x":null}`)
		want(t, w, 200, "")
		users[field(w, "user_id")] = true
		if !regexp.MustCompile(`^@[a-z]{12}:example\.org$`).MatchString(field(w, "user_id")) {
			t.Errorf("user ID %q", field(w, "user_id"))
		}
	}
	if len(users) != 3 {
		t.Errorf("names are given twice: %v", users)
	}
}

// Usernames: REG-3, ID-2, ID-4, CLIENTA-20; and REG-15 and CLIENTA-25, for which the same is true.
func TestRegisterUsernames(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, test := range []struct{ name, username, localpart string }{
		{"ID-2 lower-case letters and digits", "abc123", "abc123"},
		{"ID-2 punctuation", "q._=-/+", "q._=-/+"},
		{"ID-4 capitals", "McDuck", "mcduck"},
		{"ID-2 only digits", "12345", "12345"},
		{"ID-2 as long as may be", strings.Repeat("a", 255-len("@:example.org")), strings.Repeat("a", 255-len("@:example.org"))},
		{"REG-3 too long", strings.Repeat("a", 256-len("@:example.org")), ""},
		{"REG-3 empty", "", ""},
		{"REG-3 space", "a b", ""},
		{"REG-3 newline", "ab\n", ""},
		{"REG-3 other punctuation", "a!", ""},
		{"REG-3 colon", "a:b", ""},
		{"REG-3 whole user ID", "@alice:example.org", ""},
		{"REG-3 letter that is not ASCII", "é", ""},
		{"REG-3 letter whose lower case is ASCII", "\u212Aelvin", ""}, // the Kelvin sign
		{"REG-3 NUL", "a\x00b", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			username, err := json.Marshal(test.username)
			if err != nil {
				t.Fatal(err)
			}
			body := fmt.Sprintf(`{"auth":{"type":"m.login.dummy"},"username":%s,"password":"secret"}`, username)
			available := "/_matrix/client/v3/register/available?username=" + url.QueryEscape(test.username)
			if test.localpart == "" {
				want(t, do(s, "GET", available, "", ""), 400, mxerr.MInvalidUsername)
				want(t, do(s, "POST", registerPath, "", body), 400, mxerr.MInvalidUsername)
				// REG-5: before the challenge, too
				want(t, do(s, "POST", registerPath, "", fmt.Sprintf(`{"username":%s}`, username)), 400, mxerr.MInvalidUsername)
				return
			}
			wantJSON(t, do(s, "GET", available, "", ""), 200, `{"available":true}`)
			w := do(s, "POST", registerPath, "", body)
			want(t, w, 200, "")
			if field(w, "user_id") != "@"+test.localpart+":example.org" {
				t.Errorf("user ID %q", field(w, "user_id"))
			}
			want(t, do(s, "GET", available, "", ""), 400, mxerr.MUserInUse)
			want(t, do(s, "POST", registerPath, "", body), 400, mxerr.MUserInUse)
		})
	}
}

// REG-4, REG-5, REG-11, REG-15: a name that is taken, before the challenge and at completion.
func TestRegisterTaken(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	err := s.store.Update(t.Context(), func(tx store.Tx) error { return tx.CreateUser(store.User{ID: "@Bob:example.org"}) })
	if err != nil {
		t.Fatal(err)
	}
	s.signUp(t, "gone")
	s.change(t, "@gone:example.org", func(u *store.User) { u.Deactivated, u.PasswordHash = true, "" })
	for name, username := range map[string]string{
		"REG-4 taken": "alice", "REG-4 other case": "ALICE", "REG-4 historical ID": "bob", "REG-11 deactivated": "gone",
	} {
		want(t, do(s, "POST", registerPath, "", `{"username":"`+username+`"}`), 400, mxerr.MUserInUse)
		w := do(s, "POST", registerPath, "", `{"auth":{"type":"m.login.dummy"},"password":"x","username":"`+username+`"}`)
		want(t, w, 400, mxerr.MUserInUse)
		w = do(s, "GET", "/_matrix/client/v3/register/available?username="+username, "", "")
		if want(t, w, 400, mxerr.MUserInUse); field(w, "available") != "" {
			t.Errorf("%s: body %s", name, w.Body)
		}
	}

	// REG-5: taken while the client was busy with the challenge
	session := field(do(s, "POST", registerPath, "", `{"username":"carol"}`), "session")
	s.signUp(t, "carol")
	body := `{"auth":{"type":"m.login.dummy","session":"` + session + `"},"password":"x","username":%q}`
	want(t, do(s, "POST", registerPath, "", fmt.Sprintf(body, "carol")), 400, mxerr.MUserInUse)
	want(t, do(s, "POST", registerPath, "", fmt.Sprintf(body, "caroline")), 200, "")
}

// REG-4: of those who want a name at the same time one gets it.
func TestRegisterRace(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := make(map[string]int)
	for range 8 {
		wg.Go(func() {
			w := do(s, "POST", registerPath, "", `{"auth":{"type":"m.login.dummy"},"username":"alice","password":"x"}`)
			mu.Lock()
			defer mu.Unlock()
			answers[fmt.Sprint(w.Code, field(w, "errcode"))]++
		})
	}
	wg.Wait()
	if answers["200"] != 1 || answers["400M_USER_IN_USE"] != 7 {
		t.Errorf("answers %v", answers)
	}
}

// REG-10, UIA-11: repeating the last request gives the same answer, also after the name is taken; the session registers
// nobody else.
func TestRegisterRepeated(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, username := range []string{`,"username":"alice"`, ``} {
		session := field(do(s, "POST", registerPath, "", `{}`), "session")
		body := `{"auth":{"type":"m.login.dummy","session":"` + session + `"},"password":"x"` + username + `}`
		first := do(s, "POST", registerPath, "", body)
		want(t, first, 200, "")
		for range 2 {
			wantJSON(t, do(s, "POST", registerPath, "", body), 200, first.Body.String())
		}
		if !s.signedIn(field(first, "access_token")) {
			t.Error("the session has ended")
		}
		other := `{"auth":{"type":"m.login.dummy","session":"` + session + `"},"password":"x","username":"mallory"}`
		want(t, do(s, "POST", registerPath, "", other), 403, mxerr.MForbidden)
		want(t, do(s, "GET", "/_matrix/client/v3/profile/@mallory:example.org", "", ""), 404, mxerr.MNotFound)
	}
}

// REG-8: an account without a session.
func TestRegisterInhibitLogin(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	w := do(s, "POST", registerPath, "", `{"auth":{"type":"m.login.dummy"},"username":"alice","password":"x","device_id":"D","inhibit_login":true}`)
	wantJSON(t, w, 200, `{"user_id":"@alice:example.org","home_server":"example.org"}`)
	if devices, err := s.Accounts.Devices(t.Context(), "@alice:example.org"); err != nil || len(devices) != 0 {
		t.Errorf("devices %v, %v", devices, err)
	}
	want(t, do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"alice","password":"x"}`), 200, "")
}

// REG-9: passwords of any language; one is needed, but asked for last, and then the session may be used again.
func TestRegisterPassword(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	const password = "пароль 密码 🔑"
	want(t, do(s, "POST", registerPath, "", `{"auth":{"type":"m.login.dummy"},"username":"alice","password":"`+password+`"}`), 200, "")
	want(t, do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"alice","password":"`+password+`"}`), 200, "")
	want(t, do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"alice","password":"пароль"}`), 403, mxerr.MForbidden)

	session := field(do(s, "POST", registerPath, "", `{"username":"bob"}`), "session")
	body := `{"auth":{"type":"m.login.dummy","session":"` + session + `"},"username":"bob"`
	want(t, do(s, "POST", registerPath, "", body+`}`), 400, mxerr.MMissingParam)
	want(t, do(s, "POST", registerPath, "", body+`,"password":""}`), 400, mxerr.MMissingParam)
	want(t, do(s, "POST", registerPath, "", body+`,"password":1}`), 400, mxerr.MBadJSON)
	want(t, do(s, "GET", "/_matrix/client/v3/profile/@bob:example.org", "", ""), 404, mxerr.MNotFound)
	want(t, do(s, "POST", registerPath, "", body+`,"password":"x"}`), 200, "")
}

// API-3: members of the wrong type.
func TestRegisterMalformed(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, body := range []string{
		`{"username":1}`, `{"auth":"m.login.dummy"}`, `{"auth":{"type":1}}`, `{"inhibit_login":"true"}`, `{"device_id":[]}`, `[]`,
	} {
		want(t, do(s, "POST", registerPath, "", body), 400, mxerr.MBadJSON)
	}
}

// REG-6: registration is closed unless the configuration says otherwise, and guests are not let in; before any challenge.
func TestRegisterClosed(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.Registration = account.RegistrationClosed })
	for _, body := range []string{``, `{}`, `{"auth":{"type":"m.login.dummy"},"username":"alice","password":"x"}`} {
		wantJSON(t, do(s, "POST", registerPath, "", body), 403, `{"errcode":"M_FORBIDDEN","error":"registration is closed"}`)
	}
	if _, err := s.Accounts.CreateUser(t.Context(), "Alice", "alice"); err != nil {
		t.Errorf("the host cannot create users: %v", err)
	}
	s.signIn(t, "alice", "PHONE")
	want(t, do(newServer(t, nil), "POST", registerPath+"?kind=guest", "", `{}`), 403, mxerr.MForbidden)
	want(t, do(newServer(t, nil), "POST", registerPath+"?kind=alien", "", `{}`), 400, mxerr.MInvalidParam) // REG-1
}

// UIA-24: registration with a token of the configuration; UIA-7: another one is refused and the session kept.
func TestRegisterWithToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) {
		c.Registration, c.RegistrationTokens = account.RegistrationByToken, []string{"first", "second"}
	})
	w := do(s, "POST", registerPath, "", `{}`)
	session := field(w, "session")
	wantJSON(t, w, 401, `{"session":"`+session+`","flows":[{"stages":["m.login.registration_token"]}],"completed":[],"params":{}}`)
	body := `{"username":"alice","password":"x","auth":{"session":"` + session + `","type":%q,"token":%q}}`
	for _, token := range []string{"third", "", "firstsecond"} {
		w = do(s, "POST", registerPath, "", fmt.Sprintf(body, "m.login.registration_token", token))
		want(t, w, 401, mxerr.MUnauthorized)
		if field(w, "session") != session || field(w, "completed") != "[]" {
			t.Errorf("body %s", w.Body)
		}
	}
	w = do(s, "POST", registerPath, "", fmt.Sprintf(body, "m.login.dummy", ""))
	want(t, w, 401, mxerr.MForbidden) // a stage that is not offered
	w = do(s, "POST", registerPath, "", `{"auth":{"type":"m.login.registration_token"}}`)
	want(t, w, 400, mxerr.MMissingParam)
	want(t, do(s, "POST", registerPath, "", fmt.Sprintf(body, "m.login.registration_token", "second")), 200, "")
}

// REG-15: the parameter is needed.
func TestRegisterAvailableWithoutUsername(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	want(t, do(s, "GET", "/_matrix/client/v3/register/available", "stale", ""), 400, mxerr.MMissingParam)
	want(t, do(s, "GET", "/_matrix/client/v3/register/available?username=%ff", "", ""), 400, mxerr.MInvalidUsername)
	want(t, do(s, "GET", "/_matrix/client/r0/register/available?username=free", "stale", ""), 200, "") // AUTH-5, CLIENTA-8
}
