package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/mux"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

func newServer(t testing.TB, options ...homeserver.Option) *homeserver.Server {
	t.Helper()
	srv, err := homeserver.New("example.org", append([]homeserver.Option{
		homeserver.WithRegistration(homeserver.RegistrationOpen), homeserver.WithInsecurePasswordHashing(),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

// serve answers one request in process.
func serve(h http.Handler, method, target, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// register makes a user in process and returns the access token.
func register(t *testing.T, h http.Handler, prefix, username string) (token string) {
	t.Helper()
	w := serve(h, "POST", prefix+"/_matrix/client/v3/register", "",
		fmt.Sprintf(`{"auth":{"type":"m.login.dummy"},"username":%q,"password":"secret"}`, username))
	if w.Code != 200 {
		t.Fatalf("register %s: %d %s", username, w.Code, w.Body)
	}
	return gjson.GetBytes(w.Body.Bytes(), "access_token").Str
}

// A host mounts the server where it likes and with what it likes; a slash in an
// ID stays one (CLIENT-33).
func TestMounting(t *testing.T) {
	t.Parallel()
	prefixes := map[string]func(*homeserver.Server) http.Handler{
		"":            func(s *homeserver.Server) http.Handler { return s },
		"/chat":       func(s *homeserver.Server) http.Handler { return s },
		"/a%2Fb/chat": func(s *homeserver.Server) http.Handler { return s },
		"/strip":      func(s *homeserver.Server) http.Handler { return http.StripPrefix("/strip", s) },
		"/std": func(s *homeserver.Server) http.Handler {
			m := http.NewServeMux()
			m.Handle("/std/", s)
			return m
		},
		"/std/method": func(s *homeserver.Server) http.Handler {
			m := http.NewServeMux()
			m.Handle("/std/{which}/_matrix/", s)
			m.Handle("/std/{which}/.well-known/matrix/", s)
			return m
		},
		"/gorilla": func(s *homeserver.Server) http.Handler {
			m := mux.NewRouter()
			m.PathPrefix("/gorilla/").Handler(s)
			return m
		},
		"/gorilla/strict": func(s *homeserver.Server) http.Handler {
			m := mux.NewRouter().UseEncodedPath().SkipClean(true)
			sub := m.PathPrefix("/gorilla").Subrouter()
			sub.PathPrefix("/strict/").Handler(s)
			return m
		},
	}
	for prefix, mount := range prefixes {
		t.Run(prefix, func(t *testing.T) {
			t.Parallel()
			h := mount(newServer(t, homeserver.WithPublicURL("https://example.org"+prefix)))
			token := register(t, h, prefix, "a/b")
			w := serve(h, "GET", prefix+"/_matrix/client/v3/account/whoami", token, "")
			if got := gjson.GetBytes(w.Body.Bytes(), "user_id").Str; got != "@a/b:example.org" {
				t.Errorf("whoami: %d %s", w.Code, w.Body)
			}
			w = serve(h, "GET", prefix+"/_matrix/client/v3/profile/@a%2Fb:example.org/displayname", "", "")
			if got := gjson.GetBytes(w.Body.Bytes(), "displayname").Str; got != "a/b" {
				t.Errorf("an encoded slash is lost: %d %s", w.Code, w.Body)
			}
			w = serve(h, "GET", prefix+"/.well-known/matrix/client", "", "")
			if got := gjson.GetBytes(w.Body.Bytes(), `m\.homeserver.base_url`).Str; got != "https://example.org"+prefix {
				t.Errorf("well-known: %d %s", w.Code, w.Body)
			}
			for _, path := range []string{"/_matrix/client/v3/nothing", "/_matrix/"} {
				w = serve(h, "GET", prefix+path, token, "")
				if w.Code != 404 || gjson.GetBytes(w.Body.Bytes(), "errcode").Str != "M_UNRECOGNIZED" {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
			}
		})
	}
}

// What is no path of the API is 404, without a panic.
func TestForeignPaths(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	for _, path := range []string{"/", "/index.html", "/_matrix", "/x/_matrix", "/%2F_matrix%2Fclient/versions", "*"} {
		if w := serve(srv, "GET", path, "", ""); w.Code != 404 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// Servers share nothing.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	one, two := newServer(t), newServer(t)
	token := register(t, one, "", "alice")
	if w := serve(two, "GET", "/_matrix/client/v3/account/whoami", token, ""); w.Code != 401 {
		t.Errorf("the token of one server works at the other: %d %s", w.Code, w.Body)
	}
	register(t, two, "", "alice")
}

// Everything is answered with 503 after Close, which may be repeated.
func TestClosed(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	token := register(t, srv, "", "alice")
	for range 2 {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		for _, path := range []string{"/chat/_matrix/client/versions", "/_matrix/client/v3/account/whoami", "/x"} {
			w := serve(srv, "GET", path, token, "")
			if w.Code != 503 || gjson.GetBytes(w.Body.Bytes(), "errcode").Str != "M_UNKNOWN" ||
				w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: %d %s %v", path, w.Code, w.Body, w.Header())
			}
		}
		if _, err := srv.CreateUser(t.Context(), "bob", ""); !errors.Is(err, store.ErrClosed) {
			t.Errorf("CreateUser: %v", err)
		}
	}
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// Close leaves no goroutine of the server, and no open store.
func TestNothingIsLeft(t *testing.T) {
	before := goroutines(nil)
	st, err := sqlite.Open(filepath.Join(t.TempDir(), "chat.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range [][]homeserver.Option{nil, {homeserver.WithStore(st)}} {
		srv := newServer(t, options...)
		register(t, srv, "", "alice")
		if len(goroutines(before)) == 0 {
			t.Error("this test sees no goroutines of servers")
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}
	for len(goroutines(before)) > 0 { // database/sql ends its own a moment later
		if t.Context().Err() != nil {
			t.Fatal("goroutines are left")
		}
		runtime.Gosched()
	}
	if err := st.View(t.Context(), func(store.View) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("the store is still open: %v", err)
	}
}

// goroutines are those that run code of servers, by their numbers, without those that
// were there before: what other tests have left may end at any time.
func goroutines(before map[string]bool) map[string]bool {
	stacks, found := make([]byte, 1<<20), make(map[string]bool)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		number, _, _ := strings.Cut(stack, " [")
		if !before[number] && (strings.Contains(stack, "sqlstore.") || strings.Contains(stack, "database/sql.")) {
			found[number] = true
		}
	}
	return found
}

// Shutdown waits for requests in progress; with the end of its context, or with
// Close, they are cut off and told so.
func TestRequestsInProgress(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		stop   func(context.Context, *homeserver.Server) error
		status int
		err    error
	}{
		"Shutdown waits": {func(ctx context.Context, s *homeserver.Server) error { return s.Shutdown(ctx) }, 200, nil},
		"Shutdown's context ends": {func(ctx context.Context, s *homeserver.Server) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return s.Shutdown(ctx)
		}, 503, context.DeadlineExceeded},
		"Close": {func(_ context.Context, s *homeserver.Server) error { return s.Close() }, 503, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := newServer(t)
				body, sender := io.Pipe()
				defer func() { _ = sender.Close() }()
				r := httptest.NewRequestWithContext(t.Context(), "POST", "/_matrix/client/v3/register", body)
				w := httptest.NewRecorder()
				served := make(chan struct{})
				go func() {
					srv.ServeHTTP(w, r)
					close(served)
				}()
				synctest.Wait() // the request waits for its body
				stopped := make(chan error)
				go func() { stopped <- tt.stop(t.Context(), srv) }()
				synctest.Wait()
				if late := serve(srv, "GET", "/_matrix/client/versions", "", ""); late.Code != 503 {
					t.Errorf("a late request: %d %s", late.Code, late.Body)
				}
				finish := func() {
					_, _ = io.WriteString(sender, `{"auth":{"type":"m.login.dummy"},"username":"alice","password":"secret"}`)
					_ = sender.Close()
					<-served
				}
				if tt.status == 200 {
					finish()
				}
				if err := <-stopped; !errors.Is(err, tt.err) {
					t.Errorf("stopping: %v, want %v", err, tt.err)
				}
				if tt.status != 200 {
					finish()
				}
				if w.Code != tt.status {
					t.Errorf("the request in progress: %d %s", w.Code, w.Body)
				}
			})
		})
	}
}

// A long poll is answered with what there is when the server stops, at once.
func TestLongPollsAreReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		token := register(t, srv, "", "alice")
		first := serve(srv, "GET", "/_matrix/client/v3/sync", token, "")
		since := gjson.GetBytes(first.Body.Bytes(), "next_batch").Str
		started := time.Now()
		answers := make(chan *httptest.ResponseRecorder)
		go func() { answers <- serve(srv, "GET", "/_matrix/client/v3/sync?timeout=30000&since="+since, token, "") }()
		synctest.Wait() // the poll waits
		stopped := make(chan error)
		go func() { stopped <- srv.Shutdown(t.Context()) }()
		if w := <-answers; w.Code != 200 || gjson.GetBytes(w.Body.Bytes(), "next_batch").Str != since {
			t.Errorf("the poll: %d %s", w.Code, w.Body)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if waited := time.Since(started); waited > 0 {
			t.Errorf("stopping takes %v", waited)
		}
	})
}

// What a server has answered with success is there for the next one on the same
// file, which must have the same name.
func TestRestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "chat.db")
	open := func() store.Store {
		st, err := sqlite.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	srv := newServer(t, homeserver.WithStore(open()))
	token := register(t, srv, "", "alice")
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	srv = newServer(t, homeserver.WithStore(open()))
	if w := serve(srv, "GET", "/_matrix/client/v3/account/whoami", token, ""); w.Code != 200 {
		t.Errorf("whoami: %d %s", w.Code, w.Body)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	st := open()
	if _, err := homeserver.New("example.com", homeserver.WithStore(st)); err == nil || !strings.Contains(err.Error(), "example.org") {
		t.Errorf("another server's data: %v", err)
	}
	if err := st.View(t.Context(), func(store.View) error { return nil }); err != nil {
		t.Errorf("a failed New has closed the host's store: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// A panic of the host's code becomes 500 and does not reach the host (ERR-18).
func TestPanics(t *testing.T) {
	t.Parallel()
	srv := newServer(t, quiet(), homeserver.WithClientAddress(func(*http.Request) string { panic("lost") }))
	if w := serve(srv, "GET", "/_matrix/client/versions", "", ""); w.Code != 500 || strings.Contains(w.Body.String(), "lost") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// BenchmarkNew holds the start of a server in memory, its first user and its
// end.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		srv, err := homeserver.New("example.org")
		if err != nil {
			b.Fatal(err)
		}
		if err := srv.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// Two hundred servers fit in one process.
func TestManyServers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a minute under the race detector")
	}
	for range 200 {
		srv := newServer(t)
		if w := serve(srv, "GET", "/_matrix/client/versions", "", ""); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}
