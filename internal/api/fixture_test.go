package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/record"
)

// fakeAccounts knows a few tokens, each of which is the caller's name.
type fakeAccounts struct{}

func (fakeAccounts) Authenticate(_ context.Context, p Credentials) (*Caller, error) {
	c := &Caller{User: events.UserID("@" + p.Token + ":example.org"), Device: "DEV"}
	switch p.Token {
	case "alice", "bob":
	case "guest":
		c.Guest = true
	case "service":
		c.Service, c.Device, c.Unlimited = "bridge", p.Device, true
		if p.User != "" {
			c.User = events.UserID(p.User)
		}
	case "soft":
		return nil, mxerr.SoftLogout("the session has expired")
	case "locked":
		if !p.EvenIfLocked {
			return nil, mxerr.UserLocked("the account is locked")
		}
	case "broken":
		return nil, errors.New("secret: no such table")
	default:
		return nil, mxerr.UnknownToken("unknown access token")
	}
	return c, nil
}

// once allows one request of a class for each key.
type once map[string]int

func (o once) Allow(_ ratelimit.Class, key string) time.Duration {
	o[key]++
	if o[key] > 1 {
		return 1200 * time.Millisecond
	}
	return 0
}

func fixedClock() time.Time { return time.Unix(1_700_000_000, 0) }

func newTestAPI(cfg Config, rows ...route) *API {
	cfg.Authenticator = fakeAccounts{}
	cfg.Now = fixedClock
	a := New(cfg)
	if len(rows) > 0 {
		a.build(rows)
	}
	return a
}

// logTo returns a logger that writes everything to w.
func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// do sends a request with the token of a user, "" for none.
func do(h http.Handler, method, target, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	if body != "" {
		r = httptest.NewRequest(method, target, strings.NewReader(body))
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if token != "broken" { // a fault that the test makes is none of the server's answers
		h = recorded(h)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// recorded records what an API answers, unless its endpoints are those of a test and not the specification's.
func recorded(h http.Handler) http.Handler {
	a, ok := h.(interface{ Table() []RouteInfo })
	if ok && slices.ContainsFunc(a.Table(), func(row RouteInfo) bool { return row.Template == "/_matrix/client/versions" }) {
		return record.Handler(h)
	}
	return h
}

// want checks status and errcode ("" for success), and that every answer is a JSON object that says so (ERR-1, API-4, CLIENTA-2).
func want(t *testing.T, w *httptest.ResponseRecorder, status int, code mxerr.Code) {
	t.Helper()
	var body struct {
		Code mxerr.Code `json:"errcode"`
		Text string     `json:"error"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("status %d, body is no object: %q: %v", w.Code, w.Body, err)
	}
	if w.Code != status || body.Code != code || (code != "") != (body.Text != "") {
		t.Errorf("status %d %q, want %d %q; body %s", w.Code, body.Code, status, code, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
}

// echo answers with what was decoded.
func echo[In any](_ context.Context, _ *caller, in In) (In, error) { return in, nil }

// nothing is a handler without effect.
func nothing(context.Context, *caller, empty) (empty, error) { return empty{}, nil }
