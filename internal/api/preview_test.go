package api

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/outbound"
	"github.com/ca4c8834/homeserver/internal/preview"
)

// web is a repository with previews, and a web server that they may be of.
type web struct {
	*repository
	*http.ServeMux
	base   string
	visits atomic.Int64
}

func newWeb(t *testing.T) *web {
	t.Helper()
	s := &web{ServeMux: http.NewServeMux()}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.visits.Add(1)
		s.ServeMux.ServeHTTP(w, r)
	}))
	t.Cleanup(host.Close)
	client := outbound.New(netip.Addr.IsLoopback)
	t.Cleanup(client.CloseIdleConnections)
	s.repository = newRepository(t, func(c *content.Config) { c.Previews = preview.New(client) })
	s.base = host.URL
	return s
}

// page serves a page.
func (s *web) page(path, html string) {
	s.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, html)
	})
}

// file serves something else.
func (s *web) file(path, contentType, body string) {
	s.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	})
}

const previews = "/_matrix/client/v1/media/preview_url"

func (s *web) preview(path, query string) *httptest.ResponseRecorder {
	return do(s.repository, "GET", previews+"?url="+url.QueryEscape(s.base+path)+query, "alice", "")
}

// PREV-1, PREV-2, PREV-3: what a page says, with its picture kept here.
func TestPreview(t *testing.T) {
	t.Parallel()
	s := newWeb(t)
	image := string(pngFile(t, 30, 20))
	s.page("/article", `<title>T</title><meta property="og:title" content="The article"><meta property="og:type" content="article">
		<meta name="description" content="What it is about"><meta property="og:image" content="/none.png"><meta property="og:image" content="/a.png">
		<meta property="og:image:width" content="9999">`)
	s.file("/a.png", "text/plain", image) // what it is, not what it is called
	s.page("/plain", `<title>Plain</title>`)
	s.page("/nothing", ``)
	s.page("/svg", `<title>S</title><meta property="og:image" content="/x.svg"><meta property="og:image" content="/broken.png">`)
	s.file("/x.svg", "image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"/>`)
	s.file("/broken.png", "image/png", image[:40])
	s.file("/pdf", "application/pdf", "%PDF")
	for _, path := range []string{previews, "/_matrix/media/v3/preview_url", "/_matrix/media/r0/preview_url"} { // MEDIA-43, CLIENTC-13
		w := do(s.repository, "GET", path+"?url="+url.QueryEscape(s.base+"/article#part"), "alice", "")
		wantKeys(t, w, 200, "og:title", "og:type", "og:description", "og:image", "og:image:type", "og:image:width", "og:image:height", "matrix:image:size")
		id, ok := strings.CutPrefix(gjson.Get(w.Body.String(), "og:image").Str, "mxc://example.org/")
		if !ok {
			t.Fatalf("%s", w.Body)
		}
		wantJSON(t, w, 200, fmt.Sprintf(`{"og:title":"The article","og:type":"article","og:description":"What it is about",
			"og:image":"mxc://example.org/%s","og:image:type":"image/png","og:image:width":30,"og:image:height":20,"matrix:image:size":%d}`, id, len(image)))
		s.wantContent(id, image)
	}
	wantJSON(t, s.preview("/plain", ""), 200, `{"og:title":"Plain"}`)
	wantJSON(t, s.preview("/nothing", ""), 200, `{}`)
	wantJSON(t, s.preview("/pdf", ""), 200, `{}`)
	wantJSON(t, s.preview("/svg", ""), 200, `{"og:title":"S"}`) // left out when there is none
	s.file("/b.png", "image/png", image)
	wantKeys(t, s.preview("/b.png", ""), 200, "og:image", "og:image:type", "og:image:width", "og:image:height", "matrix:image:size")
	s.wantNoGarbage()
}

// PREV-1, PREV-4, PREV-7, GUEST-1: who may ask, for what, and what cannot be had.
func TestPreviewRefusals(t *testing.T) {
	t.Parallel()
	s := newWeb(t)
	s.HandleFunc("/gone", http.NotFound)
	for query, tt := range map[string]struct {
		token  string
		status int
		code   mxerr.Code
	}{
		"":                          {"alice", 400, mxerr.MMissingParam},
		"?url=":                     {"alice", 400, mxerr.MInvalidParam},
		"?url=example.org":          {"alice", 400, mxerr.MInvalidParam},
		"?url=file:///etc/passwd":   {"alice", 400, mxerr.MInvalidParam},
		"?url=ftp://example.org/":   {"alice", 400, mxerr.MInvalidParam},
		"?url=http://u:p@127.0.0.1": {"alice", 400, mxerr.MInvalidParam},
		"?url=http://x/&ts=soon":    {"alice", 400, mxerr.MInvalidParam},
		"?url=" + s.base:            {"", 401, mxerr.MMissingToken},
		"?url=" + s.base + "/":      {"nobody", 401, mxerr.MUnknownToken},
		"?url=" + s.base + "/x":     {"guest", 403, mxerr.MGuestAccessForbidden},
		"?url=" + s.base + "/gone":  {"alice", 502, mxerr.MUnknown},
		"?url=http://127.0.0.1:1/":  {"alice", 502, mxerr.MUnknown},
		"?url=http://name.invalid/": {"alice", 502, mxerr.MUnknown},
	} {
		for _, path := range []string{previews, "/_matrix/media/v3/preview_url"} {
			want(t, do(s.repository, "GET", path+query, tt.token, ""), tt.status, tt.code)
		}
	}
	off := newRepository(t, nil)
	want(t, do(off, "GET", previews+"?url="+s.base, "alice", ""), 404, mxerr.MUnrecognized)
}

// PREV-4: private addresses are refused and cannot be told from those where nobody answers, whether a page leads there
// or its picture.
func TestPreviewOfPrivateAddress(t *testing.T) {
	t.Parallel()
	s := newWeb(t)
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a private address was visited") }))
	t.Cleanup(inside.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "http://"), ":")
	permitted := netip.MustParseAddr("127.0.0.1")
	client := outbound.New(func(ip netip.Addr) bool { return ip == permitted })
	t.Cleanup(client.CloseIdleConnections)
	s.API.Content.Previews = preview.New(client)

	private := "http://127.0.0.2:" + port + "/"
	s.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, private, http.StatusFound) })
	s.page("/picture", `<title>P</title><meta property="og:image" content="`+private+`">`)
	refused := do(s.repository, "GET", previews+"?url="+private, "alice", "")
	want(t, refused, 502, mxerr.MUnknown)
	for _, path := range []string{"http://127.0.0.1:1/", "http://[::1]:" + port + "/", "http://[::ffff:127.0.0.2]:" + port + "/", s.base + "/redirect"} {
		w := do(s.repository, "GET", previews+"?url="+url.QueryEscape(path), "alice", "")
		if w.Code != refused.Code || w.Body.String() != refused.Body.String() {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	wantJSON(t, s.preview("/picture", ""), 200, `{"og:title":"P"}`)
}

// PREV-6: a page is asked once in an hour, by however many; ts picks the version that was there then.
func TestPreviewsAreRemembered(t *testing.T) {
	t.Parallel()
	s := newWeb(t)
	var title atomic.Value
	title.Store("one")
	s.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<title>%s</title>", title.Load())
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { wantJSON(t, s.preview("/", ""), 200, `{"og:title":"one"}`) })
	}
	wg.Wait()
	if n := s.visits.Load(); n != 1 {
		t.Errorf("%d visits", n)
	}
	title.Store("two")
	first := s.now
	s.now = first.Add(time.Hour)
	wantJSON(t, s.preview("/", ""), 200, `{"og:title":"one"}`)
	s.now = first.Add(time.Hour + time.Second)
	wantJSON(t, s.preview("/", ""), 200, `{"og:title":"two"}`)
	title.Store("three")
	second := s.now
	s.now = first.Add(100 * time.Hour)
	for at, want := range map[time.Time]string{
		first: "one", first.Add(time.Hour): "one", second: "two", second.Add(time.Minute): "two",
		first.Add(-time.Hour): "one", // a newer one than asked for
	} {
		wantJSON(t, s.preview("/", fmt.Sprintf("&ts=%d", at.UnixMilli())), 200, `{"og:title":"`+want+`"}`)
	}
	if n := s.visits.Load(); n != 2 {
		t.Errorf("%d visits", n)
	}
	wantJSON(t, s.preview("/", fmt.Sprintf("&ts=%d", s.now.Add(time.Hour).UnixMilli())), 200, `{"og:title":"three"}`) // the future is now
}

// A page that cannot be fetched is left alone for a while, and not for ever.
func TestFailedPreviewsAreRemembered(t *testing.T) {
	t.Parallel()
	s := newWeb(t)
	var up atomic.Bool
	s.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>up</title>")
	})
	failed := s.now
	for range 3 {
		want(t, s.preview("/", ""), 502, mxerr.MUnknown)
	}
	if n := s.visits.Load(); n != 1 {
		t.Errorf("%d visits", n)
	}
	up.Store(true)
	s.now = s.now.Add(5*time.Minute + time.Second)
	wantJSON(t, s.preview("/", ""), 200, `{"og:title":"up"}`)
	wantJSON(t, s.preview("/", fmt.Sprintf("&ts=%d", failed.Add(-time.Hour).UnixMilli())), 200, `{"og:title":"up"}`)
}

// PREV-6: old previews go, with their pictures, and so do pictures that are too many.
func TestOldPreviewsAreForgotten(t *testing.T) {
	t.Parallel()
	s := newWeb(t)
	s.page("/", `<meta property="og:image" content="/a.png">`)
	s.file("/a.png", "image/png", string(pngFile(t, 30, 20)))
	wantKeys(t, s.preview("/", ""), 200, "og:image", "og:image:type", "og:image:width", "og:image:height", "matrix:image:size")
	s.now = s.now.Add(30 * 24 * time.Hour)
	if err := s.API.Content.Sweep(t.Context()); err != nil || s.blobs.count() != 1 {
		t.Fatalf("%d blobs, %v", s.blobs.count(), err)
	}
	s.now = s.now.Add(time.Second)
	if err := s.API.Content.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantNothing()
	s.preview("/", "")
	if n := s.visits.Load(); n != 4 {
		t.Errorf("%d visits", n)
	}
}
