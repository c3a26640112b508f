package record

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/silent":
	case "/cut":
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte(`{"a":`))
	default:
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write(body)
	}
}

// The format is what the checker of recorded traffic reads.
func TestHandler(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(Variable, dir)
	h := Handler(http.HandlerFunc(answer))
	for _, tt := range []struct{ method, url, body, line string }{
		{"PUT", "/a%2Fb/c?d=%20", `{"é":1}`, `{"method":"PUT","url":"/a%2Fb/c?d=%20","request_body":"{\"é\":1}","status":418,` +
			`"header":{"Content-Type":["application/json"]},"body":"{\"é\":1}"}`},
		{"GET", "/silent", "", `{"method":"GET","url":"/silent","status":200,"header":{"Content-Type":["application/json"]},"body":""}`},
		{"HEAD", "/cut", "", `{"method":"HEAD","url":"/cut","status":200,` +
			`"header":{"Content-Length":["1000"],"Content-Type":["application/json"]},"body":""}`},
		{"GET", "/cut", "", `{"method":"GET","url":"/cut","status":200,` +
			`"header":{"Content-Length":["1000"],"Content-Type":["application/json"]},"body":"{\"a\":","aborted":true}`},
	} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(tt.method, tt.url, strings.NewReader(tt.body)))
		got := lines(t, dir)
		if diff := cmp.Diff(tt.line, got[len(got)-1]); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tt.method, tt.url, diff)
		}
	}
}

// Servers that know nothing of each other do not mix up their lines.
func TestParallel(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(Variable, dir)
	body := `"` + strings.Repeat("x", 10_000) + `"`
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			h := Handler(http.HandlerFunc(answer))
			for range 20 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(body)))
			}
		})
	}
	wg.Wait()
	all := lines(t, dir)
	if len(all) != 8*20 {
		t.Errorf("%d lines", len(all))
	}
	for _, line := range all {
		var x exchange
		if err := json.Unmarshal([]byte(line), &x); err != nil || x.Body != body {
			t.Fatalf("line %.200s: %v", line, err)
		}
	}
}

// Without the variable nothing is in the way of the handler.
func TestOff(t *testing.T) {
	t.Setenv(Variable, "")
	h := http.NewServeMux()
	if Handler(h) != http.Handler(h) {
		t.Error("the handler is wrapped")
	}
}

func lines(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(names) != 1 {
		t.Fatalf("files %q, error %v", names, err)
	}
	content, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}
