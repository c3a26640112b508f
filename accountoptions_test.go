package homeserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/uia"
)

// idp is an identity provider at which everybody is alice.
type idp struct{ uia.ProviderInfo }

func (p idp) About() uia.ProviderInfo { return p.ProviderInfo }

func (idp) Begin(_ context.Context, r uia.SSORequest) (uia.SSOStart, error) {
	return uia.SSOStart{URL: r.Callback + "?state=" + r.State}, nil
}

func (idp) Finish(context.Context, uia.SSOResponse) (uia.External, error) {
	return uia.External{Subject: "1", Username: "alice"}, nil
}

// sent is a sender that keeps what it sends.
type sent struct{ messages []uia.Message }

func (s *sent) Send(_ context.Context, m uia.Message) error {
	s.messages = append(s.messages, m)
	return nil
}

func parsePhone(_, number string) (string, error) { return number, nil }

// New finds what is wrong with the options of accounts.
func TestAccountOptionFaults(t *testing.T) {
	t.Parallel()
	good := idp{uia.ProviderInfo{ID: "idp", Name: "IdP"}}
	url := homeserver.WithPublicURL("https://hs.example.org")
	for fault, options := range map[string][]homeserver.Option{
		"WithSSO, WithEmail, WithTextMessages needs WithPublicURL": {
			homeserver.WithSSO(homeserver.SSO{Providers: []uia.IdentityProvider{good}}), homeserver.WithEmail(&sent{}, homeserver.Optional),
			homeserver.WithTextMessages(&sent{}, parsePhone, homeserver.Unasked),
		},
		"WithSSO: a provider is nil":          {url, homeserver.WithSSO(homeserver.SSO{Providers: []uia.IdentityProvider{nil}})},
		"has no name":                         {url, homeserver.WithSSO(homeserver.SSO{Providers: []uia.IdentityProvider{idp{uia.ProviderInfo{ID: "x"}}}})},
		`two providers have the ID "idp"`:     {url, homeserver.WithSSO(homeserver.SSO{Providers: []uia.IdentityProvider{good, good}})},
		`the trusted app "/x" is no URL`:      {homeserver.WithSSO(homeserver.SSO{Trusted: []string{"/x"}})},
		"WithTerms: policy \"t\" has no text": {homeserver.WithTerms(uia.Policy{ID: "t", Version: "1"})},
		"WithCaptcha: the site key":           {homeserver.WithCaptcha(uia.Captcha{SiteKey: "x"})},
		"WithEmail: the sender is nil":        {url, homeserver.WithEmail(nil, homeserver.Required)},
		"WithTextMessages: the sender or":     {url, homeserver.WithTextMessages(&sent{}, nil, homeserver.Required)},
		`WithIdentityServers: "a b"`:          {homeserver.WithIdentityServers("id.example.com", "a b")},
		"WithTURN: the URIs":                  {homeserver.WithTURN(homeserver.TURN{URIs: []string{"https://example.org"}, Secret: "x"})},
		"WithTURN: the relay needs either":    {homeserver.WithTURN(homeserver.TURN{URIs: []string{"turn:example.org"}})},
		"WithStages: a stage is nil":          {homeserver.WithStages(nil)},
		"WithFlows: the function is nil":      {homeserver.WithFlows(nil)},
	} {
		if _, err := homeserver.New("example.org", options...); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("want a fault with %q, got %v", fault, err)
		}
	}
}

// Each option of accounts reaches what it is for.
func TestAccountOptions(t *testing.T) {
	t.Parallel()
	mail := &sent{}
	srv := newServer(t,
		homeserver.WithPublicURL("https://hs.example.org/chat"),
		homeserver.WithSSO(homeserver.SSO{Providers: []uia.IdentityProvider{idp{uia.ProviderInfo{ID: "idp", Name: "IdP"}}}}),
		homeserver.WithTerms(uia.Policy{ID: "terms", Version: "1", Texts: map[string]uia.PolicyText{"en": {Name: "T", URL: "https://example.org"}}}),
		homeserver.WithCaptcha(uia.Captcha{SiteKey: "site", Secret: "x"}),
		homeserver.WithEmail(mail, homeserver.Required),
		homeserver.WithTextMessages(&sent{}, parsePhone, homeserver.Optional),
		homeserver.WithIdentityServers("id.example.com"),
		homeserver.WithTURN(homeserver.TURN{URIs: []string{"turn:example.org"}, Secret: "x"}),
		homeserver.WithStages(uia.Dummy()),
		homeserver.WithFlows(func(operation string, _ events.UserID, usual []uia.Flow) []uia.Flow {
			if operation == uia.OpDeactivate {
				return []uia.Flow{{uia.TypeDummy}}
			}
			return usual
		}),
		homeserver.WithAccountRules(homeserver.AccountRules{Guests: true, LoginTokens: true, SessionLifetime: time.Hour, ProfileFields: &homeserver.ProfileFields{}}),
	)
	get := func(path, token string) string {
		return serve(srv, "GET", "/_matrix/client/v3"+path, token, "").Body.String()
	}
	const flows = `{"flows":[{"type":"m.login.password"},{"type":"m.login.sso","identity_providers":[{"id":"idp","name":"IdP"}]},{"type":"m.login.token","get_login_token":true}]}`
	if got := get("/login", ""); got != flows {
		t.Errorf("login flows %s", got)
	}
	registration := serve(srv, "POST", registerPath, "", `{}`).Body.Bytes()
	if got := gjson.GetBytes(registration, "flows.#.stages").Raw; got != `[["m.login.recaptcha","m.login.terms","m.login.email.identity","m.login.dummy"],["m.login.recaptcha","m.login.terms","m.login.email.identity","m.login.msisdn"]]` {
		t.Errorf("registration flows %s", got)
	}
	guest := serve(srv, "POST", registerPath+"?kind=guest", "", `{}`).Body.Bytes()
	if gjson.GetBytes(guest, "expires_in_ms").Int() != 3_600_000 {
		t.Errorf("guest %s", guest)
	}
	if user, err := srv.CreateUser(t.Context(), "alice", "secret"); err != nil {
		t.Fatal(user, err)
	}
	alice, err := srv.SignIn(t.Context(), "alice", homeserver.Device{})
	if err != nil {
		t.Fatal(err)
	}
	if got := get("/voip/turnServer", alice.Token); !strings.Contains(got, `"uris":["turn:example.org"]`) {
		t.Errorf("relay %s", got)
	}
	if got := get("/capabilities", alice.Token); !strings.Contains(got, `"m.profile_fields":{"enabled":false}`) || !strings.Contains(got, `"m.get_login_token":{"enabled":true}`) {
		t.Errorf("capabilities %s", got)
	}
	serve(srv, "POST", "/_matrix/client/v3/account/3pid/email/requestToken", "", `{"client_secret":"x","send_attempt":1,"email":"a@example.org"}`)
	if len(mail.messages) != 1 || !strings.HasPrefix(mail.messages[0].Link, "https://hs.example.org/chat/_matrix/") {
		t.Errorf("mail %+v", mail.messages)
	}
	if w := serve(srv, "POST", "/_matrix/client/v3/account/deactivate", alice.Token, `{"auth":{"type":"m.login.dummy"}}`); w.Code != 200 {
		t.Errorf("deactivate: %d %s", w.Code, w.Body)
	}
}

// What a host does with accounts in process.
func TestAccountsInProcess(t *testing.T) {
	t.Parallel()
	srv := newServer(t, homeserver.WithRegistration(homeserver.RegistrationByToken))
	ctx := t.Context()
	token, err := srv.CreateRegistrationToken(ctx, homeserver.RegistrationToken{Name: "friends", Uses: 1})
	if err != nil {
		t.Fatal(err)
	}
	w := serve(srv, "POST", registerPath, "", `{"username":"alice","password":"secret","auth":{"type":"m.login.registration_token","token":"`+token+`"}}`)
	access := gjson.GetBytes(w.Body.Bytes(), "access_token").Str
	tokens, err := srv.RegistrationTokens(ctx)
	if err != nil || w.Code != 200 || len(tokens) != 1 || tokens[0].Used != 1 {
		t.Fatalf("%d %s, tokens %+v, %v", w.Code, w.Body, tokens, err)
	}
	const alice = events.UserID("@alice:example.org")
	status := func(path string) int { return serve(srv, "GET", "/_matrix/client/v3"+path, access, "").Code }
	login := func(body string) int { return serve(srv, "POST", "/_matrix/client/v3/login", "", body).Code }
	if err := errors.Join(srv.DeleteRegistrationToken(ctx, tokens[0].ID), srv.SetLocked(ctx, alice, true)); err != nil || status("/account/whoami") != 401 {
		t.Errorf("locked: %v, status %d", err, status("/account/whoami"))
	}
	if err := errors.Join(srv.SetLocked(ctx, alice, false), srv.SetAdmin(ctx, alice, true)); err != nil || status("/capabilities") != 200 {
		t.Errorf("unlocked: %v", err)
	}
	if got := serve(srv, "GET", "/_matrix/client/v3/capabilities", access, "").Body.String(); !strings.Contains(got, "m.account_moderation") {
		t.Errorf("an administrator may %s", got)
	}
	if err := errors.Join(srv.SetSuspended(ctx, alice, true), srv.AddAddress(ctx, alice, "email", "a@example.org")); err != nil {
		t.Error(err)
	}
	if status := login(`{"type":"m.login.password","medium":"email","address":"a@example.org","password":"secret"}`); status != 200 {
		t.Errorf("login by e-mail: %d", status)
	}
	loginToken, err := srv.CreateLoginToken(ctx, alice, time.Minute)
	if err != nil || login(`{"type":"m.login.token","token":"`+loginToken+`"}`) != 200 {
		t.Errorf("login token: %v", err)
	}
	if _, err := srv.CreateLoginToken(ctx, alice, 0); !errors.Is(err, homeserver.ErrorCode("M_INVALID_PARAM")) {
		t.Errorf("login token that has expired already: %v", err)
	}
	loginToken, err = srv.CreateLoginToken(ctx, "@newcomer:example.org", time.Minute)
	if err != nil || login(`{"type":"m.login.token","token":"`+loginToken+`"}`) != 200 {
		t.Errorf("login token of somebody without an account: %v", err)
	}
	if err := srv.SetPassword(ctx, alice, "new"); err != nil || status("/account/whoami") != 401 || login(`{"type":"m.login.password","user":"alice","password":"new"}`) != 200 {
		t.Errorf("new password: %v", err)
	}
	if err := srv.Deactivate(ctx, alice, true); err != nil || login(`{"type":"m.login.password","user":"alice","password":"new"}`) != 403 {
		t.Errorf("deactivate: %v", err)
	}
	if err := srv.Deactivate(ctx, alice, true); !errors.Is(err, homeserver.ErrorCode("M_NOT_FOUND")) {
		t.Errorf("deactivate again: %v", err)
	}
}

// journal is a log of everything.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

// Passwords and tokens of every kind are neither in the log, at its finest, nor in the files of the database.
func TestSecretsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	st, err := sqlite.Open(filepath.Join(dir, "hs.db"))
	if err != nil {
		t.Fatal(err)
	}
	log, mail, sms := &journal{}, &sent{}, &sent{}
	srv := newServer(t, homeserver.WithStore(st), homeserver.WithAppServices(ircBridge),
		homeserver.WithLogger(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug - 8}))),
		homeserver.WithPublicURL("https://hs.example.org"), homeserver.WithRegistration(homeserver.RegistrationByToken),
		homeserver.WithEmail(mail, homeserver.Unasked), homeserver.WithTextMessages(sms, parsePhone, homeserver.Unasked),
		homeserver.WithSSO(homeserver.SSO{Providers: []uia.IdentityProvider{idp{uia.ProviderInfo{ID: "idp", Name: "IdP"}}}, Trusted: []string{"https://app.example.org"}}),
		homeserver.WithAccountRules(homeserver.AccountRules{LoginTokens: true}), homeserver.WithoutRateLimits())
	secrets := map[string]string{"password": "Pa55wörd-of-alice", "wrong password": "Wr0ng-of-alice", "new password": "N3w-of-alice", "client_secret": "cl13nt-s3cret"}
	call := func(status int, method, path, token, body string) gjson.Result {
		t.Helper()
		w := serve(srv, method, "/_matrix/client"+path, token, body)
		if w.Code != status {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return gjson.ParseBytes(w.Body.Bytes())
	}
	keep := func(name, secret string) string {
		t.Helper()
		if len(secret) < 6 {
			t.Fatalf("%s: there is no secret %q", name, secret)
		}
		secrets[name] = secret
		return secret
	}
	registration, err := srv.CreateRegistrationToken(t.Context(), homeserver.RegistrationToken{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	keep("registration token", registration)
	session := call(200, "POST", "/v3/register", "", fmt.Sprintf(`{"username":"alice","password":%q,"refresh_token":true,"auth":{"type":"m.login.registration_token","token":%q}}`, secrets["password"], registration))
	keep("access token", session.Get("access_token").Str)
	refreshed := call(200, "POST", "/v3/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, keep("refresh token", session.Get("refresh_token").Str)))
	keep("second refresh token", refreshed.Get("refresh_token").Str)
	access := keep("second access token", refreshed.Get("access_token").Str)
	call(200, "GET", "/v3/account/whoami?access_token="+access, "", "")
	call(401, "GET", "/v3/account/whoami", keep("unknown token", "hs_nobody_unkn0wn"), "")
	call(403, "POST", "/v3/login", "", fmt.Sprintf(`{"type":"m.login.password","user":"alice","password":%q}`, secrets["wrong password"]))
	auth := func(password string) string {
		return fmt.Sprintf(`"auth":{"type":"m.login.password","user":"alice","password":%q}`, password)
	}
	call(401, "POST", "/v1/login/get_token", access, `{`+auth(secrets["wrong password"])+`}`)
	keep("login token", call(200, "POST", "/v1/login/get_token", access, `{`+auth(secrets["password"])+`}`).Get("login_token").Str)
	keep("OpenID token", call(200, "POST", "/v3/user/@alice:example.org/openid/request_token", access, `{}`).Get("access_token").Str)
	call(200, "POST", "/v3/account/3pid/email/requestToken", "", fmt.Sprintf(`{"client_secret":%q,"send_attempt":1,"email":"a@example.org"}`, secrets["client_secret"]))
	call(200, "POST", "/v3/account/3pid/msisdn/requestToken", "", fmt.Sprintf(`{"client_secret":%q,"send_attempt":1,"country":"GB","phone_number":"447700900001"}`, secrets["client_secret"]))
	keep("token of a mail", regexp.MustCompile(`token=(.+)$`).FindStringSubmatch(mail.messages[0].Link)[1])
	call(200, "POST", "/v3/account/password", access, fmt.Sprintf(`{"new_password":%q,%s}`, secrets["new password"], auth(secrets["password"])))
	begun := serve(srv, "GET", "/_matrix/client/v3/login/sso/redirect?redirectUrl=https://app.example.org", "", "")
	cookie := begun.Result().Cookies()[0]
	keep("cookie", cookie.Value)
	back := httptest.NewRequest("GET", strings.TrimPrefix(begun.Header().Get("Location"), "https://hs.example.org"), nil)
	back.AddCookie(cookie)
	came := httptest.NewRecorder()
	srv.ServeHTTP(came, back)
	_, ticket, _ := strings.Cut(came.Header().Get("Location"), "loginToken=")
	sso := call(200, "POST", "/v3/login", "", fmt.Sprintf(`{"type":"m.login.token","token":%q,"refresh_token":true}`, keep("login token of single sign-on", ticket)))
	keep("access token of single sign-on", sso.Get("access_token").Str)
	call(200, "POST", "/v3/register", keep("token of a service", ircBridge.Token), `{"type":"m.login.application_service","username":"irc_x","inhibit_login":true}`)
	call(403, "GET", "/v3/account/whoami?user_id=@other:example.org&access_token="+ircBridge.Token, "", "")
	keep("token for a service", ircBridge.ServerToken)

	// Faults are logged with what was to be done.
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	call(500, "POST", "/v3/login", "", fmt.Sprintf(`{"type":"m.login.password","user":"alice","password":%q}`, secrets["new password"]))
	call(500, "POST", "/v3/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, secrets["second refresh token"]))
	call(500, "GET", "/v3/account/whoami", secrets["unknown token"], "")
	call(500, "GET", "/v3/devices?access_token="+access, "", "")
	_ = srv.Close() // which says that the store is closed
	if !strings.Contains(log.buf.String(), "answer request") {
		t.Errorf("the log is %s", log.buf.String())
	}
	look := map[string][]byte{"the log": log.buf.Bytes()}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if look[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Contains(look[filepath.Join(dir, "hs.db")], []byte("@alice:example.org")) {
		t.Fatal("the database cannot be read like this")
	}
	for where, text := range look {
		for name, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s is in %s", name, where)
			}
		}
	}
}
