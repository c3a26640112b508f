package api

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

type created struct {
	ID string `json:"id"`
}

func (created) statusCode() int { return 201 }

func TestAnswers(t *testing.T) {
	t.Parallel()
	type some struct {
		Name  string   `json:"name"`
		List  []string `json:"list"`
		Other *string  `json:"other,omitempty"`
	}
	tests := []struct {
		name   string
		answer any
		status int
		body   string
	}{
		{"API-5: nothing to report", empty{}, 200, `{}`},
		{"API-5: absent members are left out", some{"a", []string{}, nil}, 200, `{"name":"a","list":[]}`},
		{"CLIENT-30: no escapes for HTML", some{"<a & b>", []string{"\u00e9"}, nil}, 200, `{"name":"<a & b>","list":["é"]}`},
		{"bytes that are JSON already", rawJSON(`{ "a":1.0,"b":"\u003c" }`), 200, `{ "a":1.0,"b":"\u003c" }`},
		{"raw messages", json.RawMessage(`{ "a":1.0 }`), 200, `{ "a":1.0 }`},
		{"another status", created{"x"}, 201, `{"id":"x"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newTestAPI(Config{}, get("/x", open, func(context.Context, *caller, empty) (any, error) { return tt.answer, nil }))
			w := do(a, "GET", "/_matrix/client/v3/x", "", "")
			want(t, w, tt.status, "")
			if w.Body.String() != tt.body || w.Header().Get("Content-Length") != strconv.Itoa(len(tt.body)) {
				t.Errorf("%v %s, want %s", w.Header(), w.Body, tt.body)
			}
		})
	}
}

func TestAnswerThatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	a := newTestAPI(Config{}, get("/x", open, func(context.Context, *caller, empty) (float64, error) { return math.NaN(), nil }))
	want(t, do(a, "GET", "/_matrix/client/v3/x", "", ""), 500, mxerr.MUnknown)
}

// CORS-1: preflights are answered everywhere, without a token, an effect or a charge.
func TestPreflight(t *testing.T) {
	t.Parallel()
	called := false
	a := newTestAPI(Config{Limiter: once{}}, put("/x", byUser, func(context.Context, *caller, empty) (empty, error) {
		called = true
		return empty{}, nil
	}))
	for _, path := range []string{"/_matrix/client/v3/x", "/_matrix/client/v3/unknown", "/_matrix/media/v3/upload", "/.well-known/matrix/client"} {
		w := do(a, "OPTIONS", path, "", "")
		if w.Code != 200 || w.Body.Len() != 0 || called {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		checkCORS(t, w.Header())
	}
}

// CORS-2, CORS-3: the headers are on every response.
func TestEveryResponseHasCORS(t *testing.T) {
	t.Parallel()
	cfg := Config{Discovery: Discovery{BaseURL: "https://example.org"}}
	a := newTestAPI(cfg)
	for _, tt := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/_matrix/client/versions", "", 200},
		{"GET", "/.well-known/matrix/client", "", 200},
		{"GET", "/.well-known/matrix/support", "", 404},
		{"GET", "/_matrix/client/v3/capabilities", "", 401},
		{"GET", "/_matrix/client/v3/capabilities", "guest", 403},
		{"POST", "/_matrix/client/v3/capabilities", "", 405},
		{"GET", "/_matrix/unknown", "", 404},
		{"GET", "/_matrix/client/v3/capabilities", "broken", 500},
	} {
		w := do(a, tt.method, tt.path, tt.token, "")
		if w.Code != tt.status {
			t.Errorf("%s: %d, want %d", tt.path, w.Code, tt.status)
		}
		checkCORS(t, w.Header())
	}
}

func checkCORS(t *testing.T, h http.Header) {
	t.Helper()
	if h.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("origin: %v", h)
	}
	for header, needed := range map[string][]string{
		"Access-Control-Allow-Methods": {"GET", "POST", "PUT", "DELETE", "OPTIONS"},
		"Access-Control-Allow-Headers": {"X-Requested-With", "Content-Type", "Authorization", "Origin", "Accept"},
	} {
		got := strings.Split(h.Get(header), ", ")
		for _, value := range needed {
			if !slices.Contains(got, value) {
				t.Errorf("%s lacks %s: %v", header, value, got)
			}
		}
	}
}
