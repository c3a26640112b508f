package api

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

func whoami(_ context.Context, c *caller, _ empty) (*caller, error) { return c, nil }

func authAPI(cfg Config) *API {
	type user struct {
		User string `path:"userId"`
	}
	return newTestAPI(cfg,
		get("/open", open, whoami), get("/optional", optional, whoami), get("/recognised", recognised, whoami), get("/user", byUser, whoami),
		get("/guests", byUser, whoami).guests(), get("/service", byService, whoami),
		get("/user/{userId}/x", byUser, func(_ context.Context, c *caller, _ user) (*caller, error) { return c, nil }).own(),
		post("/logout", byUser, whoami).whileLocked(),
	)
}

func TestWhoMayCall(t *testing.T) {
	t.Parallel()
	a := authAPI(Config{})
	tests := []struct {
		name, method, path, token string
		status                    int
		code                      mxerr.Code
	}{
		{"AUTH-5: no token needed", "GET", "/open", "", 200, ""},
		{"AUTH-7: a bad token is ignored there", "GET", "/open", "wrong", 200, ""},
		{"AUTH-7, CLIENTA-8: so is a stale one", "GET", "/open", "soft", 200, ""},
		{"GUEST-1: guests may use it", "GET", "/open", "guest", 200, ""},
		{"AUTH-6: token optional, none sent", "GET", "/optional", "", 200, ""},
		{"AUTH-6: token optional, one sent", "GET", "/optional", "alice", 200, ""},
		{"AUTH-6: but a bad one is refused", "GET", "/optional", "wrong", 401, mxerr.MUnknownToken},
		{"AUTH-5: no token needed to be recognised", "GET", "/recognised", "", 200, ""},
		{"AUTH-7: a bad token is ignored there too", "GET", "/recognised", "wrong", 200, ""},
		{"AUTH-7: and that of a locked account", "GET", "/recognised", "locked", 200, ""},
		{"ERR-18: the authenticator fails to recognise", "GET", "/recognised", "broken", 500, mxerr.MUnknown},
		{"AUTH-3, ERR-4: no token", "GET", "/user", "", 401, mxerr.MMissingToken},
		{"AUTH-3, ERR-4: bad token", "GET", "/user", "wrong", 401, mxerr.MUnknownToken},
		{"AUTH-1: header", "GET", "/user", "alice", 200, ""},
		{"GUEST-1, ERR-7: guest", "GET", "/user", "guest", 403, mxerr.MGuestAccessForbidden},
		{"GUEST-2: guest where guests may", "GET", "/guests", "guest", 200, ""},
		{"user where guests may", "GET", "/guests", "alice", 200, ""},
		{"no token where guests may", "GET", "/guests", "", 401, mxerr.MMissingToken},
		{"ADM-5: locked", "GET", "/user", "locked", 401, mxerr.MUserLocked},
		{"ADM-5: a locked account may log out", "POST", "/logout", "locked", 200, ""},
		{"ASC-3: a service is a user", "GET", "/user", "service", 200, ""},
		{"service only", "GET", "/service", "service", 200, ""},
		{"ASC-14, ERR-6: a user is no service", "GET", "/service", "alice", 403, mxerr.MForbidden},
		{"no token is no service", "GET", "/service", "", 401, mxerr.MMissingToken},
		{"AUTH-8: own path", "GET", "/user/@alice:example.org/x", "alice", 200, ""},
		{"AUTH-8: own path, encoded", "GET", "/user/%40alice%3Aexample.org/x", "alice", 200, ""},
		{"AUTH-8: another's path", "GET", "/user/@bob:example.org/x", "alice", 403, mxerr.MForbidden},
		{"ERR-18: the authenticator fails", "GET", "/user", "broken", 500, mxerr.MUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want(t, do(a, tt.method, "/_matrix/client/v3"+tt.path, tt.token, ""), tt.status, tt.code)
		})
	}
}

// AUTH-4, ERR-4, ERR-5: soft_logout is there when the session is not really gone, and only then.
func TestSoftLogout(t *testing.T) {
	t.Parallel()
	a := authAPI(Config{})
	for token, soft := range map[string]any{"soft": true, "locked": true, "wrong": nil, "": nil} {
		var body map[string]any
		w := do(a, "GET", "/_matrix/client/v3/user", token, "")
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body["soft_logout"] != soft {
			t.Errorf("%q: %s", token, w.Body)
		}
	}
}

// AUTH-1, AUTH-2: the header wins, the query works too.
func TestWhereTheTokenIs(t *testing.T) {
	t.Parallel()
	a := authAPI(Config{})
	tests := []struct {
		name, header, query string
		user                string // "" means 401
	}{
		{"header", "Bearer alice", "", "@alice:example.org"},
		{"scheme in other case", "bearer alice", "", "@alice:example.org"},
		{"query", "", "?access_token=alice", "@alice:example.org"},
		{"query, not first", "", "?x=1&access_token=al%69ce", "@alice:example.org"},
		{"both", "Bearer alice", "?access_token=bob", "@alice:example.org"},
		{"another scheme is not ours", "Basic YTpi", "?access_token=bob", "@bob:example.org"},
		{"no scheme", "alice", "", ""},
		{"no token", "Bearer", "", ""},
		{"empty token", "Bearer ", "", ""},
		{"empty in the query", "", "?access_token=", ""},
		{"name in other case", "", "?Access_Token=alice", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", "/_matrix/client/v3/user"+tt.query, nil)
			if tt.header != "" {
				r.Header.Set("Authorization", tt.header)
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			if tt.user == "" {
				want(t, w, 401, mxerr.MMissingToken)
				return
			}
			var c Caller
			if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || string(c.User) != tt.user {
				t.Errorf("%s %v", w.Body, err)
			}
		})
	}
}

// later is an Authenticator that knows the caller, and from the second time on has another answer.
type later struct {
	err   error
	calls int
}

func (l *later) Authenticate(_ context.Context, p Credentials) (*Caller, error) {
	if l.calls++; l.calls > 1 && l.err != nil {
		return nil, l.err
	}
	return fakeAccounts{}.Authenticate(context.Background(), p)
}

// ADM-5, AUTH-3: what was waited for is not told to those whose account was locked or whose session ended meanwhile; a token
// that was only replaced (REFR-4, SDEV-3) still brings the answer.
func TestWaitingIsForThoseWhoAreStillThere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		then   error
		status int
		code   mxerr.Code
	}{
		"as before":          {nil, 200, ""},
		"ADM-5 locked":       {mxerr.UserLocked("locked"), 401, mxerr.MUserLocked},
		"AUTH-3 signed out":  {mxerr.UnknownToken("signed out"), 401, mxerr.MUnknownToken},
		"ASC-4 deactivated":  {mxerr.Forbidden("not registered"), 403, mxerr.MForbidden},
		"REFR-4 another one": {mxerr.SoftLogout("replaced"), 200, ""},
	} {
		a := newTestAPI(Config{}, get("/long", byUser, nothing).longPoll(), get("/short", byUser, nothing))
		for path, status := range map[string]int{"long": test.status, "short": 200} {
			code := mxerr.Code("")
			if status != 200 {
				code = test.code
			}
			a.Authenticator = &later{err: test.then}
			t.Log(name, path)
			want(t, do(a, "GET", "/_matrix/client/v3/"+path, "alice", ""), status, code)
		}
	}
}

// ASC-4, ASC-5, CLIENTA-14, CLIENTA-15: a service's assertions reach the authenticator, and only it.
func TestAssertedIdentity(t *testing.T) {
	t.Parallel()
	a := authAPI(Config{})
	for query, asserted := range map[string]Credentials{
		"":                              {},
		"?user_id=%40ghost:example.org": {User: "@ghost:example.org"},
		"?user_id=@ghost:example.org&device_id=D":     {User: "@ghost:example.org", Device: "D"},
		"?device_id=D&org.matrix.msc3202.device_id=D": {Device: "D"},
		"?org.matrix.msc3202.device_id=E":             {Device: "E"},
	} {
		asserted.Token, asserted.Address = "service", "192.0.2.1"
		var c Caller
		w := do(a, "GET", "/_matrix/client/v3/user"+query, "service", "")
		if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
			t.Fatal(err, w.Body)
		}
		if diff := cmp.Diff(asserted, c.Presented); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
		want(t, do(a, "GET", "/_matrix/client/v3/open"+query, "service", ""), 200, "")
	}
}

// RATE-1 to RATE-3, RATE-6, CLIENTC-7: each caller has a budget, a refusal says both ways how long to wait.
func TestRateLimits(t *testing.T) {
	t.Parallel()
	rows := func() *API {
		return newTestAPI(Config{Limiter: once{}},
			get("/free", byUser, nothing),
			get("/user", byUser, nothing).limit(ratelimit.Messages),
			get("/open", open, nothing).limit(ratelimit.Login),
		)
	}
	refused := func(w *httptest.ResponseRecorder) {
		t.Helper()
		want(t, w, 429, mxerr.MLimitExceeded)
		if got := w.Header().Get("Retry-After"); got != "2" { // RATE-2
			t.Errorf("Retry-After: %q", got)
		}
		var body struct {
			Millis *int64 `json:"retry_after_ms"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Millis == nil || *body.Millis != 1200 { // RATE-3
			t.Errorf("%s %v", w.Body, err)
		}
	}

	a := rows()
	want(t, do(a, "GET", "/_matrix/client/v3/user", "alice", ""), 200, "")
	refused(do(a, "GET", "/_matrix/client/v3/user", "alice", ""))
	want(t, do(a, "GET", "/_matrix/client/v3/user", "bob", ""), 200, "")
	for range 3 { // not limited, or not charged at all
		want(t, do(a, "GET", "/_matrix/client/v3/free", "alice", ""), 200, "")
		want(t, do(a, "GET", "/_matrix/client/v3/user", "service", ""), 200, "") // RATE-6
		want(t, do(a, "GET", "/_matrix/client/v3/user", "wrong", ""), 401, mxerr.MUnknownToken)
	}

	a = rows() // anonymous: by address, whatever token is sent along
	for range 5 {
		if w := do(a, "OPTIONS", "/_matrix/client/v3/open", "", ""); w.Code != 200 { // CORS-1
			t.Fatal(w.Code)
		}
	}
	want(t, do(a, "GET", "/_matrix/client/v3/open", "", ""), 200, "")
	refused(do(a, "GET", "/_matrix/client/v3/open", "alice", ""))
	other := httptest.NewRequest("GET", "/_matrix/client/v3/open", nil)
	other.RemoteAddr = "[2001:db8::1]:4711"
	w := httptest.NewRecorder()
	a.ServeHTTP(w, other)
	want(t, w, 200, "")
}
