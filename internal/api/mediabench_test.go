package api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// large is the size of a video in bytes.
const large = 100 << 20

// noise is a body of pseudo-random bytes, none like the other.
type noise struct {
	left int
	seed uint64
}

func (n *noise) Read(p []byte) (int, error) {
	if n.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), n.left)]
	for i := 0; i < len(p); i += 8 {
		n.seed = n.seed*6364136223846793005 + 1442695040888963407
		for j := i; j < min(i+8, len(p)); j++ {
			p[j] = byte(n.seed >> (8 * (j - i)))
		}
	}
	n.left -= len(p)
	return len(p), nil
}

// diskRepository is a repository on disk behind a real connection.
func diskRepository(tb testing.TB) (host *httptest.Server) {
	tb.Helper()
	dir := tb.TempDir()
	st, err := sqlite.Open(filepath.Join(dir, "chat.db"))
	if err != nil {
		tb.Fatal(err)
	}
	api := newTestAPI(Config{Content: content.New(content.Config{
		Store: st, Blobs: media.Dir(filepath.Join(dir, "media")), Server: "example.org", Now: time.Now,
		Rules: content.Rules{MaxUpload: large},
	})})
	host = httptest.NewServer(api)
	tb.Cleanup(func() {
		host.Close()
		_ = st.Close()
	})
	return host
}

// plainCopy is what a repository is measured against: a server that copies files and does nothing else. Uploads
// are on disk when it answers, as the repository's are.
func plainCopy(tb testing.TB) *httptest.Server {
	tb.Helper()
	dir, last := tb.TempDir(), ""
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			http.ServeFile(w, r, last)
			return
		}
		f, err := os.CreateTemp(dir, "")
		if err == nil {
			last = f.Name()
			_, err = io.Copy(f, r.Body)
		}
		if err == nil {
			err = f.Sync()
		}
		if err != nil || f.Close() != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	tb.Cleanup(host.Close)
	return host
}

// exchange sends a request as alice and returns what is wanted of the answer.
func exchange(tb testing.TB, host *httptest.Server, method, path string, body io.Reader, want func(io.Reader) error) {
	tb.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, host.URL+path, body)
	if err != nil {
		tb.Fatal(err)
	}
	if body != nil {
		r.ContentLength = large
	}
	r.Header.Set("Authorization", "Bearer alice")
	res, err := host.Client().Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // only read
	if res.StatusCode != 200 {
		tb.Fatal(res.Status)
	}
	if err := want(res.Body); err != nil {
		tb.Fatal(err)
	}
}

func discardBody(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// BenchmarkLargeMedia measures uploads and downloads of 100 MiB beside a plain copy: at least 70 % of its speed.
func BenchmarkLargeMedia(b *testing.B) {
	repository, plain := diskRepository(b), plainCopy(b)
	const uploads = "/_matrix/media/v3/upload"
	seed := uint64(0)
	body := func() io.Reader { seed++; return &noise{large, seed} }
	run := func(name string, do func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(large)
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
	var id string
	run("upload/plain", func() { exchange(b, plain, "POST", "/", body(), discardBody) })
	run("upload/repository", func() {
		exchange(b, repository, "POST", uploads, body(), func(r io.Reader) error {
			answer, err := io.ReadAll(r)
			id = gjson.GetBytes(answer, "content_uri").Str[len("mxc://example.org/"):]
			return err
		})
	})
	run("download/plain", func() { exchange(b, plain, "GET", "/", nil, discardBody) })
	run("download/repository", func() { exchange(b, repository, "GET", downloads+id, nil, discardBody) })
}

// MEDIA-7: an upload and a download of 100 MiB take at most 16 MiB of memory, client included.
func TestLargeMediaStreams(t *testing.T) { //nolint:paralleltest // counts what is allocated
	host := diskRepository(t)
	var id string
	wantMemory(t, "upload", func() {
		exchange(t, host, "POST", "/_matrix/media/v3/upload", &noise{large, 1}, func(r io.Reader) error {
			answer, err := io.ReadAll(r)
			id = gjson.GetBytes(answer, "content_uri").Str[len("mxc://example.org/"):]
			return err
		})
	})
	wantMemory(t, "download", func() { exchange(t, host, "GET", downloads+id, nil, discardBody) })
}

// wantMemory checks what is allocated altogether, which is more than is ever in use.
func wantMemory(t *testing.T, name string, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%s: %d bytes", name, n)
	}
}
