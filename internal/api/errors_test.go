package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// challenge is an error with its own response, like the one of user-interactive authentication.
type challenge struct{}

func (challenge) Error() string { return "authentication needed" }
func (challenge) MatrixResponse() (int, []byte) {
	return 401, []byte(`{"flows":[],"params":{},"session":"s"}`)
}

// failing returns an API whose only endpoint, /x, returns the error.
func failing(cfg Config, err error) *API {
	return newTestAPI(cfg, get("/x", open, func(context.Context, *caller, empty) (empty, error) { return empty{}, err }))
}

func TestErrorsBecomeResponses(t *testing.T) {
	t.Parallel()
	_, idErr := events.ParseUserID("alice")
	tests := []struct {
		name   string
		err    error
		status int
		code   mxerr.Code
	}{
		{"ERR-1: a refusal as it is", mxerr.UserSuspended("no"), 403, mxerr.MUserSuspended},
		{"wrapped", fmt.Errorf("join room: %w", mxerr.NotFound("no")), 404, mxerr.MNotFound},
		{"with a cause of another kind", mxerr.Forbidden("no").Because(idErr), 403, mxerr.MForbidden},
		{"ID-13: malformed ID", idErr, 400, mxerr.MInvalidParam},
		{"API-2: no JSON", events.Valid([]byte("{")), 400, mxerr.MNotJSON},
		{"API-3: unacceptable JSON", &events.JSONError{Kind: events.BadJSON}, 400, mxerr.MBadJSON},
		{"API-3: unacceptable field", &events.FieldError{Field: "content.x", Reason: "must be a string"}, 400, mxerr.MBadJSON},
		{"ERR-6: refused by the authorisation rules", &events.AuthError{Rule: "5.3", Reason: "banned"}, 403, mxerr.MForbidden},
		{"too large", &events.SizeError{Size: 2, Max: 1}, 413, mxerr.MTooLarge},
		{"ERR-18: a fault", errors.New("disk full"), 500, mxerr.MUnknown},
		{"ERR-18: a fault that looks like the client's", fmt.Errorf("query: %w", context.Canceled), 500, mxerr.MUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want(t, do(failing(Config{}, tt.err), "GET", "/_matrix/client/v3/x", "", ""), tt.status, tt.code)
		})
	}
}

// UIA-2, UIA-8: the challenge is rendered by itself and has no errcode.
func TestChallengeIsAnErrorValue(t *testing.T) {
	t.Parallel()
	w := do(failing(Config{}, fmt.Errorf("delete device: %w", challenge{})), "GET", "/_matrix/client/v3/x", "", "")
	if w.Code != 401 || w.Body.String() != `{"flows":[],"params":{},"session":"s"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// ERR-18: the client learns nothing about a fault but an ID, under which the log has the whole story, once, and
// without secrets.
func TestFaultsAreLoggedNotSent(t *testing.T) {
	t.Parallel()
	type in struct {
		Password string `json:"password"`
	}
	for name, h := range map[string]func(context.Context, *caller, in) (empty, error){
		"error": func(context.Context, *caller, in) (empty, error) { return empty{}, errors.New("disk full") },
		"panic": func(context.Context, *caller, in) (empty, error) { panic("disk full") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			a := newTestAPI(Config{Logger: logTo(&log)}, post("/x/{a}", byUser, h))
			w := do(a, "POST", "/_matrix/client/v3/x/y?access_token=alice&q=hidden1", "alice", `{"password":"hidden2"}`)
			want(t, w, 500, mxerr.MUnknown)
			if strings.Contains(w.Body.String(), "disk") {
				t.Errorf("the client is told %s", w.Body)
			}
			line := log.String()
			_, id, _ := strings.Cut(w.Body.String(), "request ")
			id, _, _ = strings.Cut(id, ")")
			if strings.Count(line, "\n") != 1 || len(id) < 8 || !strings.Contains(line, "request_id="+id) {
				t.Errorf("request %q is not logged in one line: %s", id, line)
			}
			for _, part := range []string{"disk full", "route=/_matrix/client/v3/x/{a}", "method=POST"} {
				if !strings.Contains(line, part) {
					t.Errorf("%q is missing: %s", part, line)
				}
			}
			if name == "panic" && !strings.Contains(line, "errors_test.go") {
				t.Errorf("no stack: %s", line)
			}
			for _, secret := range []string{"alice", "hidden1", "hidden2"} {
				if strings.Contains(line, secret) {
					t.Errorf("%q is logged: %s", secret, line)
				}
			}
		})
	}
}

func TestNothingIsWrittenForAClientThatHasGone(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := failing(Config{Logger: logTo(&log)}, fmt.Errorf("wait: %w", context.Canceled))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/_matrix/client/v3/x", nil).WithContext(ctx))
	if w.Body.Len() > 0 || log.Len() > 0 {
		t.Errorf("sent %s, logged %s", w.Body, &log)
	}
}

// A deadline is the host's, so the client is told.
func TestDeadlineOfTheHost(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := failing(Config{Logger: logTo(&log)}, fmt.Errorf("wait: %w", context.DeadlineExceeded))
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/_matrix/client/v3/x", nil).WithContext(ctx))
	if want(t, w, 504, mxerr.MUnknown); log.Len() > 0 {
		t.Errorf("logged %s", &log)
	}
}

func rawRow(h func(context.Context, http.ResponseWriter, *http.Request, *caller, empty) error) route {
	return raw("GET", "/raw", open, h)
}

func TestRawHandlers(t *testing.T) {
	t.Parallel()
	a := newTestAPI(Config{},
		rawRow(func(_ context.Context, w http.ResponseWriter, _ *http.Request, _ *caller, _ empty) error {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusFound)
			_, err := io.WriteString(w, "moved")
			return err
		}),
		raw("POST", "/raw", open, func(_ context.Context, _ http.ResponseWriter, r *http.Request, _ *caller, _ empty) error {
			body, err := io.ReadAll(r.Body)
			return errors.Join(err, mxerr.NotFound("%s", body))
		}),
	)
	w := do(a, "GET", "/_matrix/client/v3/raw", "", "")
	if w.Code != 302 || w.Header().Get("Content-Type") != "text/html" || w.Body.String() != "moved" {
		t.Errorf("%d %s %s", w.Code, w.Header(), w.Body)
	}
	w = do(a, "POST", "/_matrix/client/v3/raw", "", "no JSON")
	want(t, w, 404, mxerr.MNotFound)
	if !strings.Contains(w.Body.String(), "no JSON") {
		t.Error("the body is not the handler's", w.Body)
	}
}

// Half an answer must not pass for the whole: the client sees the connection break.
func TestRawHandlerThatFailsHalfway(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("disk full") },
		"panic": func() error { panic("disk full") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newTestAPI(Config{}, rawRow(func(_ context.Context, w http.ResponseWriter, _ *http.Request, _ *caller, _ empty) error {
				_, _ = io.WriteString(w, "half")
				_ = http.NewResponseController(w).Flush()
				return fail()
			}))
			srv := httptest.NewServer(a)
			defer srv.Close()
			req, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/_matrix/client/v3/raw", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				return // broken even earlier
			}
			defer func() { _ = resp.Body.Close() }()
			if body, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("complete answer %q", body)
			}
		})
	}
}
