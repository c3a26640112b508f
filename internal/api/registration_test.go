package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

const validityPath = "/_matrix/client/v1/register/m.login.registration_token/validity"

// registerWithToken registers in one request.
func (s *server) registerWithToken(username, token string) *httptest.ResponseRecorder {
	return do(s, "POST", registerPath, "", fmt.Sprintf(
		`{"username":%q,"password":"x","auth":{"type":"m.login.registration_token","token":%q}}`, username, token))
}

// UIA-24: a token with a use count and an expiry; spent and expired ones fail. REG-16: and are not valid. The host sees the
// tokens but for their secrets, and deletes them.
func TestRegistrationTokens(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.Registration = account.RegistrationByToken })
	create := func(spec account.RegistrationToken) string {
		t.Helper()
		token, err := s.Accounts.CreateRegistrationToken(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	valid := func(token string, want bool) {
		t.Helper()
		wantJSON(t, do(s, "GET", validityPath+"?token="+token, "", ""), 200, fmt.Sprintf(`{"valid":%v}`, want))
	}
	twice := create(account.RegistrationToken{Name: "b", Uses: 2})
	short := create(account.RegistrationToken{Name: "a", Expires: s.now.Add(time.Hour)})
	forever := create(account.RegistrationToken{Name: "c"})
	valid(twice, true)
	valid("unknown", false)
	valid("", false)
	want(t, do(s, "GET", validityPath, "", ""), 400, mxerr.MMissingParam)

	want(t, s.registerWithToken("a1", twice), 200, "")
	want(t, s.registerWithToken("a1", twice), 400, mxerr.MUserInUse) // a refusal is no use
	want(t, s.registerWithToken("a2", twice), 200, "")
	want(t, s.registerWithToken("a3", twice), 401, mxerr.MUnauthorized)
	valid(twice, false)
	want(t, s.registerWithToken("b1", short), 200, "")
	s.now = s.now.Add(time.Hour)
	want(t, s.registerWithToken("b2", short), 401, mxerr.MUnauthorized)
	valid(short, false)
	for i := range 5 {
		want(t, s.registerWithToken(fmt.Sprintf("c%d", i), forever), 200, "")
	}
	want(t, s.registerWithToken("d1", strings.Repeat("x", 65)), 401, mxerr.MUnauthorized)

	tokens, err := s.Accounts.ListRegistrationTokens(t.Context())
	if err != nil || len(tokens) != 3 {
		t.Fatalf("%+v, %v", tokens, err)
	}
	wantTokens := []account.RegistrationToken{
		{ID: tokens[0].ID, Name: "a", Expires: s.now, Used: 1},
		{ID: tokens[1].ID, Name: "b", Uses: 2, Used: 2},
		{ID: tokens[2].ID, Name: "c", Used: 5},
	}
	if diff := cmp.Diff(wantTokens, tokens); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := s.Accounts.DeleteRegistrationToken(t.Context(), tokens[2].ID); err != nil {
		t.Fatal(err)
	}
	want(t, s.registerWithToken("c9", forever), 401, mxerr.MUnauthorized)
	for _, id := range []string{tokens[2].ID, forever, "", "zz"} {
		if err := s.Accounts.DeleteRegistrationToken(t.Context(), id); !errors.Is(err, mxerr.MNotFound) {
			t.Errorf("delete %q: %v", id, err)
		}
	}
	if _, err := s.Accounts.CreateRegistrationToken(t.Context(), account.RegistrationToken{Uses: -1}); !errors.Is(err, mxerr.MInvalidParam) {
		t.Errorf("negative uses: %v", err)
	}
}

// UIA-24: of two who have passed the stage with the last use of a token, one registers.
func TestRegistrationTokenRace(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.Registration = account.RegistrationByToken })
	token, err := s.Accounts.CreateRegistrationToken(t.Context(), account.RegistrationToken{Uses: 1})
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, name := range []string{"alice", "bob"} {
		session := field(do(s, "POST", registerPath, "", `{}`), "session")
		auth := fmt.Sprintf(`"username":%q,"auth":{"type":"m.login.registration_token","session":%q,"token":%q}`, name, session, token)
		want(t, do(s, "POST", registerPath, "", `{`+auth+`}`), 400, mxerr.MMissingParam) // the stage is passed, the password missing
		bodies = append(bodies, `{"password":"x",`+auth+`}`)
	}
	want(t, do(s, "POST", registerPath, "", bodies[0]), 200, "")
	want(t, do(s, "POST", registerPath, "", bodies[1]), 401, mxerr.MUnauthorized)
	want(t, do(s, "GET", "/_matrix/client/v3/profile/@bob:example.org", "", ""), 404, mxerr.MNotFound)
}

// REG-16: where nobody registers there is nothing to ask.
func TestTokenValidityClosed(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.Registration = account.RegistrationClosed })
	want(t, do(s, "GET", validityPath+"?token=x", "", ""), 403, mxerr.MForbidden)
	configured := newServer(t, func(c *account.Config) {
		c.Registration, c.RegistrationTokens = account.RegistrationByToken, []string{"known"}
	})
	wantJSON(t, do(configured, "GET", validityPath+"?token=known", "", ""), 200, `{"valid":true}`)
}

var policies = []uia.Policy{
	{ID: "terms_of_service", Version: "1.2", Texts: map[string]uia.PolicyText{
		"en": {Name: "Terms of Service", URL: "https://example.org/terms"},
		"fr": {Name: "Conditions d'utilisation", URL: "https://example.org/fr/terms"},
	}},
	{ID: "privacy_policy", Version: "3", Texts: map[string]uia.PolicyText{
		"en": {Name: "Privacy Policy", URL: "https://example.org/privacy"},
	}},
}

// UIA-25, CLIENTA-17: the policies in params; agreeing is recorded with the versions.
func TestTerms(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.Policies = policies })
	w := do(s, "POST", registerPath, "", `{}`)
	session := field(w, "session")
	wantJSON(t, w, 401, `{"session":"`+session+`","flows":[{"stages":["m.login.terms"]}],"completed":[],"params":{"m.login.terms":{"policies":{
		"terms_of_service":{"version":"1.2","en":{"name":"Terms of Service","url":"https://example.org/terms"},
			"fr":{"name":"Conditions d'utilisation","url":"https://example.org/fr/terms"}},
		"privacy_policy":{"version":"3","en":{"name":"Privacy Policy","url":"https://example.org/privacy"}}}}}}`)
	want(t, do(s, "POST", registerPath, "", `{"username":"alice","password":"x","auth":{"type":"m.login.terms","session":"`+session+`"}}`), 200, "")
	var got []store.Consent
	err := s.store.View(t.Context(), func(v store.View) (err error) {
		got, err = v.Consents("@alice:example.org")
		return err
	})
	wanted := []store.Consent{
		{User: "@alice:example.org", Policy: "privacy_policy", Version: "3", TS: s.now.UnixMilli()},
		{User: "@alice:example.org", Policy: "terms_of_service", Version: "1.2", TS: s.now.UnixMilli()},
	}
	if diff := cmp.Diff(wanted, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

// UIA-13: a session lives for an hour; then neither the stages that were passed in it nor the last one, nor the result that it
// has led to, are worth anything: there is a fresh challenge, and no account.
func TestAuthenticationExpires(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) {
		c.Policies = policies
		c.Flows = func(string, events.UserID, []uia.Flow) []uia.Flow { return []uia.Flow{{uia.TypeTerms, uia.TypeDummy}} }
	})
	try := func(stage, session string) *httptest.ResponseRecorder {
		return do(s, "POST", registerPath, "", fmt.Sprintf(`{"username":"alice","password":"x","auth":{"type":%q,"session":%q}}`, stage, session))
	}
	session := field(do(s, "POST", registerPath, "", `{"username":"alice"}`), "session")
	s.now = s.now.Add(time.Hour - time.Millisecond)
	w := try(uia.TypeTerms, session)
	want(t, w, 401, "")
	if field(w, "session") != session || field(w, "completed") != `["m.login.terms"]` {
		t.Errorf("within the hour: %s", w.Body)
	}
	s.now = s.now.Add(time.Millisecond)
	w = try(uia.TypeDummy, session)
	want(t, w, 401, "")
	fresh := field(w, "session")
	if fresh == session || fresh == "" || field(w, "completed") != `[]` {
		t.Errorf("after the hour: %s", w.Body)
	}
	want(t, do(s, "GET", "/_matrix/client/v3/profile/@alice:example.org", "", ""), 404, mxerr.MNotFound)

	want(t, try(uia.TypeTerms, fresh), 401, "")
	first := try(uia.TypeDummy, fresh)
	want(t, first, 200, "")
	wantJSON(t, try(uia.TypeDummy, fresh), 200, first.Body.String()) // REG-10
	s.now = s.now.Add(time.Hour)
	want(t, try(uia.TypeDummy, fresh), 400, mxerr.MUserInUse)
}

// captchas is a service like reCAPTCHA, to which the right answer is "seven".
func captchas(t *testing.T) *uia.Captcha {
	t.Helper()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("response") == "broken" {
			w.WriteHeader(500)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"success": r.FormValue("secret") == "s3cret" && r.FormValue("response") == "seven"})
	}))
	t.Cleanup(service.Close)
	return &uia.Captcha{SiteKey: "site key", Secret: "s3cret", VerifyURL: service.URL, Client: service.Client()}
}

// UIA-20, ERR-13, CLIENTA-17: public_key in params; M_CAPTCHA_NEEDED and M_CAPTCHA_INVALID inside the challenge; UIA-10:
// with terms, one after the other.
func TestCaptcha(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) {
		c.Captcha, c.Policies = captchas(t), policies[1:]
	})
	w := do(s, "POST", registerPath, "", `{}`)
	session := field(w, "session")
	if field(w, "flows") != `[{"stages":["m.login.recaptcha","m.login.terms"]}]` || field(w, `params.m\.login\.recaptcha`) != `{"public_key":"site key"}` {
		t.Errorf("body %s", w.Body)
	}
	attempt := func(auth string) *httptest.ResponseRecorder {
		return do(s, "POST", registerPath, "", `{"username":"alice","password":"x","auth":{"session":"`+session+`",`+auth+`}}`)
	}
	want(t, attempt(`"type":"m.login.recaptcha"`), 401, mxerr.MCaptchaNeeded)
	want(t, attempt(`"type":"m.login.recaptcha","response":""`), 401, mxerr.MCaptchaNeeded)
	w = attempt(`"type":"m.login.recaptcha","response":"eight"`)
	want(t, w, 401, mxerr.MCaptchaInvalid)
	wantKeys(t, w, 401, "errcode", "error", "session", "flows", "completed", "params")
	want(t, attempt(`"type":"m.login.terms"`), 401, mxerr.MForbidden)
	want(t, attempt(`"type":"m.login.recaptcha","response":"broken"`), 500, mxerr.MUnknown)
	if w = attempt(`"type":"m.login.recaptcha","response":"seven"`); w.Code != 401 || field(w, "completed") != `["m.login.recaptcha"]` || field(w, "errcode") != "" {
		t.Errorf("status %d, body %s", w.Code, w.Body)
	}
	want(t, attempt(`"type":"m.login.terms"`), 200, "")
}

// The host chooses flows per endpoint and adds stages of its own.
func TestFlowsOfTheHost(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) {
		c.Stages = []uia.Stage{colour{}}
		c.Flows = func(operation string, user events.UserID, usual []uia.Flow) []uia.Flow {
			if operation == uia.OpDeactivate && user == "@alice:example.org" {
				return []uia.Flow{{"org.example.colour", uia.TypePassword}, {uia.TypePassword, "org.example.colour"}}
			}
			return usual
		}
	})
	token := s.signUp(t, "alice")
	w := do(s, "POST", deactivatePath, token, `{}`)
	session := field(w, "session")
	wantJSON(t, w, 401, `{"session":"`+session+`","completed":[],"params":{},"flows":[
		{"stages":["org.example.colour","m.login.password"]},{"stages":["m.login.password","org.example.colour"]}]}`)
	want(t, do(s, "POST", deactivatePath, token, `{"auth":{"type":"org.example.colour","session":"`+session+`","colour":"red"}}`), 401, mxerr.MForbidden)
	w = do(s, "POST", deactivatePath, token, `{"auth":{"type":"org.example.colour","session":"`+session+`","colour":"blue"}}`)
	if field(w, "completed") != `["org.example.colour"]` {
		t.Errorf("body %s", w.Body)
	}
	want(t, do(s, "POST", deactivatePath, token, `{`+withPassword("alice", "alice", session)+`}`), 200, "")
}

// CLIENTA-3, CLIENTA-4: session, params and flows in every challenge; after a failed attempt completed, errcode and error; after a
// passed one no errcode, and the stage just done in completed.
func TestChallengesForClients(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) {
		c.Registration, c.RegistrationTokens, c.Policies = account.RegistrationByToken, []string{"known"}, policies
	})
	w := do(s, "POST", registerPath, "", ``) // CLIENTA-5
	wantKeys(t, w, 401, "session", "params", "flows", "completed")
	session := field(w, "session")
	attempt := func(auth string) *httptest.ResponseRecorder {
		return do(s, "POST", registerPath, "", `{"auth":{"session":"`+session+`",`+auth+`}}`)
	}
	wantKeys(t, attempt(`"type":"m.login.registration_token","token":"x"`), 401, "session", "params", "flows", "completed", "errcode", "error")
	w = attempt(`"type":"m.login.registration_token","token":"known"`)
	wantKeys(t, w, 401, "session", "params", "flows", "completed")
	if field(w, "completed") != `["m.login.registration_token"]` {
		t.Errorf("body %s", w.Body)
	}
	for _, stage := range []string{"m.login.token", "m.login.oauth2", "m.oauth"} { // UIA-30, UIA-26
		if strings.Contains(w.Body.String(), `"`+stage+`"`) {
			t.Errorf("%s is offered: %s", stage, w.Body)
		}
		want(t, attempt(`"type":"`+stage+`"`), 401, mxerr.MForbidden)
	}
}

// REG-13, WHO-1: a guest chooses nothing but the display name of the device.
func TestGuests(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.Guests, c.Registration = true, account.RegistrationClosed })
	var users []string
	for range 2 {
		w := do(s, "POST", registerPath+"?kind=guest", "", `{"username":"me","password":"x","device_id":"MINE","initial_device_display_name":"Kiosk",
			"inhibit_login":true,"refresh_token":true,"auth":{"type":"m.login.password"}}`)
		wantKeys(t, w, 200, "user_id", "access_token", "device_id", "home_server")
		token, device := field(w, "access_token"), field(w, "device_id")
		if device == "MINE" {
			t.Error("the guest has chosen the device ID")
		}
		wantJSON(t, do(s, "GET", "/_matrix/client/v3/account/whoami", token, ""), 200,
			fmt.Sprintf(`{"user_id":%q,"device_id":%q,"is_guest":true}`, field(w, "user_id"), device))
		wantJSON(t, do(s, "GET", "/_matrix/client/v3/devices/"+device, token, ""), 200,
			fmt.Sprintf(`{"device_id":%q,"display_name":"Kiosk","last_seen_ip":"192.0.2.1","last_seen_ts":%d}`, device, s.now.UnixMilli()))
		users = append(users, field(w, "user_id"))
		for _, path := range []string{"/_matrix/client/v1/login/get_token", "/_matrix/client/v3/user/" + field(w, "user_id") + "/openid/request_token"} {
			want(t, do(s, "POST", path, token, `{}`), 403, mxerr.MGuestAccessForbidden) // GUEST-1
		}
	}
	if users[0] == users[1] || events.UserID(users[0]).Server() != "example.org" {
		t.Errorf("guests %v", users)
	}
	// What is ignored is not looked at either, whatever it is.
	odd := `{"type":1,"auth":[],"username":{},"password":false,"device_id":7,"inhibit_login":"no","refresh_token":"no","guest_access_token":[1],`
	w := do(s, "POST", registerPath+"?kind=guest", "", odd+`"initial_device_display_name":"Kiosk"}`)
	wantKeys(t, w, 200, "user_id", "access_token", "device_id", "home_server")
	want(t, do(s, "POST", registerPath+"?kind=guest", "", `{"username":"a\u0000b"}`), 200, "")
	want(t, do(s, "POST", registerPath+"?kind=guest", "", odd+`"initial_device_display_name":1}`), 400, mxerr.MBadJSON)
	want(t, do(s, "POST", registerPath+"?kind=guest", "", `[]`), 400, mxerr.MBadJSON)

	want(t, do(newServer(t, nil), "POST", registerPath+"?kind=guest", "", `{}`), 403, mxerr.MForbidden) // REG-6
	want(t, do(s, "POST", registerPath, "", `{}`), 403, mxerr.MForbidden)                               // REG-6: the other kind is closed
}

// REG-14: a guest becomes a user with the same ID and data; whoever is not that guest is refused.
func TestGuestUpgrade(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.Guests = true })
	guest := do(s, "POST", registerPath+"?kind=guest", "", ``)
	token, user := field(guest, "access_token"), events.UserID(field(guest, "user_id"))
	other := field(do(s, "POST", registerPath+"?kind=guest", "", `{}`), "access_token")
	member := s.signUp(t, "alice")
	profile := "/_matrix/client/v3/profile/" + string(user) + "/displayname"
	want(t, do(s, "PUT", profile, token, `{"displayname":"Visitor"}`), 200, "")

	upgrade := func(username, guestToken string) *httptest.ResponseRecorder {
		return do(s, "POST", registerPath, "", fmt.Sprintf(
			`{"username":%q,"password":"new","guest_access_token":%q,"auth":{"type":"m.login.dummy"}}`, username, guestToken))
	}
	want(t, upgrade(user.Localpart(), other), 403, mxerr.MForbidden)
	want(t, upgrade("someone", token), 403, mxerr.MForbidden)
	want(t, upgrade("alice", member), 403, mxerr.MForbidden)
	want(t, upgrade(user.Localpart(), "nonsense"), 401, mxerr.MUnknownToken)
	want(t, do(s, "POST", registerPath, "", `{"guest_access_token":"`+token+`"}`), 403, mxerr.MForbidden)
	want(t, s.loginWith(user.Localpart(), "new"), 403, mxerr.MForbidden)

	w := upgrade(user.Localpart(), token)
	wantKeys(t, w, 200, "user_id", "access_token", "device_id", "home_server")
	if field(w, "user_id") != string(user) {
		t.Errorf("the guest %s became %s", user, w.Body)
	}
	for _, works := range []string{token, field(w, "access_token")} {
		if is := field(do(s, "GET", "/_matrix/client/v3/account/whoami", works, ""), "is_guest"); is != "false" {
			t.Errorf("is_guest %s after the upgrade", is)
		}
	}
	wantJSON(t, do(s, "GET", profile, "", ""), 200, `{"displayname":"Visitor"}`)
	want(t, s.loginWith(user.Localpart(), "new"), 200, "")
	want(t, upgrade(user.Localpart(), token), 403, mxerr.MForbidden)
}

// REG-22: what clients up to r0.5 send beside is no matter.
func TestRegisterLegacyMembers(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	body := `{"auth":{"type":"m.login.dummy"},"username":"alice","password":"x","bind_email":true,"bind_msisdn":false}`
	want(t, do(s, "POST", "/_matrix/client/r0/register", "", body), 200, "")
}
