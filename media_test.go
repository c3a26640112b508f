package homeserver_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/media"
)

// upload uploads content and returns its URI.
func upload(t *testing.T, srv *homeserver.Server, token, body string) (uri string) {
	t.Helper()
	w := serve(srv, "POST", "/_matrix/media/v3/upload?filename=note.txt", token, body)
	if uri = gjson.Get(w.Body.String(), "content_uri").Str; w.Code != 200 || uri == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return uri
}

// download returns the status of a download and what came.
func download(srv *homeserver.Server, token, uri string) (int, string) {
	w := serve(srv, "GET", "/_matrix/client/v1/media/download/"+strings.TrimPrefix(uri, "mxc://"), token, "")
	return w.Code, w.Body.String()
}

// What users upload is in the host's media store, and outlives the server.
func TestMediaStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "media")
	srv := newServer(t, homeserver.WithMediaStore(media.Dir(dir)))
	alice := register(t, srv, "", "alice")
	uri := upload(t, srv, alice, "on disk")
	if status, body := download(srv, alice, uri); status != 200 || body != "on disk" {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := download(srv, "", uri); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
		}
		return err
	})
	if err != nil || files != 1 {
		t.Errorf("%d files, %v", files, err)
	}
}

// What a host may do with content in process.
func TestMediaInProcess(t *testing.T) {
	t.Parallel()
	srv := newServer(t, homeserver.WithMediaRules(homeserver.MediaRules{MaxUpload: 10}))
	alice := register(t, srv, "", "alice")
	uri := upload(t, srv, alice, "hers")
	m := srv.Media()
	his, err := m.Upload(t.Context(), homeserver.MediaUpload{Owner: "@host:example.org", Type: "text/plain", Size: -1, Body: strings.NewReader("his")})
	if err != nil {
		t.Fatal(err)
	}
	if status, body := download(srv, alice, his); status != 200 || body != "his" {
		t.Errorf("%d %s", status, body)
	}
	_, err = m.Upload(t.Context(), homeserver.MediaUpload{Owner: "@host:example.org", Size: -1, Body: strings.NewReader("too much of it")})
	if refused, ok := errors.AsType[*homeserver.Error](err); !ok || refused.Code != "M_TOO_LARGE" {
		t.Errorf("the rules do not hold for the host: %v", err)
	}
	file, err := m.Open(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(file.Content); string(body) != "hers" || file.Name != "note.txt" || errors.Join(err, file.Content.Close()) != nil {
		t.Errorf("%q %+v %v", body, file, err)
	}
	about, err := m.About(t.Context(), uri)
	if err != nil || about.Owner != "@alice:example.org" || about.Size != 4 {
		t.Errorf("%+v %v", about, err)
	}
	page, err := m.List(t.Context(), "@alice:example.org", homeserver.Medium{}, 10)
	if err != nil || len(page) != 1 || page[0] != about {
		t.Errorf("%+v %v", page, err)
	}
	if usage, err := m.Usage(t.Context(), "@alice:example.org"); err != nil || usage != (homeserver.MediaUsage{Files: 1, Bytes: 4}) {
		t.Errorf("%+v %v", usage, err)
	}
	for _, hidden := range []bool{true, false} {
		if err := m.Quarantine(t.Context(), uri, hidden); err != nil {
			t.Fatal(err)
		}
		if status, _ := download(srv, alice, uri); status != map[bool]int{true: 404, false: 200}[hidden] {
			t.Errorf("hidden %t: %d", hidden, status)
		}
	}
	if err := m.Delete(t.Context(), uri); err != nil {
		t.Fatal(err)
	}
	if err := m.DeleteOf(t.Context(), "@host:example.org"); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{uri, his, "mxc://other.org/" + strings.TrimPrefix(uri, "mxc://example.org/"), "x", ""} {
		_, missing := m.Open(t.Context(), gone)
		_, unknown := m.About(t.Context(), gone)
		for _, err := range []error{missing, unknown, m.Delete(t.Context(), gone), m.Quarantine(t.Context(), gone, true)} {
			if refused, ok := errors.AsType[*homeserver.Error](err); !ok || refused.Code != "M_NOT_FOUND" {
				t.Errorf("%q: %v", gone, err)
			}
		}
	}
}

// PREV-4, PREV-7: previews are off by default and visit public addresses only; a host may allow and deny others.
func TestURLPreviews(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>Inside</title>")
	}))
	t.Cleanup(site.Close)
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, tt := range map[string]struct {
		options []homeserver.Option
		status  int
	}{
		"off":                {nil, 404},
		"on":                 {[]homeserver.Option{homeserver.WithURLPreviews(homeserver.PreviewAddresses{})}, 502},
		"allowed":            {[]homeserver.Option{homeserver.WithURLPreviews(homeserver.PreviewAddresses{Allow: loopback})}, 200},
		"allowed and denied": {[]homeserver.Option{homeserver.WithURLPreviews(homeserver.PreviewAddresses{Allow: loopback, Deny: loopback})}, 502},
	} {
		srv := newServer(t, tt.options...)
		alice := register(t, srv, "", "alice")
		w := serve(srv, "GET", "/_matrix/client/v1/media/preview_url?url="+url.QueryEscape(site.URL), alice, "")
		if w.Code != tt.status || w.Code == 200 && w.Body.String() != `{"og:title":"Inside"}` {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// Whoever waits for content is released when the server stops.
func TestStopReleasesDownloads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		alice := register(t, srv, "", "alice")
		uri := gjson.Get(serve(srv, "POST", "/_matrix/media/v1/create", alice, "").Body.String(), "content_uri").Str
		status := make(chan int)
		go func() {
			code, _ := download(srv, alice, uri)
			status <- code
		}()
		synctest.Wait()
		began := time.Now()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if code := <-status; code != 504 || time.Since(began) != 0 {
			t.Errorf("%d after %v", code, time.Since(began))
		}
	})
}

// What nobody needs any more is deleted without anybody asking for it.
func TestSweeping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t, homeserver.WithMediaRules(homeserver.MediaRules{Retention: 48 * time.Hour}))
		alice := register(t, srv, "", "alice")
		uri := upload(t, srv, alice, "forgotten")
		for _, step := range []struct {
			after  time.Duration
			status int
		}{{0, 200}, {47 * time.Hour, 200}, {3 * 24 * time.Hour, 404}} {
			time.Sleep(step.after)
			if step.status == 200 {
				if _, err := srv.Media().About(t.Context(), uri); err != nil {
					t.Error(err)
				}
			} else if status, _ := download(srv, alice, uri); status != step.status {
				t.Errorf("after %v: %d", step.after, status)
			}
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
}
