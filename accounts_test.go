package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/uia"
)

// A host makes accounts although registration is closed, and their owners sign
// in with the passwords it has set.
func TestCreateUser(t *testing.T) {
	t.Parallel()
	srv := newServer(t, homeserver.WithRegistration(homeserver.RegistrationClosed))
	for _, tt := range []struct {
		username, password string
		user               events.UserID
		code               homeserver.ErrorCode
	}{
		{"alice", "wonderland", "@alice:example.org", ""},
		{"Bob", "", "@bob:example.org", ""}, // ID-4
		{"alice", "again", "", "M_USER_IN_USE"},
		{"a b", "", "", "M_INVALID_USERNAME"},
		{"", "", "", "M_INVALID_USERNAME"},
	} {
		user, err := srv.CreateUser(t.Context(), tt.username, tt.password)
		if tt.code == "" && (err != nil || user != tt.user) || tt.code != "" && !errors.Is(err, tt.code) {
			t.Errorf("%q: user %q, error %v", tt.username, user, err)
		}
	}
	login := func(body string) int { return serve(srv, "POST", "/_matrix/client/v3/login", "", body).Code }
	if status := login(`{"type":"m.login.password","user":"alice","password":"wonderland"}`); status != 200 {
		t.Errorf("login with the password: %d", status)
	}
	if status := login(`{"type":"m.login.password","user":"bob","password":""}`); status != 403 {
		t.Errorf("login without a password: %d", status)
	}
}

// A host signs users in whom it knows, with an account or without.
func TestSignIn(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	whoami := func(token string) gjson.Result {
		return gjson.ParseBytes(serve(srv, "GET", "/_matrix/client/v3/account/whoami", token, "").Body.Bytes())
	}
	alice, err := srv.SignIn(t.Context(), "alice", homeserver.Device{ID: "PHONE", Name: "Phone"})
	if err != nil || alice.User != "@alice:example.org" || alice.Device != "PHONE" {
		t.Fatalf("session %+v, error %v", alice, err)
	}
	if me := whoami(alice.Token); me.Get("user_id").Str != "@alice:example.org" || me.Get("device_id").Str != "PHONE" {
		t.Errorf("whoami %s", me)
	}
	again, err := srv.SignIn(t.Context(), "@Alice:example.org", homeserver.Device{})
	if err != nil || again.User != alice.User || again.Device == alice.Device || again.Token == alice.Token {
		t.Errorf("second session %+v, error %v", again, err)
	}
	for _, name := range []string{"", "a b", "@alice:example.com", "@alice"} {
		if _, err := srv.SignIn(t.Context(), name, homeserver.Device{}); !errors.Is(err, homeserver.ErrorCode("M_INVALID_USERNAME")) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := srv.SignOut(t.Context(), alice.User); err != nil {
		t.Error(err)
	}
	for _, session := range []homeserver.Session{alice, again} {
		if me := whoami(session.Token); me.Get("errcode").Str != "M_UNKNOWN_TOKEN" {
			t.Errorf("whoami after the end %s", me)
		}
	}
}

// The host's own accounts decide about passwords.
func TestAuthProvider(t *testing.T) {
	t.Parallel()
	srv := newServer(t, homeserver.WithAuthProvider(uia.Provider(users{"carol": "secret"})))
	for body, status := range map[string]int{
		`{"type":"m.login.password","user":"carol","password":"secret"}`: 200,
		`{"type":"m.login.password","user":"carol","password":"wrong"}`:  403,
		`{"type":"m.login.password","user":"dave","password":"secret"}`:  403,
	} {
		if w := serve(srv, "POST", "/_matrix/client/v3/login", "", body); w.Code != status {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

// The errors that a host makes reach clients with what belongs to them, such as those
// that only some clients know (CLIENTA-27).
func TestHostErrors(t *testing.T) {
	t.Parallel()
	short := &homeserver.Error{Status: 400, Code: "M_PASSWORD_TOO_SHORT", Message: "ten letters at least"}
	consent := &homeserver.Error{Status: 403, Code: "M_CONSENT_NOT_GIVEN", Message: "read the terms", Extra: map[string]any{"consent_uri": "https://example.org/terms"}}
	srv := newServer(t, homeserver.WithRegistration(homeserver.RegistrationOpen),
		homeserver.WithAccountRules(homeserver.AccountRules{PasswordPolicy: func(password string) error {
			if len(password) < 10 {
				return fmt.Errorf("check length: %w", short)
			}
			return nil
		}}))
	register := serve(srv, "POST", registerPath, "", `{"username":"alice","password":"short","auth":{"type":"m.login.dummy"}}`)
	if got := register.Body.String(); register.Code != 400 || got != `{"errcode":"M_PASSWORD_TOO_SHORT","error":"ten letters at least"}` {
		t.Errorf("register: %d %s", register.Code, got)
	}
	srv = newServer(t, homeserver.WithAuthProvider(refusing{consent}))
	login := serve(srv, "POST", "/_matrix/client/v3/login", "", `{"type":"m.login.password","user":"carol","password":"secret"}`)
	if got := login.Body.String(); login.Code != 403 || got != `{"consent_uri":"https://example.org/terms","errcode":"M_CONSENT_NOT_GIVEN","error":"read the terms"}` {
		t.Errorf("login: %d %s", login.Code, got)
	}
}

// refusing is a provider that lets nobody in.
type refusing struct{ err error }

func (r refusing) CheckPassword(context.Context, events.UserID, string) error { return r.err }

// Whoever wants administrators, such as a rig of tests, makes them in process: there is
// no endpoint for it that a secret opens, and those who ask for one are told (CLIENTA-28).
func TestNoSharedSecretRegistration(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for _, method := range []string{"GET", "POST"} {
		w := serve(srv, method, "/_synapse/admin/v1/register", "", `{}`)
		if code := gjson.GetBytes(w.Body.Bytes(), "errcode").Str; w.Code != 404 || code != "M_UNRECOGNIZED" {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
	alice, err := srv.CreateUser(t.Context(), "alice", "")
	if err != nil {
		t.Fatal(err)
	}
	user, err := srv.CreateUser(t.Context(), "root", "secret")
	if err = errors.Join(err, srv.SetAdmin(t.Context(), user, true)); err != nil {
		t.Fatal(err)
	}
	token := gjson.GetBytes(serve(srv, "POST", "/_matrix/client/v3/login", "", `{"type":"m.login.password","user":"root","password":"secret"}`).Body.Bytes(), "access_token").Str
	if w := serve(srv, "GET", "/_matrix/client/v3/admin/whois/"+string(alice), token, ""); w.Code != 200 {
		t.Errorf("whois: %d %s", w.Code, w.Body)
	}
}
