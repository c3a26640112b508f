package api

import (
	"context"
	"fmt"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

const loginPath = "/_matrix/client/v3/login"

// LOGIN-1, LOGIN-2: the usable types of login; AUTH-5, AUTH-7, CLIENTA-8: a stale token does no harm.
func TestLoginFlows(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, token := range []string{"", "stale"} {
		wantJSON(t, do(s, "GET", loginPath, token, ""), 200, `{"flows":[{"type":"m.login.password"}]}`)
	}
	wantJSON(t, do(s, "GET", "/_matrix/client/r0/login", "", ""), 200, `{"flows":[{"type":"m.login.password"}]}`) // API-13
}

// LOGIN-5: user_id, access_token, device_id, under v3 and r0.
func TestLogin(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	for _, path := range []string{loginPath, "/_matrix/client/r0/login"} {
		w := do(s, "POST", path, "stale", `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"alice"}`)
		wantKeys(t, w, 200, "user_id", "access_token", "device_id", "home_server")
		if field(w, "user_id") != "@alice:example.org" || field(w, "home_server") != "example.org" {
			t.Errorf("body %s", w.Body)
		}
		// SDEV-2: a device ID is made up.
		if !regexp.MustCompile(`^[A-Z]{10}$`).MatchString(field(w, "device_id")) {
			t.Errorf("device ID %q", field(w, "device_id"))
		}
		wantJSON(t, do(s, "GET", "/_matrix/client/v3/account/whoami", field(w, "access_token"), ""), 200,
			fmt.Sprintf(`{"user_id":"@alice:example.org","device_id":%q,"is_guest":false}`, field(w, "device_id")))
	}
	w := do(s, "POST", loginPath, "", `{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"alice","device_id":"laptop é"}`)
	want(t, w, 200, "")
	if field(w, "device_id") != "laptop é" { // LOGIN-5, ID-12
		t.Errorf("device ID %q is not the requested one", field(w, "device_id"))
	}
}

// Every way to name a user who can sign in.
func TestLoginIdentifiers(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	for name, members := range map[string]string{
		"LOGIN-8 localpart":                           `"identifier":{"type":"m.id.user","user":"alice"}`,
		"LOGIN-8 user ID":                             `"identifier":{"type":"m.id.user","user":"@alice:example.org"}`,
		"LOGIN-8 upper-case localpart":                `"identifier":{"type":"m.id.user","user":"ALICE"}`,
		"LOGIN-8 upper-case user ID":                  `"identifier":{"type":"m.id.user","user":"@Alice:example.org"}`,
		"LOGIN-11 top-level user":                     `"user":"alice"`,
		"LOGIN-11 top-level user ID":                  `"user":"@alice:example.org"`,
		"LOGIN-11 identifier wins":                    `"identifier":{"type":"m.id.user","user":"alice"},"user":"bob"`,
		"API-8 unknown keys and null for absent ones": `"identifier":{"type":"m.id.user","user":"alice","x":1},"user":null,"y":[]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := do(s, "POST", loginPath, "", `{"type":"m.login.password","password":"alice",`+members+`}`)
			want(t, w, 200, "")
			if field(w, "user_id") != "@alice:example.org" {
				t.Errorf("signed in as %s", field(w, "user_id"))
			}
		})
	}
}

// LOGIN-8: of IDs that differ in case only, the exact one counts; the stored spelling is returned.
func TestLoginHistoricalUser(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	var hash string
	s.change(t, "@alice:example.org", func(u *store.User) { hash = u.PasswordHash })
	err := s.store.Update(t.Context(), func(tx store.Tx) error {
		if err := tx.CreateUser(store.User{ID: "@Alice:example.org", PasswordHash: hash}); err != nil {
			return err
		}
		return tx.CreateUser(store.User{ID: "@Bob:example.org", PasswordHash: hash})
	})
	if err != nil {
		t.Fatal(err)
	}
	for given, wanted := range map[string]string{
		"alice": "@alice:example.org", "Alice": "@Alice:example.org", "bob": "@Bob:example.org", "@BOB:example.org": "@Bob:example.org",
	} {
		w := do(s, "POST", loginPath, "", fmt.Sprintf(`{"type":"m.login.password","user":%q,"password":"alice"}`, given))
		want(t, w, 200, "")
		if field(w, "user_id") != wanted {
			t.Errorf("%s is signed in as %s, want %s", given, field(w, "user_id"), wanted)
		}
	}
}

// LOGIN-6: whoever cannot sign in gets the same answer, whatever the reason.
func TestLoginRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	if _, err := s.Accounts.CreateUser(t.Context(), "bot", ""); err != nil {
		t.Fatal(err)
	}
	for name, members := range map[string]string{
		"LOGIN-6 wrong password":               `"identifier":{"type":"m.id.user","user":"alice"},"password":"wrong"`,
		"LOGIN-6 empty password":               `"identifier":{"type":"m.id.user","user":"alice"},"password":""`,
		"LOGIN-6 unknown user":                 `"identifier":{"type":"m.id.user","user":"nobody"},"password":"alice"`,
		"LOGIN-6 impossible user":              `"identifier":{"type":"m.id.user","user":"a:b c"},"password":"alice"`,
		"LOGIN-6 malformed user ID":            `"identifier":{"type":"m.id.user","user":"@alice"},"password":"alice"`,
		"user without a password":              `"identifier":{"type":"m.id.user","user":"bot"},"password":""`,
		"LOGIN-8 user of another server":       `"identifier":{"type":"m.id.user","user":"@alice:example.com"},"password":"alice"`,
		"LOGIN-9 unknown e-mail address":       `"identifier":{"type":"m.id.thirdparty","medium":"email","address":"a@example.org"},"password":"alice"`,
		"LOGIN-10 unknown phone number":        `"identifier":{"type":"m.id.phone","country":"GB","phone":"07700900001"},"password":"alice"`,
		"LOGIN-11 top-level address":           `"medium":"email","address":"a@example.org","password":"alice"`,
		"LOGIN-12 identifier without its type": `"identifier":{"medium":"email","address":"a@example.org"},"password":"alice"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := do(s, "POST", loginPath, "", `{"type":"m.login.password",`+members+`}`)
			wantJSON(t, w, 403, `{"errcode":"M_FORBIDDEN","error":"invalid username or password"}`)
		})
	}
}

// LOGIN-3, LOGIN-4, API-2, API-3, ID-12: requests that are wrong in themselves.
func TestLoginMalformed(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	for name, test := range map[string]struct {
		body string
		code mxerr.Code
	}{
		"LOGIN-3 unsupported type":   {`{"type":"org.example.face"}`, mxerr.MUnknown},
		"LOGIN-3 type missing":       {`{"user":"alice","password":"alice"}`, mxerr.MMissingParam},
		"LOGIN-3 password missing":   {`{"type":"m.login.password","user":"alice"}`, mxerr.MMissingParam},
		"LOGIN-3 user missing":       {`{"type":"m.login.password","password":"alice"}`, mxerr.MMissingParam},
		"identifier without user":    {`{"type":"m.login.password","password":"x","identifier":{"type":"m.id.user"}}`, mxerr.MMissingParam},
		"identifier without type":    {`{"type":"m.login.password","password":"x","identifier":{"user":"alice"}}`, mxerr.MMissingParam},
		"identifier without address": {`{"type":"m.login.password","password":"x","identifier":{"type":"m.id.thirdparty","medium":"email"}}`, mxerr.MMissingParam},
		"phone without country":      {`{"type":"m.login.password","password":"x","identifier":{"type":"m.id.phone","phone":"1"}}`, mxerr.MMissingParam},
		"LOGIN-10 country no code":   {`{"type":"m.login.password","password":"x","identifier":{"type":"m.id.phone","country":"gb","phone":"1"}}`, mxerr.MInvalidParam},
		"identifier of unknown type": {`{"type":"m.login.password","password":"x","identifier":{"type":"m.id.face"}}`, mxerr.MInvalidParam},
		"identifier is no object":    {`{"type":"m.login.password","password":"x","identifier":"alice"}`, mxerr.MBadJSON},
		"user is no string":          {`{"type":"m.login.password","password":"x","identifier":{"type":"m.id.user","user":1}}`, mxerr.MBadJSON},
		"password is no string":      {`{"type":"m.login.password","password":1,"user":"alice"}`, mxerr.MBadJSON},
		"LOGIN-4 device is none":     {`{"type":"m.login.password","password":"alice","user":"alice","device_id":7}`, mxerr.MBadJSON},
		"LOGIN-4 name is no string":  {`{"type":"m.login.password","password":"alice","user":"alice","initial_device_display_name":[]}`, mxerr.MBadJSON},
		"LOGIN-4 renewal is no bool": {`{"type":"m.login.password","password":"alice","user":"alice","refresh_token":"true"}`, mxerr.MBadJSON},
		"LOGIN-4 token is no string": {`{"type":"m.login.token","token":["x"]}`, mxerr.MBadJSON},
		"API-2 no JSON":              {`{"type":`, mxerr.MNotJSON},
		"API-3 no object":            {`["m.login.password"]`, mxerr.MBadJSON},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, do(s, "POST", loginPath, "", test.body), 400, test.code)
		})
	}
	for _, member := range []string{
		fmt.Sprintf(`"device_id":"%0256d"`, 1), fmt.Sprintf(`"initial_device_display_name":"%0513d"`, 1), `"device_id":"a\u0000b"`, `"initial_device_display_name":"\u0000"`,
	} {
		want(t, do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"alice","password":"alice",`+member+`}`), 400, mxerr.MInvalidParam)
	}
}

// The states of an account: LOGIN-7, LOGIN-17, ADM-5.
func TestLoginStates(t *testing.T) {
	t.Parallel()
	const body = `{"type":"m.login.password","user":"alice","password":"alice"}`
	for name, test := range map[string]struct {
		set    func(*store.User)
		status int
		code   mxerr.Code
	}{
		"LOGIN-7 deactivated":                     {func(u *store.User) { u.Deactivated = true }, 403, mxerr.MUserDeactivated},
		"LOGIN-7 deactivated, the password wiped": {func(u *store.User) { u.Deactivated, u.PasswordHash = true, "" }, 403, mxerr.MForbidden},
		"LOGIN-17 locked":                         {func(u *store.User) { u.Locked = true }, 401, mxerr.MUserLocked},
		"LOGIN-17 suspended":                      {func(u *store.User) { u.Suspended = true }, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, nil)
			s.signUp(t, "alice")
			s.change(t, "@alice:example.org", test.set)
			w := do(s, "POST", loginPath, "", body)
			want(t, w, test.status, test.code)
			if test.code == mxerr.MUserLocked && field(w, "soft_logout") != "true" { // ERR-5
				t.Errorf("no soft logout: %s", w.Body)
			}
			wrong := do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"alice","password":"x"}`)
			want(t, wrong, 403, mxerr.MForbidden) // nothing is told to those without the password
		})
	}
}

// ADM-5, ERR-5: a locked account is refused everywhere but at logout, which still ends the session; ADM-6: unlocking
// restores the session.
func TestLockedSession(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	lock := func(locked bool) {
		t.Helper()
		if err := s.Accounts.SetLocked(t.Context(), "@alice:example.org", locked); err != nil {
			t.Fatal(err)
		}
	}
	if !s.signedIn(token) {
		t.Fatal("not signed in")
	}
	lock(true)
	w := do(s, "GET", "/_matrix/client/v3/account/whoami", token, "")
	want(t, w, 401, mxerr.MUserLocked)
	if field(w, "soft_logout") != "true" {
		t.Errorf("no soft logout: %s", w.Body)
	}
	lock(false)
	if !s.signedIn(token) {
		t.Error("ADM-6: the session has not survived the lock")
	}
	lock(true)
	wantJSON(t, do(s, "POST", "/_matrix/client/v3/logout", token, ""), 200, `{}`)
	lock(false)
	if s.signedIn(token) {
		t.Error("the session has survived logout")
	}
}

// AUTH-3: the token of a deactivated account is not known.
func TestDeactivatedSession(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	s.change(t, "@alice:example.org", func(u *store.User) { u.Deactivated = true })
	want(t, do(s, "GET", "/_matrix/client/v3/account/whoami", token, ""), 401, mxerr.MUnknownToken)
}

// SDEV-1, SDEV-3, SDEV-4 for access tokens: logging in with a device ID takes the device over, ends its earlier token and keeps
// its name, and leaves other devices alone.
func TestLoginWithKnownDevice(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	phone := s.signUp(t, "alice")
	other := s.signUp(t, "bob")
	login := func(device, name string) *httptest.ResponseRecorder {
		return do(s, "POST", loginPath, "", fmt.Sprintf(
			`{"type":"m.login.password","user":"alice","password":"alice","device_id":%q,"initial_device_display_name":%q}`, device, name))
	}
	w := login("LAPTOP", "My laptop")
	laptop := field(w, "access_token")
	if !s.signedIn(phone) || !s.signedIn(laptop) {
		t.Fatal("a login on another device ended a session")
	}
	w = login("LAPTOP", "Another name")
	again := field(w, "access_token")
	if field(w, "device_id") != "LAPTOP" || !s.signedIn(again) {
		t.Fatalf("second login: %s", w.Body)
	}
	if s.signedIn(laptop) {
		t.Error("SDEV-3, SRC-9: the device's earlier token still works")
	}
	if !s.signedIn(phone) || !s.signedIn(other) {
		t.Error("SDEV-3: the token of another device does not work any more")
	}
	w = do(s, "GET", "/_matrix/client/v3/devices/LAPTOP", again, "")
	if field(w, "display_name") != "My laptop" {
		t.Errorf("SDEV-4: the device is now called %q", field(w, "display_name"))
	}
	for token, device := range map[string]string{phone: "PHONE", again: "LAPTOP"} { // SDEV-1
		w := do(s, "GET", "/_matrix/client/v3/account/whoami", token, "")
		if field(w, "device_id") != device {
			t.Errorf("token of %s belongs to %s", device, w.Body)
		}
	}
}

// hostAccounts are the accounts of an embedding application.
type hostAccounts map[events.UserID]string

func (h hostAccounts) CheckPassword(_ context.Context, user events.UserID, password string) error {
	switch want, ok := h[user]; {
	case !ok:
		return uia.ErrUnknownUser
	case password != want:
		return uia.ErrDenied
	case password == "banned":
		return mxerr.UserLocked("ask the administrator")
	}
	return nil
}

// settableAccounts are hostAccounts whose passwords can be changed.
type settableAccounts struct{ hostAccounts }

func (h settableAccounts) SetPassword(_ context.Context, user events.UserID, password string) error {
	h.hostAccounts[user] = password
	return nil
}

// Users of the host's own accounts get an account when they first sign in.
func TestLoginWithHostAccounts(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) {
		c.Provider = hostAccounts{"@carol:example.org": "secret", "@dan:example.org": "banned", "@é:example.org": "secret"}
	})
	for range 2 {
		w := do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"Carol","password":"secret"}`)
		want(t, w, 200, "")
		if field(w, "user_id") != "@carol:example.org" || !s.signedIn(field(w, "access_token")) {
			t.Errorf("body %s", w.Body)
		}
	}
	wantJSON(t, do(s, "GET", "/_matrix/client/v3/profile/@carol:example.org", "", ""), 200, `{"displayname":"carol"}`)
	want(t, do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"carol","password":"x"}`), 403, mxerr.MForbidden)
	want(t, do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"eve","password":"x"}`), 403, mxerr.MForbidden)
	want(t, do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"é","password":"secret"}`), 403, mxerr.MForbidden) // ID-2
	want(t, do(s, "POST", loginPath, "", `{"type":"m.login.password","user":"dan","password":"banned"}`), 401, mxerr.MUserLocked)
}

// WHO-1: user, device and whether it is a guest.
func TestWhoami(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	for _, version := range []string{"v3", "r0"} {
		wantJSON(t, do(s, "GET", "/_matrix/client/"+version+"/account/whoami", token, ""), 200,
			`{"user_id":"@alice:example.org","device_id":"PHONE","is_guest":false}`)
	}
	guest := s.signUp(t, "guest")
	s.change(t, "@guest:example.org", func(u *store.User) { u.Guest = true })
	wantJSON(t, do(s, "GET", "/_matrix/client/v3/account/whoami", guest, ""), 200,
		`{"user_id":"@guest:example.org","device_id":"PHONE","is_guest":true}`)
}

// RATE-4 for the endpoints of this package's login, registration and profile: the classes of the account endpoints.
func TestAccountClasses(t *testing.T) {
	t.Parallel()
	limited := map[string]ratelimit.Class{
		"GET /_matrix/client/v3/login":                         ratelimit.Login,
		"POST /_matrix/client/v3/login":                        ratelimit.Login,
		"POST /_matrix/client/v3/register":                     ratelimit.Register,
		"GET /_matrix/client/v3/register/available":            ratelimit.Register,
		"GET /_matrix/client/v3/account/whoami":                ratelimit.Account,
		"PUT /_matrix/client/v3/profile/{userId}/{keyName}":    ratelimit.Account,
		"DELETE /_matrix/client/v3/profile/{userId}/{keyName}": ratelimit.Account,
	}
	for _, row := range newServer(t, nil).Table() {
		name := row.Method + " " + row.Template
		if class, ok := limited[name]; ok && class != row.Class {
			t.Errorf("%s has class %v, want %v", name, row.Class, class)
		}
		delete(limited, name)
	}
	if len(limited) > 0 {
		t.Errorf("not served: %v", limited)
	}
}
