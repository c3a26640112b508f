package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

type stateIn struct {
	Room string `path:"roomId"`
	Type string `path:"eventType"`
	Key  string `path:"stateKey"`
}

type stateOut struct{ Room, Type, Key string }

func state(_ context.Context, _ *caller, in stateIn) (stateOut, error) { return stateOut(in), nil }

func stateRow() route {
	return get("/rooms/{roomId}/state/{eventType}/{stateKey}", open, state).
		also("/rooms/{roomId}/state/{eventType}", "/rooms/{roomId}/state/{eventType}/")
}

// API-7, EVT-33, CLIENT-33: cut at the slashes first, decode each segment once, never clean or redirect.
func TestPathsAreCutBeforeTheyAreDecoded(t *testing.T) {
	t.Parallel()
	a := newTestAPI(Config{}, stateRow(), get("/rooms/{roomId}/state", open, nothing))
	tests := []struct {
		name, path string
		want       stateOut // zero: no such endpoint
	}{
		{"plain", "/rooms/!a:b/state/m.x/key", stateOut{"!a:b", "m.x", "key"}},
		{"encoded sigils and colons", "/rooms/%21a%3Ab/state/m.x/%40u%3Ah", stateOut{"!a:b", "m.x", "@u:h"}},
		{"an encoded slash stays in its segment", "/rooms/!a%2Fb/state/m%2Fx/a%2fb", stateOut{"!a/b", "m/x", "a/b"}},
		{"plus is plus", "/rooms/!a+b/state/m.x/a%2Bb+c", stateOut{"!a+b", "m.x", "a+b+c"}},
		{"hash and question mark", "/rooms/%23a:b/state/m.x/%3F", stateOut{"#a:b", "m.x", "?"}},
		{"decoded once", "/rooms/!a/state/m.x/%252F", stateOut{"!a", "m.x", "%2F"}},
		{"dots are not special", "/rooms/../state/m.x/..", stateOut{"..", "m.x", ".."}},
		{"encoded dots are not special", "/rooms/%2E%2E/state/m.x/%2e", stateOut{"..", "m.x", "."}},
		{"non-ASCII", "/rooms/!%C3%A9/state/m.x/%F0%9F%98%80", stateOut{"!é", "m.x", "😀"}},
		{"empty state key without slash", "/rooms/!a:b/state/m.x", stateOut{"!a:b", "m.x", ""}},
		{"empty state key with slash", "/rooms/!a:b/state/m.x/", stateOut{"!a:b", "m.x", ""}},
		{"a variable named like a literal", "/rooms/state/state/state/state", stateOut{"state", "state", "state"}},
		{"a doubled slash is no slash", "/rooms//!a:b/state/m.x/", stateOut{}},
		{"a doubled slash at the end", "/rooms/!a:b/state/m.x//", stateOut{}},
		{"an empty variable", "/rooms//state/m.x/k", stateOut{}},
		{"one segment too many", "/rooms/!a:b/state/m.x/k/l", stateOut{}},
		{"an encoded slash is no slash", "/rooms/!a:b%2Fstate/m.x/k", stateOut{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := do(a, "GET", "/_matrix/client/v3"+tt.path, "", "")
			if tt.want == (stateOut{}) {
				want(t, w, 404, mxerr.MUnrecognized)
				return
			}
			want(t, w, 200, "")
			wantBody := fmt.Sprintf(`{"Room":%q,"Type":%q,"Key":%q}`, tt.want.Room, tt.want.Type, tt.want.Key)
			if diff := cmp.Diff(wantBody, w.Body.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// API-7 behind a prefix: http.StripPrefix keeps the escaped path right.
func TestMountedUnderPrefix(t *testing.T) {
	t.Parallel()
	h := http.StripPrefix("/chat", newTestAPI(Config{}, stateRow()))
	w := do(h, "GET", "/chat/_matrix/client/v3/rooms/!a%2Fb/state/m.x/%2F", "", "")
	want(t, w, 200, "")
	if w.Body.String() != `{"Room":"!a/b","Type":"m.x","Key":"/"}` {
		t.Error(w.Body)
	}
}

// API-10, API-13: each row is served exactly where it says.
func TestVersionsAndPrefixes(t *testing.T) {
	t.Parallel()
	a := newTestAPI(Config{},
		get("/old", open, nothing),
		get("/new", open, nothing).at("v1"),
		get("/threads", open, nothing).at("v1").unstable("/org.matrix.msc3856/threads"),
		get("/_matrix/media/v3/config", open, nothing),
		get("/config", open, nothing).under("/_matrix/media").at("r0", "v1"),
		get("/.well-known/x", open, nothing),
	)
	served := []string{
		"/_matrix/client/v3/old", "/_matrix/client/r0/old", "/_matrix/client/v1/new", "/_matrix/client/v1/threads",
		"/_matrix/client/unstable/org.matrix.msc3856/threads", "/_matrix/media/v3/config", "/_matrix/media/r0/config",
		"/_matrix/media/v1/config", "/.well-known/x",
	}
	var table []string
	for _, row := range a.Table() {
		table = append(table, row.Template)
	}
	if diff := cmp.Diff(served, table); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	for _, path := range served {
		want(t, do(a, "GET", path, "", ""), 200, "")
	}
	for _, path := range []string{
		"/_matrix/client/v1/old", "/_matrix/client/v3/new", "/_matrix/client/r0/new", "/_matrix/client/api/v1/old",
		"/_matrix/client/v2_alpha/old", "/_matrix/media/v2/config", "/_matrix/client/unstable/threads",
	} {
		want(t, do(a, "GET", path, "", ""), 404, mxerr.MUnrecognized)
	}
}

// API-6, ERR-8: 404 for unknown paths and 405 for unknown methods, with or without a token, whatever is wrong with it.
func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	rawRow := raw("GET", "/file", open, func(_ context.Context, w http.ResponseWriter, _ *http.Request, _ *caller, _ empty) error {
		_, err := w.Write([]byte("{}"))
		return err
	})
	a := newTestAPI(Config{}, get("/a", byUser, nothing), put("/a", byUser, nothing), rawRow)
	for _, token := range []string{"", "alice", "wrong"} {
		for _, path := range []string{
			"/", "/_matrix", "/_matrix/", "/_matrix/client/v3/b", "/_matrix/client/v3/a/", "/_matrix/client/v3/A",
			"/_matrix/key/v2/server", "/_matrix/client/v9/a", "/_matrix/client/v3/%61", "//_matrix/client/v3/a",
			"/" + strings.Repeat("/", 4<<20),
		} {
			r := httptest.NewRequest("GET", "/", nil)
			r.URL.Path, r.URL.RawPath = strings.ReplaceAll(path, "%61", "a"), path
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			want(t, w, 404, mxerr.MUnrecognized)
		}
		for _, method := range []string{"POST", "DELETE", "PATCH", "HEAD", "BREW"} {
			w := do(a, method, "/_matrix/client/v3/a", token, "")
			want(t, w, 405, mxerr.MUnrecognized)
			if allow := w.Header().Get("Allow"); allow != "GET, PUT, OPTIONS" {
				t.Errorf("Allow: %s", allow)
			}
		}
	}
	if w := do(a, "HEAD", "/_matrix/client/v3/file", "", ""); w.Code != 200 {
		t.Errorf("HEAD of a file: %d", w.Code)
	}
}

func TestLiteralSegmentsWinOverVariables(t *testing.T) {
	t.Parallel()
	is := func(name string) func(context.Context, *caller, empty) (string, error) {
		return func(context.Context, *caller, empty) (string, error) { return name, nil }
	}
	a := newTestAPI(Config{},
		get("/x/{a}", open, is("variable")), get("/x/literal", open, is("literal")),
		get("/x/{a}/{b}", open, is("two")), get("/x/{a}/b", open, is("b")), get("/x/", open, is("slash")),
		get("/x/literal/{b}", open, is("literal and b")),
	)
	for path, name := range map[string]string{
		"/x/y": "variable", "/x/literal": "literal", "/x/y/z": "two", "/x/y/b": "b", "/x/": "slash",
		"/x/literal/c": "literal and b",
	} {
		if w := do(a, "GET", "/_matrix/client/v3"+path, "", ""); w.Body.String() != `"`+name+`"` {
			t.Errorf("%s: %s, want %s", path, w.Body, name)
		}
	}
}

func TestFaultyRowsPanic(t *testing.T) {
	t.Parallel()
	type noTag struct{ A string }
	type noVariable struct {
		A string `path:"a"`
	}
	type member struct {
		A string `json:"a"`
	}
	type anyMember struct {
		A any `json:"a"`
	}
	type wrongWhole struct {
		A string `body:""`
	}
	tests := map[string]func() []route{
		"no tag":           func() []route { return []route{get("/a", open, echo[noTag])} },
		"no such variable": func() []route { return []route{get("/a", open, echo[noVariable])} },
		"body on GET":      func() []route { return []route{get("/a", open, echo[member])} },
		"ignored body":     func() []route { return []route{post("/a", open, echo[member]).ignoreBody()} },
		"any":              func() []route { return []route{post("/a", open, echo[anyMember])} },
		"whole body":       func() []route { return []route{post("/a", open, echo[wrongWhole])} },
		"own without user": func() []route { return []route{get("/a", byUser, nothing).own()} },
		"twice":            func() []route { return []route{get("/a", open, nothing), get("/a", open, nothing)} },
	}
	for name, rows := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			newTestAPI(Config{}, rows()...)
		})
	}
}

func TestTableTellsWhoMayCall(t *testing.T) {
	t.Parallel()
	a := newTestAPI(Config{},
		get("/a/{userId}", byUser, nothing).own().guests().limit(ratelimit.Account).at("v3"),
		put("/b", byService, nothing).at("v1"),
		put("/c", optional, nothing).at("v1"),
		put("/d", open, nothing).at("v1"),
	)
	wantTable := []RouteInfo{
		{"GET", "/_matrix/client/v3/a/{userId}", "own user or guest", ratelimit.Account},
		{"PUT", "/_matrix/client/v1/b", "service", ratelimit.None},
		{"PUT", "/_matrix/client/v1/c", "anyone or user", ratelimit.None},
		{"PUT", "/_matrix/client/v1/d", "anyone", ratelimit.None},
	}
	if diff := cmp.Diff(wantTable, a.Table()); diff != "" {
		t.Error(diff)
	}
}

// operations returns every operation of the specification, under v3 also with r0.
func operations(tb testing.TB) (rows []route) {
	tb.Helper()
	f, err := os.Open("../../testdata/endpoints.txt")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		method, path, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(method, "#") {
			continue
		}
		if rest, ok := strings.CutPrefix(path, "/_matrix/client/v3"); ok {
			path = rest
		}
		rows = append(rows, typed(method, path, open, nothing))
	}
	if len(rows) < 150 {
		tb.Fatalf("%d operations", len(rows))
	}
	return rows
}

var variable = regexp.MustCompile(`\{(\w+)\}`)

// example fills a template with values that need decoding.
func example(template string) (path string, vars map[string]string) {
	vars = make(map[string]string)
	return variable.ReplaceAllStringFunc(template, func(v string) string {
		name := v[1 : len(v)-1]
		vars[name] = "%21" + name + "%2Fx:example.org"
		return vars[name]
	}), vars
}

// Every path of the specification, and every one that is really served, leads to its own template and nowhere else.
func TestEveryOperationIsFound(t *testing.T) {
	t.Parallel()
	for _, a := range []*API{newTestAPI(Config{}, operations(t)...), newTestAPI(Config{})} {
		for _, row := range a.Table() {
			path, vars := example(row.Template)
			res, got := a.index.find(path)
			if res == nil || res.template != row.Template || res.methods[row.Method] == nil {
				t.Fatalf("%s %s: found %+v", row.Method, path, res)
			}
			if diff := cmp.Diff(vars, got); diff != "" {
				t.Errorf("%s: %s", path, diff)
			}
		}
		for key, b := range a.index.buckets {
			if len(b.resources) > 5 {
				t.Errorf("bucket %+v has %d patterns: each costs half a microsecond", key, len(b.resources))
			}
		}
	}
}

// The dispatcher's budget: at most 12 allocations for any route. The time is the benchmark's matter.
func TestDispatchAllocations(t *testing.T) {
	a := newTestAPI(Config{}, operations(t)...)
	for _, row := range a.Table() { // not parallel: other tests' allocations would count
		path, _ := example(row.Template)
		if n := testing.AllocsPerRun(10, func() { a.index.find(path) }); n > 12 {
			t.Errorf("%s: %v allocations", row.Template, n)
		}
	}
}

func BenchmarkDispatch(b *testing.B) {
	a := newTestAPI(Config{}, operations(b)...)
	var paths []string
	for _, row := range a.Table() {
		path, _ := example(row.Template)
		paths = append(paths, path)
	}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			a.index.find(paths[i%len(paths)])
			i++
		}
	})
	for name, path := range map[string]string{
		"static":   "/_matrix/client/v3/sync",
		"send":     "/_matrix/client/v3/rooms/%21abc%3Aexample.org/send/m.room.message/txn1",
		"state":    "/_matrix/client/v3/rooms/%21abc%3Aexample.org/state/m.room.name/",
		"longest":  "/_matrix/client/v1/rooms/!a:b/relations/$e/m.annotation/m.reaction",
		"pushrule": "/_matrix/client/v3/pushrules/global/override/.m.rule.master/enabled",
		"unknown":  "/_matrix/client/v3/rooms/!a:b/unknown/x/y",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a.index.find(path)
			}
		})
	}
}

// FuzzDispatch: any path gives an answer, and what is found really has the shape of its template.
func FuzzDispatch(f *testing.F) {
	a := newTestAPI(Config{}, operations(f)...)
	for _, seed := range []string{"/", "", "//", "/_matrix/client/v3/rooms/!a/state/", "/_matrix/client/v3/profile/@a:b/x%2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		res, vars := a.index.find(path)
		if res == nil {
			return
		}
		filled := variable.ReplaceAllStringFunc(res.template, func(v string) string { return vars[v[1:len(v)-1]] })
		if filled != path {
			t.Errorf("%q found %q with %v", path, res.template, vars)
		}
	})
}
