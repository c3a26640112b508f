package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// idp is an identity provider at which everybody is who the query says.
type idp uia.ProviderInfo

func (p idp) About() uia.ProviderInfo { return uia.ProviderInfo(p) }

func (p idp) Begin(_ context.Context, r uia.SSORequest) (uia.SSOStart, error) {
	query := url.Values{"state": {r.State}, "callback": {r.Callback}}
	if r.Register {
		query.Set("register", "true")
	}
	return uia.SSOStart{URL: "https://" + p.ID + ".example.com/auth?" + query.Encode(), Secret: "secret of " + p.ID}, nil
}

func (p idp) Finish(_ context.Context, r uia.SSOResponse) (uia.External, error) {
	if r.Secret != "secret of "+p.ID || r.Callback != "https://hs.example.org/matrix/_matrix/client/v3/login/sso/callback/"+p.ID {
		return uia.External{}, fmt.Errorf("came back with %+v", r)
	}
	switch who := r.Query.Get("who"); who {
	case "refused":
		return uia.External{}, fmt.Errorf("not today: %w", uia.ErrDenied)
	case "broken":
		return uia.External{}, errors.New("no such table")
	case "nobody":
		return uia.External{}, nil
	case "@alice:example.org", "@Alice:example.org", "@x:example.com":
		return uia.External{User: events.UserID(who)}, nil
	default:
		return uia.External{Subject: "id of " + who, Username: who, DisplayName: r.Query.Get("name")}, nil
	}
}

var (
	acme   = idp{ID: "acme", Name: "Acme & Co."}
	github = idp{ID: "git.hub", Name: "GitHub", Icon: "mxc://example.org/github", Brand: "github"}
)

const ssoPath = "/_matrix/client/v3/login/sso/redirect"

// newSSOServer makes a server with identity providers that trusts https://app.example.org/element.
func newSSOServer(t *testing.T, providers ...uia.IdentityProvider) *server {
	t.Helper()
	return newServer(t, func(c *account.Config) {
		c.PublicURL = "https://hs.example.org/matrix"
		c.SSO = account.SSO{Providers: providers, Trusted: []string{"https://app.example.org/element", "org.example.app:"}}
	})
}

// visit follows a link with the cookies that a browser has.
func visit(s *server, target string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", target, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// begin starts a sign-on and returns where it leads, and the cookie that comes with it.
func begin(t *testing.T, s *server, target string) (to *url.URL, cookie *http.Cookie) {
	t.Helper()
	w := visit(s, target)
	to, err := url.Parse(w.Header().Get("Location"))
	cookies := w.Result().Cookies()
	if w.Code != 302 || err != nil || len(cookies) != 1 {
		t.Fatalf("status %d, Location %s, %v, cookies %v: %s", w.Code, to, err, cookies, w.Body)
	}
	return to, cookies[0]
}

// comeBack returns from the provider to which begin has led, as somebody.
func comeBack(s *server, to *url.URL, cookie *http.Cookie, who string) *httptest.ResponseRecorder {
	callback := strings.TrimPrefix(to.Query().Get("callback"), "https://hs.example.org/matrix")
	return visit(s, callback+"?"+url.Values{"state": {to.Query().Get("state")}, "who": {who}, "name": {"Name of " + who}}.Encode(), cookie)
}

// loginTokenIn takes the login token out of the URL of a redirect.
func loginTokenIn(t *testing.T, w *httptest.ResponseRecorder, status int) (token, rest string) {
	t.Helper()
	location := w.Header().Get("Location")
	found := regexp.MustCompile(`loginToken=([^&#]+)`).FindStringSubmatch(location)
	if w.Code != status || found == nil {
		t.Fatalf("status %d, Location %q: %s", w.Code, location, w.Body)
	}
	return found[1], strings.Replace(location, found[0], "TOKEN", 1)
}

// signOn goes the whole way and returns the user.
func (s *server) signOn(t *testing.T, provider, who string) (user, access string) {
	t.Helper()
	to, cookie := begin(t, s, ssoPath+"/"+provider+"?redirectUrl=https://app.example.org/element")
	token, _ := loginTokenIn(t, comeBack(s, to, cookie, who), 302)
	w := s.loginToken(token)
	want(t, w, 200, "")
	return field(w, "user_id"), field(w, "access_token")
}

// SSO-1, SSO-7, SSO-9, SSO-10, LOGIN-13: to the provider and back, with state in a cookie, to an app with a login token that works
// once and for five seconds.
func TestSSO(t *testing.T) {
	t.Parallel()
	s := newSSOServer(t, acme)
	for _, path := range []string{ssoPath, ssoPath + "/acme", "/_matrix/client/r0/login/sso/redirect"} {
		to, cookie := begin(t, s, path+"?redirectUrl=https%3A%2F%2Fapp.example.org%2Felement%2F%3Fa%3Db%26loginToken%3Dold%26c%3D%25C3%25A9%23%2Froom")
		if to.Host != "acme.example.com" || to.Query().Get("state") == "" {
			t.Errorf("led to %s", to)
		}
		if cookie.Path != "/matrix/_matrix/client/v3/login/sso/callback" || !cookie.Secure || !cookie.HttpOnly ||
			cookie.SameSite != http.SameSiteLaxMode || cookie.MaxAge != 900 || strings.Contains(cookie.Value, "secret") {
			t.Errorf("cookie %s", cookie)
		}
		w := comeBack(s, to, cookie, "alice")
		token, rest := loginTokenIn(t, w, 302)
		if rest != "https://app.example.org/element/?a=b&c=%C3%A9&TOKEN#/room" {
			t.Errorf("SSO-9: redirected to %s", rest)
		}
		if gone := w.Result().Cookies(); len(gone) != 1 || gone[0].Name != cookie.Name || gone[0].MaxAge != -1 {
			t.Errorf("cookies %v", gone)
		}
		if login := s.loginToken(token); field(login, "user_id") != "@alice:example.org" || !s.signedIn(field(login, "access_token")) {
			t.Errorf("login: %s", login.Body)
		}
		want(t, s.loginToken(token), 403, mxerr.MForbidden)
	}
	to, cookie := begin(t, s, ssoPath+"?redirectUrl=org.example.app%3A%2Fcallback")
	token, rest := loginTokenIn(t, comeBack(s, to, cookie, "alice"), 302)
	if rest != "org.example.app:/callback?TOKEN" {
		t.Errorf("SSO-9: app scheme: redirected to %s", rest)
	}
	s.now = s.now.Add(5 * time.Second)
	want(t, s.loginToken(token), 403, mxerr.MForbidden)
}

// SSO-4, SSO-6, LOGIN-2, CLIENTA-12: the flow lists the providers, and m.login.token comes along.
func TestSSOFlows(t *testing.T) {
	t.Parallel()
	wantJSON(t, do(newSSOServer(t, acme, github), "GET", loginPath, "", ""), 200, `{"flows":[{"type":"m.login.password"},
		{"type":"m.login.sso","identity_providers":[{"id":"acme","name":"Acme & Co."},
			{"id":"git.hub","name":"GitHub","icon":"mxc://example.org/github","brand":"github"}]},
		{"type":"m.login.token"}]}`)
}

// SSO-1, SSO-2, SSO-3: with several providers people choose, unless the client has; action is passed on.
func TestSSOChoice(t *testing.T) {
	t.Parallel()
	s := newSSOServer(t, acme, github)
	const query = "redirectUrl=https://app.example.org/element"
	wantPage(t, visit(s, ssoPath+"?"+query+"&action=login"), 200,
		`<a href="redirect/acme?redirectUrl=https://app.example.org/element&amp;action=login">Acme &amp; Co.</a>`,
		`<a href="redirect/git.hub?redirectUrl=https://app.example.org/element&amp;action=login">GitHub</a>`, `href="../../../../static/page.css"`)
	for action, register := range map[string]string{
		"": "", "&action=login": "", "&action=register": "true", "&org.matrix.msc3824.action=register": "true", "&action=other": "",
	} {
		if to, _ := begin(t, s, ssoPath+"/git.hub?"+query+action); to.Host != "git.hub.example.com" || to.Query().Get("register") != register {
			t.Errorf("%s led to %s", action, to)
		}
	}
	want(t, visit(s, ssoPath+"/other?"+query), 404, mxerr.MNotFound)
	person := httptest.NewRequest("GET", ssoPath+"/other?"+query, nil)
	person.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, person)
	wantPage(t, w, 404, "there is no such identity provider")
}

// SSO-1, SSO-9: redirect URLs that are missing, or that no login may end at.
func TestSSORedirectRefused(t *testing.T) {
	t.Parallel()
	one, two := newSSOServer(t, acme), newSSOServer(t, acme, github)
	for redirect, code := range map[string]mxerr.Code{
		"": mxerr.MMissingParam, "/relative": mxerr.MInvalidParam, "https:/nowhere": mxerr.MInvalidParam,
		"javascript:alert(1)": mxerr.MInvalidParam, "DATA:text/html,x": mxerr.MInvalidParam,
		`https://app.example.org\@evil.example`: mxerr.MInvalidParam, "https://" + strings.Repeat("x", 2000): mxerr.MInvalidParam,
	} {
		for _, s := range []*server{one, two} {
			want(t, visit(s, ssoPath+"?redirectUrl="+url.QueryEscape(redirect)), 400, code)
			want(t, visit(s, ssoPath+"/acme?redirectUrl="+url.QueryEscape(redirect)), 400, code)
		}
	}
}

// SSO-6, SSO-12: without single sign-on there is no such endpoint, and never one for CAS.
func TestNoSSO(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, path := range []string{ssoPath, ssoPath + "/acme", "/_matrix/client/r0/login/cas/redirect"} {
		want(t, visit(s, path+"?redirectUrl=https://app.example.org/element"), 404, mxerr.MUnrecognized)
	}
}

// SSO-7: callbacks that match no pending request of this browser.
func TestSSOUnsolicited(t *testing.T) {
	t.Parallel()
	s := newSSOServer(t, acme, github)
	const query = "?redirectUrl=https://app.example.org/element"
	to, cookie := begin(t, s, ssoPath+"/acme"+query)
	other, otherCookie := begin(t, s, ssoPath+"/git.hub"+query)
	swapped := *otherCookie
	swapped.Name = cookie.Name
	for name, w := range map[string]*httptest.ResponseRecorder{
		"no cookie":                   comeBack(s, to, &http.Cookie{Name: "other", Value: "x"}, "alice"),
		"a cookie of another sign-on": comeBack(s, to, otherCookie, "alice"),
		"a cookie under this name":    comeBack(s, to, &swapped, "alice"),
		"a made-up cookie":            comeBack(s, to, &http.Cookie{Name: cookie.Name, Value: "e30"}, "alice"),
		"no state":                    visit(s, "/_matrix/client/v3/login/sso/callback/acme?who=alice", cookie),
		"another provider":            visit(s, "/_matrix/client/v3/login/sso/callback/git.hub?who=alice&state="+to.Query().Get("state"), cookie),
	} {
		t.Run(name, func(t *testing.T) { wantPage(t, w, 403, "not begun in this browser") })
	}
	s.now = s.now.Add(15 * time.Minute)
	wantPage(t, comeBack(s, other, otherCookie, "alice"), 403, "too long ago")
	want(t, do(s, "GET", "/_matrix/client/v3/profile/@alice:example.org", "", ""), 404, mxerr.MNotFound)
}

// What the provider says: a refusal is told to people, its faults and contradictions are logged.
func TestSSORefused(t *testing.T) {
	t.Parallel()
	s := newSSOServer(t, acme)
	attempt := func(who string) *httptest.ResponseRecorder {
		to, cookie := begin(t, s, ssoPath+"?redirectUrl=https://app.example.org/element")
		return comeBack(s, to, cookie, who)
	}
	wantPage(t, attempt("refused"), 403, "Acme &amp; Co. has not confirmed who you are")
	for _, fault := range []string{"broken", "nobody", "@x:example.com"} {
		want(t, attempt(fault), 500, mxerr.MUnknown)
	}
	s.signOn(t, "acme", "alice")
	s.change(t, "@alice:example.org", func(u *store.User) { u.Locked = true })
	wantPage(t, attempt("alice"), 401, "locked")
	s.change(t, "@alice:example.org", func(u *store.User) { u.Deactivated = true })
	wantPage(t, attempt("alice"), 403, "deactivated")
}

// SSO-8, ID-4: identities become valid user IDs that are theirs alone, and stay.
func TestSSOUsers(t *testing.T) {
	t.Parallel()
	s := newSSOServer(t, acme, github)
	s.signUp(t, "alice")
	for range 2 {
		for _, test := range []struct{ provider, who, user string }{
			{"acme", "bob", "@bob:example.org"},
			{"acme", "Alice", "@alice-2:example.org"}, // not the one with the password
			{"git.hub", "alice", "@alice-3:example.org"},
			{"acme", "Jörg Müller", "@j=c3=b6rg=20m=c3=bcller:example.org"},
			{"git.hub", "@alice:example.org", "@alice:example.org"}, // the provider says so itself
		} {
			if user, _ := s.signOn(t, test.provider, test.who); user != test.user {
				t.Errorf("%s of %s is %s, want %s", test.who, test.provider, user, test.user)
			}
		}
	}
	if user, _ := s.signOn(t, "acme", strings.Repeat("x", 300)); !regexp.MustCompile(`^@[a-z]{12}:example\.org$`).MatchString(user) {
		t.Errorf("too long a name became %s", user)
	}
	wantJSON(t, do(s, "GET", "/_matrix/client/v3/profile/@bob:example.org", "", ""), 200, `{"displayname":"Name of bob"}`)
}

// SSO-8, REG-4: where everybody may register beside single sign-on, nobody gets the account of another by being the first to take
// a name, nor by being the second. Only who is named outright, by a provider or by the host, has the account of that
// name whoever made it: that they may do so is for them to know, and CreateUser tells them.
func TestSSOBesideRegistration(t *testing.T) {
	t.Parallel()
	s := newSSOServer(t, acme)
	register := func(username string) *httptest.ResponseRecorder {
		return do(s, "POST", registerPath, "", fmt.Sprintf(`{"auth":{"type":"m.login.dummy"},"username":%q,"password":"mallory"}`, username))
	}
	want(t, register("carol"), 200, "") // by Mallory
	for range 2 {
		if user, _ := s.signOn(t, "acme", "carol"); user != "@carol-2:example.org" {
			t.Errorf("Carol has the account %s", user)
		}
	}
	wantJSON(t, do(s, "GET", "/_matrix/client/v3/profile/@carol:example.org", "", ""), 200, `{"displayname":"carol"}`) // still as Mallory made it
	for _, username := range []string{"carol", "carol-2"} {
		w := s.loginWith(username, "mallory")
		if user := field(w, "user_id"); w.Code == 200 && user != "@carol:example.org" || w.Code != 200 && username == "carol" {
			t.Errorf("Mallory signs in as %s: %s", username, w.Body)
		}
	}

	_, dave := s.signOn(t, "acme", "dave")
	if _, err := s.Accounts.SignIn(t.Context(), "erin", account.Client{}); err != nil {
		t.Fatal(err)
	}
	for _, username := range []string{"dave", "Dave", "erin", "ERIN"} {
		want(t, register(username), 400, mxerr.MUserInUse)
		want(t, s.loginWith(username, "mallory"), 403, mxerr.MForbidden)
		want(t, s.loginWith(username, ""), 403, mxerr.MForbidden)
	}
	if !s.signedIn(dave) {
		t.Error("Dave's session has ended")
	}

	want(t, register("alice"), 200, "") // by Mallory
	if _, err := s.Accounts.CreateUser(t.Context(), "Alice", ""); !errors.Is(err, mxerr.MUserInUse) {
		t.Errorf("the host is told %v", err)
	}
	if user, _ := s.signOn(t, "acme", "@alice:example.org"); user != "@alice:example.org" {
		t.Errorf("the provider named @alice, who is %s", user)
	}
	if session, err := s.Accounts.SignIn(t.Context(), "alice", account.Client{}); err != nil || session.User != "@alice:example.org" {
		t.Errorf("the host named @alice: %+v, %v", session, err)
	}
}

// SSO-11: an app that is not trusted has to be confirmed, and then gets its token; nothing else is confirmed by that.
func TestSSOConfirm(t *testing.T) {
	t.Parallel()
	s := newSSOServer(t, acme)
	for redirect, test := range map[string]struct{ name, source, rest string }{
		"https://evil.example/x?y=z":               {"evil.example", "https://evil.example", "https://evil.example/x?y=z&TOKEN"},
		"https://app.example.org.evil.example/":    {"app.example.org.evil.example", "https://app.example.org.evil.example", "https://app.example.org.evil.example/?TOKEN"},
		"https://app.example.org/other":            {"app.example.org", "https://app.example.org", "https://app.example.org/other?TOKEN"},
		"https://app.example.org/element/%2e%2e/x": {"app.example.org", "https://app.example.org", "https://app.example.org/element/%2e%2e/x?TOKEN"},
		"https://app.example.org/element2":         {"app.example.org", "https://app.example.org", "https://app.example.org/element2?TOKEN"},
		"http://app.example.org/element":           {"app.example.org", "http://app.example.org", "http://app.example.org/element?TOKEN"},
		"https://user@app.example.org/element":     {"app.example.org", "https://app.example.org", "https://user@app.example.org/element?TOKEN"},
		"org.example.app2:/callback":               {"the app org.example.app2", "org.example.app2:", "org.example.app2:/callback?TOKEN"},
		"https://hs.example.org/_matrix/static/":   {"hs.example.org", "https://hs.example.org", "https://hs.example.org/_matrix/static/?TOKEN"},
	} {
		t.Run(redirect, func(t *testing.T) {
			to, cookie := begin(t, s, ssoPath+"?redirectUrl="+url.QueryEscape(redirect))
			w := comeBack(s, to, cookie, "alice")
			wantPage(t, w, 200, "You are about to sign in to "+test.name+" as @alice:example.org.", `<form method="post" action="../confirm">`,
				`href="../../../../../static/page.css"`)
			if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self' "+test.source+";") {
				t.Errorf("policy %q", policy)
			}
			sealed := regexp.MustCompile(`name="sealed" value="([^"]+)"`).FindStringSubmatch(w.Body.String())[1]
			const confirm = "/_matrix/client/v3/login/sso/confirm"
			wantPage(t, submit(s, confirm, "sealed", cookie.Value), 403)
			wantPage(t, submit(s, confirm), 403)
			token, rest := loginTokenIn(t, submit(s, confirm, "sealed", sealed), 303)
			if rest != test.rest {
				t.Errorf("redirected to %s", rest)
			}
			if w := s.loginToken(token); field(w, "user_id") != "@alice:example.org" {
				t.Errorf("login: %s", w.Body)
			}
			s.now = s.now.Add(15 * time.Minute)
			wantPage(t, submit(s, confirm, "sealed", sealed), 403, "begin again")
		})
	}
	to, cookie := begin(t, s, ssoPath+"?redirectUrl=https://hs.example.org/matrix/_matrix/static/client/login/") // its own login page
	loginTokenIn(t, comeBack(s, to, cookie, "alice"), 302)
}

// LOGIN-19: the login page offers the providers.
func TestLoginPageSSO(t *testing.T) {
	t.Parallel()
	s := newSSOServer(t, acme)
	wantPage(t, do(s, "GET", "/_matrix/static/client/login/", "", ""), 200,
		`<a href="../../../client/v3/login/sso/redirect/acme">Sign in with Acme &amp; Co.</a>`)
}

// UIA-27, UIA-28, UIA-29, UIA-15: the m.login.sso stage is passed through its page, which shows what is confirmed, by nobody else than
// the owner, and not before they have said yes.
func TestSSOStage(t *testing.T) {
	t.Parallel()
	s := newSSOServer(t, acme, github)
	_, token := s.signOn(t, "acme", "alice")
	s.signOn(t, "acme", "mallory")
	session := field(do(s, "POST", deactivatePath, token, `{}`), "session")
	wantJSON(t, do(s, "POST", deactivatePath, token, `{"auth":{"session":"`+session+`"}}`), 401,
		`{"session":"`+session+`","flows":[{"stages":["m.login.sso"]}],"completed":[],"params":{}}`)
	want(t, do(s, "POST", deactivatePath, token, `{"auth":{"type":"m.login.sso","session":"`+session+`"}}`), 401, mxerr.MForbidden)

	const purpose = "An app wants to close your account for ever, as @alice:example.org."
	w := visit(s, stagePage("v3", "m.login.sso", session))
	wantPage(t, w, 200, purpose, "Continue with Acme &amp; Co.", "Continue with GitHub")
	link := regexp.MustCompile(`<a href="([^"]+acme[^"]+)"`).FindStringSubmatch(w.Body.String())[1]
	if link != "../../../login/sso/redirect/acme?session="+session {
		t.Errorf("link %s", link)
	}
	target := ssoPath + "/acme?session=" + session
	want(t, visit(s, ssoPath+"/acme?session=unknown"), 404, mxerr.MNotFound)

	for who, says := range map[string]string{"mallory": "you are not @alice:example.org", "stranger": "you have no account here"} {
		to, cookie := begin(t, s, target)
		wantPage(t, comeBack(s, to, cookie, who), 403, says)
	}
	want(t, do(s, "GET", "/_matrix/client/v3/profile/@stranger:example.org", "", ""), 404, mxerr.MNotFound)

	to, cookie := begin(t, s, target)
	w = comeBack(s, to, cookie, "alice")
	wantPage(t, w, 200, purpose, `<form method="post" action="../confirm">`)
	if w := do(s, "POST", deactivatePath, token, `{"auth":{"session":"`+session+`"}}`); w.Code != 401 || field(w, "completed") != "[]" {
		t.Errorf("UIA-27: the stage is passed before anybody has confirmed: %s", w.Body)
	}
	sealed := regexp.MustCompile(`name="sealed" value="([^"]+)"`).FindStringSubmatch(w.Body.String())[1]
	wantPage(t, submit(s, "/_matrix/client/v3/login/sso/confirm", "sealed", sealed), 200, "static/done.js")
	want(t, do(s, "POST", deactivatePath, token, `{"auth":{"session":"`+session+`"}}`), 200, "")
}

// Whoever has a password and an identity may use either; without an access token a link would be too easy to fall for.
func TestSSOStageFlows(t *testing.T) {
	t.Parallel()
	s := newSSOServer(t, acme)
	alice := s.signUp(t, "alice")
	wantFlows := func(token, flows string) {
		t.Helper()
		if w := do(s, "POST", deactivatePath, token, `{}`); field(w, "flows") != flows {
			t.Errorf("flows %s, want %s", field(w, "flows"), flows)
		}
	}
	wantFlows(alice, `[{"stages":["m.login.password"]}]`)
	wantFlows("", `[{"stages":["m.login.password"]}]`)
	if user, _ := s.signOn(t, "acme", "@alice:example.org"); user != "@alice:example.org" { // the provider vouches for the link
		t.Fatal(user)
	}
	wantFlows(alice, `[{"stages":["m.login.password"]}]`)
	s.change(t, "@alice:example.org", func(u *store.User) { u.PasswordHash = "" })
	wantFlows(alice, `[{"stages":["m.login.sso"]}]`)
	_, bob := s.signOn(t, "acme", "bob")
	wantFlows(bob, `[{"stages":["m.login.sso"]}]`)
	if err := s.Accounts.SetPassword(t.Context(), "@bob:example.org", "bob"); err != nil {
		t.Fatal(err)
	}
	wantFlows(s.signIn(t, "bob", "PHONE"), `[{"stages":["m.login.password"]},{"stages":["m.login.sso"]}]`)
}
