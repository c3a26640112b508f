package api

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/uia"
)

// stagePage is the URL of a stage's page.
func stagePage(version, stage, session string) string {
	return "/_matrix/client/" + version + "/auth/" + stage + "/fallback/web?session=" + session
}

// submit posts a form, as a browser does.
func submit(s *server, target string, fields ...string) *httptest.ResponseRecorder {
	values := make(url.Values)
	for i := 0; i < len(fields); i += 2 {
		values.Add(fields[i], fields[i+1])
	}
	r := httptest.NewRequest("POST", target, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// wantPage wants an HTML page that is safe, can be used on a phone and with a screen reader, and has these parts.
func wantPage(t *testing.T, w *httptest.ResponseRecorder, status int, parts ...string) {
	t.Helper()
	body := w.Body.String()
	if w.Code != status {
		t.Errorf("status %d, want %d", w.Code, status)
	}
	h := w.Header()
	if h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" ||
		h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "DENY" {
		t.Errorf("header %v", h)
	}
	policy := h.Get("Content-Security-Policy")
	for _, directive := range []string{"default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, directive) {
			t.Errorf("policy %q lacks %s", policy, directive)
		}
	}
	for _, part := range append(parts, "<!DOCTYPE html>", `<html lang="en">`, `name="viewport" content="width=device-width, initial-scale=1"`, "<h1>", "</html>") {
		if !strings.Contains(body, part) {
			t.Errorf("page lacks %s:\n%s", part, body)
		}
	}
	for _, inline := range []string{"<script>", "<style", " style=", " onclick=", "javascript:"} {
		if strings.Contains(body, inline) {
			t.Errorf("page has %s:\n%s", inline, body)
		}
	}
	if n, m := strings.Count(body, "<label for="), strings.Count(body, "<input id="); n != m {
		t.Errorf("%d inputs and %d labels:\n%s", m, n, body)
	}
}

const doneScript = `<script src="../../../../../static/done.js" defer></script>`

// UIA-28, UIA-12: the page of every stage completes it, under v3 and r0, and the client goes on with its session alone.
func TestFallbackPages(t *testing.T) {
	t.Parallel()
	for stage, test := range map[string]struct {
		parts       []string
		wrong       []string // what is refused
		refusal     string
		right       []string
		passesTwice bool
	}{
		uia.TypeDummy: {parts: []string{`<button type="submit">Continue</button>`}},
		uia.TypePassword: {
			parts:   []string{`name="user" type="text" value="@alice:example.org"`, `name="password" type="password"`, `autocomplete="current-password"`},
			wrong:   []string{"user", "@alice:example.org", "password", "wrong"},
			refusal: `role="alert">invalid username or password`,
			right:   []string{"user", "@alice:example.org", "password", "alice"},
		},
		uia.TypeTerms: {
			parts: []string{`<a href="https://example.org/terms" target="_blank" rel="noopener noreferrer">Terms of Service</a>`,
				`<a href="https://example.org/privacy" target="_blank" rel="noopener noreferrer">Privacy Policy</a>`, `<button type="submit">Accept</button>`},
		},
		uia.TypeRegistrationToken: {
			parts: []string{`name="token" type="text"`}, wrong: []string{"token", "x"}, refusal: "not valid", right: []string{"token", "known"},
		},
		uia.TypeReCaptcha: {
			parts: []string{`<script src="https://www.google.com/recaptcha/api.js" async defer></script>`, `<div class="g-recaptcha" data-sitekey="site key"></div>`},
			wrong: []string{"g-recaptcha-response", "eight"}, refusal: "not solved", right: []string{"g-recaptcha-response", "seven"},
		},
		"org.example.colour": {
			parts: []string{`<label for="colour">&lt;Colour&gt; &amp; shade</label>`}, wrong: []string{"colour", "red"}, refusal: "invalid",
			right: []string{"colour", "blue"},
		},
	} {
		for _, version := range []string{"v3", "r0"} {
			t.Run(stage+" "+version, func(t *testing.T) {
				t.Parallel()
				s := newServer(t, func(c *account.Config) {
					c.RegistrationTokens, c.Policies, c.Captcha = []string{"known"}, policies, captchas(t)
					c.Stages = []uia.Stage{colour{}}
					c.Flows = func(operation string, _ events.UserID, _ []uia.Flow) []uia.Flow {
						if operation == uia.OpRegister {
							return []uia.Flow{{uia.TypeDummy}}
						}
						return []uia.Flow{{stage}}
					}
				})
				token := s.signUp(t, "alice")
				session := field(do(s, "POST", deactivatePath, token, `{}`), "session")
				page := stagePage(version, stage, session)
				parts := append(test.parts, "An app wants to close your account for ever, as @alice:example.org.", `<form method="post">`)
				wantPage(t, do(s, "GET", page, "", ""), 200, parts...)
				if test.wrong != nil {
					wantPage(t, submit(s, page, test.wrong...), 401+2*strings.Count(test.refusal, "invalid"), append(test.parts, test.refusal)...)
				}
				w := do(s, "POST", deactivatePath, token, `{"auth":{"session":"`+session+`"}}`)
				if w.Code != 401 || field(w, "completed") != "[]" {
					t.Fatalf("status %d, body %s", w.Code, w.Body)
				}
				wantPage(t, submit(s, page, test.right...), 200, doneScript)
				wantPage(t, do(s, "GET", page, "", ""), 200, doneScript)
				wantPage(t, submit(s, page, test.wrong...), 200, doneScript) // UIA-11
				want(t, do(s, "POST", deactivatePath, token, `{"auth":{"session":"`+session+`"}}`), 200, "")
			})
		}
	}
}

// UIA-10, UIA-13, UIA-15: what a page refuses, in words that people can read.
func TestFallbackPageRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) {
		c.Flows = func(operation string, _ events.UserID, usual []uia.Flow) []uia.Flow {
			if operation == uia.OpDeactivate {
				return []uia.Flow{{uia.TypePassword, uia.TypeDummy, "org.example.unknown"}}
			}
			return usual
		}
	})
	token := s.signUp(t, "alice")
	s.signUp(t, "bob")
	session := field(do(s, "POST", deactivatePath, token, `{}`), "session")
	for name, test := range map[string]struct {
		method, target string
		fields         []string
		status         int
	}{
		"UIA-13 unknown session":          {"GET", stagePage("v3", uia.TypePassword, "x"), nil, 404},
		"UIA-13 unknown session, posted":  {"POST", stagePage("v3", uia.TypePassword, "x"), nil, 404},
		"a stage of other flows":          {"GET", stagePage("v3", uia.TypeTerms, session), nil, 403},
		"a stage of other flows, posted":  {"POST", stagePage("v3", uia.TypeTerms, session), nil, 403},
		"UIA-10 not its turn":             {"POST", stagePage("v3", uia.TypeDummy, session), nil, 403},
		"UIA-15 another user's password":  {"POST", stagePage("v3", uia.TypePassword, session), []string{"user", "bob", "password", "bob"}, 403},
		"a stage without a page":          {"GET", stagePage("v3", "org.example.unknown", session), nil, 404},
		"a stage without a page, posted":  {"POST", stagePage("v3", "org.example.unknown", session), nil, 404},
		"a stage with markup in its name": {"GET", stagePage("v3", "%3Cscript%3E", session), nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := do(s, "GET", test.target, "", "")
			if test.method == "POST" {
				w = submit(s, test.target, test.fields...)
			}
			wantPage(t, w, test.status, `role="alert"`)
			if strings.Contains(w.Body.String(), "done.js") {
				t.Errorf("the page says that the stage is passed:\n%s", w.Body)
			}
		})
	}
	want(t, do(s, "GET", "/_matrix/client/v3/auth/m.login.password/fallback/web", "", ""), 400, mxerr.MMissingParam)
}

// The static files of the pages, and nothing else.
func TestStatic(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for name, kind := range map[string]string{
		"page.css": "text/css; charset=utf-8", "done.js": "text/javascript; charset=utf-8", "login.js": "text/javascript; charset=utf-8",
	} {
		w := do(s, "GET", "/_matrix/static/"+name, "", "")
		if w.Code != 200 || w.Header().Get("Content-Type") != kind || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Body.Len() < 100 {
			t.Errorf("%s: status %d, %v", name, w.Code, w.Header())
		}
	}
	for _, name := range []string{"page.html", "..%2Fpages.go", "", "x.js"} {
		want(t, do(s, "GET", "/_matrix/static/"+name, "", ""), 404, mxerr.MUnrecognized)
	}
}

// inBrowser runs a script of the pages with Node, after some that sets up what a browser has, and returns what it prints.
func inBrowser(t *testing.T, setup, script string) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: there is no node to run the scripts of the pages with")
	}
	source := do(newServer(t, nil), "GET", "/_matrix/static/"+script, "", "").Body.String()
	file := filepath.Join(t.TempDir(), "page.js")
	code := "const window = globalThis;\n" + setup + "\n(() => {" + source + "})();\n"
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), node, file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// UIA-29: window.onAuthDone if it is defined, else a message to the opener, else nothing.
func TestDoneScript(t *testing.T) {
	t.Parallel()
	for setup, want := range map[string]string{
		`window.onAuthDone = () => console.log("called"); window.opener = { postMessage: () => console.log("posted") };`: "called\n",
		`window.opener = { postMessage: (...args) => console.log(JSON.stringify(args)) };`:                               `["authDone","*"]` + "\n",
		``: "",
	} {
		if got := inBrowser(t, setup, "done.js"); got != want {
			t.Errorf("%s\nprinted %q, want %q", setup, got, want)
		}
	}
}

// LOGIN-19: the page with the whole login; its script is what does it.
func TestLoginPage(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	wantPage(t, do(s, "GET", "/_matrix/static/client/login/?device_id=X", "", ""), 200,
		`<script src="../../../static/login.js" defer></script>`, `name="user"`, `name="password" type="password"`)
}

// browser is as much of one as login.js needs. It prints requests and what the app is told.
const browser = `
globalThis.location = new URL("https://hs.example.org/prefix/_matrix/static/client/login/?%s");
globalThis.history = { replaceState: (_state, _title, url) => console.log("now at", url) };
const lines = [];
globalThis.document = {
	querySelector: (what) => what === "form" ? form : what === "h1" ? { after: (line) => lines.push(line) } : lines[0] || null,
	querySelectorAll: () => links,
	createElement: () => ({ setAttribute() {}, set textContent(text) { console.log("page says", text); } }),
};
const links = [{ href: "", getAttribute: () => "../../../client/v3/login/sso/redirect/idp" }];
let onsubmit;
const form = { elements: { user: { value: "alice" }, password: { value: "secret" } }, addEventListener: (_name, f) => { onsubmit = f; } };
globalThis.fetch = async (url, request) => {
	console.log(request.method, new URL(url, location).pathname, request.body);
	return { ok: %v, json: async () => ({ user_id: "@alice:example.org", error: "no way" }) };
};
process.once("beforeExit", () => onsubmit && onsubmit({ preventDefault() {} }));
process.on("exit", () => console.log(links[0].href));
`

// LOGIN-19, LOGIN-20: login.js signs in with the form, or with the token that single sign-on has come back with; it forwards what
// the app wants to have said about itself, keeps credentials to itself and hands over the response.
func TestLoginScript(t *testing.T) {
	t.Parallel()
	const form = `POST /prefix/_matrix/client/v3/login {%s"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"secret"}` + "\n"
	const link = "../../../client/v3/login/sso/redirect/idp?redirectUrl=https%%3A%%2F%%2Fhs.example.org%%2Fprefix%%2F_matrix%%2Fstatic%%2Fclient%%2Flogin%%2F%s\n"
	const app = `window.matrixLogin = { onLogin: (r) => console.log("matrixLogin", JSON.stringify(r)) };`
	const old = `window.onLogin = (r) => console.log("onLogin", JSON.stringify(r));`
	for name, test := range map[string]struct {
		query, app string
		ok         bool
		want       string
	}{
		"LOGIN-19 password": {"", app, true, fmt.Sprintf(form, "") + `matrixLogin {"user_id":"@alice:example.org","error":"no way"}` + "\n" + fmt.Sprintf(link, "")},
		"LOGIN-19 an app that came first is told first": {"", app + old, true,
			fmt.Sprintf(form, "") + `matrixLogin {"user_id":"@alice:example.org","error":"no way"}` + "\n" + fmt.Sprintf(link, "")},
		"LOGIN-19 older app": {"", old, true, fmt.Sprintf(form, "") + `onLogin {"user_id":"@alice:example.org","error":"no way"}` + "\n" + fmt.Sprintf(link, "")},
		"LOGIN-19 refused":   {"", app, false, fmt.Sprintf(form, "") + "page says no way\n" + fmt.Sprintf(link, "")},
		"LOGIN-20 forwarded": {"device_id=DEV&initial_device_display_name=My+phone&refresh_token=true", app, true,
			fmt.Sprintf(form, `"device_id":"DEV","initial_device_display_name":"My phone","refresh_token":true,`) +
				`matrixLogin {"user_id":"@alice:example.org","error":"no way"}` + "\n" +
				fmt.Sprintf(link, "%3Fdevice_id%3DDEV%26initial_device_display_name%3DMy%2Bphone%26refresh_token%3Dtrue")},
		"LOGIN-20 no credentials": {"password=x&user=mallory&type=m.login.dummy&access_token=y", app, false,
			fmt.Sprintf(form, "") + "page says no way\n" + fmt.Sprintf(link, "%3Fpassword%3Dx%26user%3Dmallory%26type%3Dm.login.dummy%26access_token%3Dy")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := inBrowser(t, fmt.Sprintf(browser, test.query, test.ok)+test.app, "login.js")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	got := inBrowser(t, fmt.Sprintf(browser, "loginToken=t0k&device_id=DEV", true)+app+"delete form.addEventListener; form.addEventListener = () => {};", "login.js")
	wanted := "now at https://hs.example.org/prefix/_matrix/static/client/login/?device_id=DEV\n" +
		`POST /prefix/_matrix/client/v3/login {"device_id":"DEV","type":"m.login.token","token":"t0k"}` + "\n" +
		`matrixLogin {"user_id":"@alice:example.org","error":"no way"}` + "\n" +
		fmt.Sprintf(link, "%3Fdevice_id%3DDEV")
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("SSO-9 (-want +got)\n%s", diff)
	}
}
