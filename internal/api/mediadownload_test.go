package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

const legacyDownloads = "/_matrix/media/v3/download/example.org/"

// MEDIA-26, MEDIA-27: what keeps content from acting, on everything that is served.
func wantSafe(t *testing.T, h http.Header) {
	t.Helper()
	for name, value := range map[string]string{
		"Content-Security-Policy":      "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';",
		"Cross-Origin-Resource-Policy": "cross-origin",
		"X-Content-Type-Options":       "nosniff",
		"Access-Control-Allow-Origin":  "*",
	} {
		if got := h.Get(name); got != value {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// MEDIA-20, MEDIA-40, MEDIA-41: content with and without a token, under every path; other servers' is not there.
func TestDownload(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.upload("text/plain", "?filename=a.txt", "hello")
	for _, path := range []string{
		downloads + id, downloads + id + "/b.txt", legacyDownloads + id, legacyDownloads + id + "/b.txt",
		"/_matrix/media/r0/download/example.org/" + id, "/_matrix/media/v1/download/example.org/" + id,
		downloads + id + "?allow_redirect=true&x=y", legacyDownloads + id + "?allow_remote=false&allow_redirect=true", // CLIENTC-13, MEDIA-33
	} {
		w := do(s, "GET", path, "alice", "")
		if w.Code != 200 || w.Body.String() != "hello" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		wantSafe(t, w.Header())
	}
	for _, path := range []string{"", "?allow_remote=false", "?allow_remote=true"} { // MEDIA-32
		want(t, do(s, "GET", "/_matrix/media/v3/download/other.org/"+id+path, "alice", ""), 404, mxerr.MNotFound)
		want(t, do(s, "GET", "/_matrix/client/v1/media/download/other.org/"+id+path, "alice", ""), 404, mxerr.MNotFound)
	}
}

// MEDIA-23, MEDIA-24: names, from the upload or the path, that mean what they say.
func TestFileNames(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	for name, served := range map[string]string{
		"ascii":                      "inline; filename=ascii",
		"name with spaces.txt":       `inline; filename="name with spaces.txt"`,
		"semi;colon":                 `inline; filename="semi;colon"`,
		`quo"te\back`:                `inline; filename="quo\"te_back"`,
		"☕ café.png":                 "inline; filename*=utf-8''%E2%98%95%20caf%C3%A9.png",
		"":                           "inline",
		"a\r\nSet-Cookie: x=1":       `inline; filename="aSet-Cookie: x=1"`,
		"tab\tand\x01control\x7f":    "inline; filename=tabandcontrol",
		"../../etc/passwd":           "inline; filename=.._.._etc_passwd",
		`..\..\boot.ini`:             "inline; filename=.._.._boot.ini",
		"exe\u202egpj.txt":           "inline; filename=exegpj.txt",
		"\r\n":                       "inline",
		strings.Repeat("n", 300):     "inline; filename=" + strings.Repeat("n", 300),
		"percent%20encoded%2Fname":   "inline; filename=percent%20encoded%2Fname",
		"=?utf-8?q?encoded?= header": `inline; filename="=?utf-8?q?encoded?= header"`,
	} {
		id := s.upload("text/plain", "?filename="+url.QueryEscape(name), "x")
		w := do(s, "GET", downloads+id, "alice", "")
		if diff := cmp.Diff(served, w.Header().Get("Content-Disposition")); diff != "" {
			t.Errorf("%q: %s", name, diff)
		}
		if name == "" {
			continue
		}
		other := s.upload("text/plain", "?filename=other", "x")
		w = do(s, "GET", downloads+other+"/"+url.PathEscape(name), "alice", "")
		if diff := cmp.Diff(served, w.Header().Get("Content-Disposition")); diff != "" {
			t.Errorf("%q in the path: %s", name, diff)
		}
	}
	id := s.upload("text/plain", "", "x")
	if got := do(s, "GET", downloads+id, "alice", "").Header().Get("Content-Disposition"); got != "inline" {
		t.Errorf("without a name: %q", got)
	}
}

// MEDIA-25: shown in place or not, by the type in lower case and without parameters.
func TestDisposition(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	inline := strings.Fields(`text/css text/plain text/csv application/json application/ld+json image/jpeg image/gif image/png
		image/apng image/webp image/avif video/mp4 video/webm video/ogg video/quicktime audio/mp4 audio/webm audio/aac audio/mpeg
		audio/ogg audio/wave audio/wav audio/x-wav audio/x-pn-wav audio/flac audio/x-flac`)
	attachment := strings.Fields(`text/html image/svg+xml application/xhtml+xml application/pdf application/octet-stream text/xml
		application/javascript text/javascript image/png/x nonsense application/zip text/plainx x/text/plain`)
	check := func(contentType, disposition string) {
		t.Helper()
		id := s.upload(contentType, "?filename=f", "x")
		for _, path := range []string{downloads, legacyDownloads} {
			got, _, err := mime.ParseMediaType(do(s, "GET", path+id, "alice", "").Header().Get("Content-Disposition"))
			if got != disposition || err != nil {
				t.Errorf("%s: %s %v", contentType, got, err)
			}
		}
	}
	for _, contentType := range inline {
		check(contentType, "inline")
		check(strings.ToUpper(contentType)+"; charset=utf-8", "inline")
	}
	for _, contentType := range attachment {
		check(contentType, "attachment")
	}
	check("text/html; x=image/png", "attachment")
}

// SVG, HTML and files that are two things at once are served inert, whatever they are called.
func TestActiveContent(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	polyglot := "GIF89a/*\x01\x00*/=1;alert(1)//<html><script>alert(2)</script>"
	for contentType, disposition := range map[string]string{
		"text/html": "attachment", "image/svg+xml": "attachment", "application/xhtml+xml": "attachment", "": "attachment",
		"image/gif": "inline", "application/pdf": "attachment",
	} {
		id := s.upload(contentType, "", polyglot)
		w := do(s, "GET", downloads+id, "alice", "")
		wantSafe(t, w.Header())
		if got := w.Header().Get("Content-Disposition"); got != disposition {
			t.Errorf("%q: %s", contentType, got)
		}
		if got := w.Header().Get("Content-Type"); contentType != "" && got != contentType || contentType == "" && got != "application/octet-stream" {
			t.Errorf("%q is served as %q", contentType, got)
		}
		want(t, do(s, "GET", thumbnails+id+"?width=32&height=32", "alice", ""), 400, mxerr.MUnknown)
	}
}

// MEDIA-28: ranges, conditions, HEAD.
func TestRanges(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.upload("video/mp4", "", "0123456789")
	tag := do(s, "GET", downloads+id, "alice", "").Header().Get("ETag")
	if tag == "" {
		t.Fatal("no ETag")
	}
	for _, tt := range []struct {
		name        string
		header      http.Header
		status      int
		body, bytes string // bytes: Content-Range
	}{
		{"all", http.Header{}, 200, "0123456789", ""},
		{"from the beginning", http.Header{"Range": {"bytes=0-3"}}, 206, "0123", "bytes 0-3/10"},
		{"to the end", http.Header{"Range": {"bytes=7-"}}, 206, "789", "bytes 7-9/10"},
		{"further than the end", http.Header{"Range": {"bytes=7-99"}}, 206, "789", "bytes 7-9/10"},
		{"the last ones", http.Header{"Range": {"bytes=-2"}}, 206, "89", "bytes 8-9/10"},
		{"one that does not exist", http.Header{"Range": {"bytes=10-"}}, 416, "", "bytes */10"},
		{"the last none", http.Header{"Range": {"bytes=-0"}}, 416, "", "bytes */10"},
		{"malformed", http.Header{"Range": {"bytes=a-b"}}, 200, "0123456789", ""},
		{"backwards", http.Header{"Range": {"bytes=5-2"}}, 200, "0123456789", ""},
		{"another unit", http.Header{"Range": {"lines=1-2"}}, 200, "0123456789", ""},
		{"of this version", http.Header{"Range": {"bytes=0-3"}, "If-Range": {tag}}, 206, "0123", "bytes 0-3/10"},
		{"of another version", http.Header{"Range": {"bytes=10-"}, "If-Range": {`"other"`}}, 200, "0123456789", ""},
		{"known already", http.Header{"If-None-Match": {tag}}, 304, "", ""},
		{"known already, and a range", http.Header{"If-None-Match": {tag}, "Range": {"bytes=10-"}}, 304, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", downloads+id, nil)
			tt.header.Set("Authorization", "Bearer alice")
			r.Header = tt.header
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != tt.status || w.Header().Get("Content-Range") != tt.bytes {
				t.Errorf("%d, Content-Range %q", w.Code, w.Header().Get("Content-Range"))
			}
			if tt.status == 416 {
				want(t, w, 416, mxerr.MUnknown)
			} else if w.Body.String() != tt.body {
				t.Errorf("body %q", w.Body)
			}
		})
	}
	r := httptest.NewRequest("HEAD", downloads+id, nil)
	r.Header.Set("Authorization", "Bearer alice")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 200 || w.Header().Get("Content-Length") != "10" || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d %v %q", w.Code, w.Header(), w.Body)
	}
	if got := w.Header().Get("Cache-Control"); !strings.Contains(got, "private") || !strings.Contains(got, "immutable") {
		t.Errorf("Cache-Control %q", got)
	}
}

// MEDIA-29, MEDIA-31: unknown and impossible names, however they are encoded, on every endpoint that takes them.
func TestUnknownMedia(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.upload("", "", "x")
	for _, ref := range []string{
		"example.org/UNKNOWNUNKNOWNUNKNOWNUNKNOWN", "example.org/..", "example.org/%2e%2e", "example.org/..%2f..%2fetc%2fpasswd",
		"example.org/%2Fetc%2Fpasswd", "example.org/" + id + "%00", "example.org/" + id + "%2F", "example.org/" + id + ".part", "example.org/é",
		"example.org/" + strings.Repeat("A", 3000), "..%2f..%2f/" + id, "127.0.0.1%2f..%2f../" + id, "exa%20mple.org/" + id, "EXAMPLE.ORG/" + id,
		"example.org:443/" + id, "%2e%2e/" + id, "[::1]/" + id,
	} {
		for _, path := range []string{
			"/_matrix/client/v1/media/download/%s", "/_matrix/client/v1/media/download/%s/name", "/_matrix/client/v1/media/thumbnail/%s?width=1&height=1",
			"/_matrix/media/v3/download/%s", "/_matrix/media/r0/thumbnail/%s?width=1&height=1",
		} {
			w := do(s, "GET", fmt.Sprintf(path, ref), "alice", "")
			if w.Code == 400 {
				want(t, w, 400, mxerr.MInvalidParam) // no text at all
			} else {
				want(t, w, 404, mxerr.MNotFound)
			}
		}
	}
	for _, path := range []string{downloads, downloads + "a/b/c", downloads + "/" + id, "/_matrix/client/v1/media/download/../download/example.org/" + id} {
		want(t, do(s, "GET", path, "alice", ""), 404, mxerr.MUnrecognized)
	}
}

// MEDIA-30: wait for what is to come, as long as asked, and answer as soon as it is there.
func TestWaitForUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newRepository(t, nil)
		for query, wait := range map[string]time.Duration{
			"": 20 * time.Second, "?timeout_ms=0": 0, "?timeout_ms=-5": 0, "?timeout_ms=1500": 1500 * time.Millisecond,
			"?timeout_ms=99999999": time.Minute, "?timeout_ms=9223372036854775807": time.Minute,
		} {
			id := s.create()
			for _, path := range []string{downloads + id + query, legacyDownloads + id + query, thumbnails + id + "?width=1&height=1&" + strings.TrimPrefix(query, "?")} {
				began := time.Now()
				want(t, do(s, "GET", path, "bob", ""), 504, mxerr.MNotYetUploaded)
				if took := time.Since(began); took != wait {
					t.Errorf("%s took %v, want %v", path, took, wait)
				}
			}
		}
		want(t, do(s, "GET", downloads+s.create()+"?timeout_ms=x", "bob", ""), 400, mxerr.MInvalidParam)

		id := s.create()
		answers := make(chan *httptest.ResponseRecorder)
		began := time.Now()
		for range 3 {
			go func() { answers <- do(s, "GET", downloads+id, "bob", "") }()
		}
		time.Sleep(7 * time.Second)
		want(t, s.put("alice", id, "here it is"), 200, "")
		for range 3 {
			if w := <-answers; w.Code != 200 || w.Body.String() != "here it is" {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("answered after %v", took)
		}
	})
}

// Nobody waits any longer when the server stops, or for content that is deleted meanwhile.
func TestWaitingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stopping := make(chan struct{})
		s := newRepository(t, func(c *content.Config) { c.Stopping = stopping })
		id := s.create()
		answers := make(chan *httptest.ResponseRecorder)
		go func() { answers <- do(s, "GET", downloads+id, "bob", "") }()
		synctest.Wait()
		began := time.Now()
		close(stopping)
		want(t, <-answers, 504, mxerr.MNotYetUploaded)
		if time.Since(began) != 0 {
			t.Error("it went on waiting")
		}
	})
}

// MEDIA-34: what is larger than the limit has become is not served.
func TestDownloadTooLarge(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.upload("", "", "0123456789")
	s.API.Content.MaxUpload = 9
	for _, path := range []string{downloads, legacyDownloads} {
		want(t, do(s, "GET", path+id, "alice", ""), 502, mxerr.MTooLarge)
	}
}

// MEDIA-36: quarantined and deleted content is not there, nor its thumbnails.
func TestQuarantineAndDeletion(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.upload("image/png", "", string(pngFile(t, 100, 100)))
	paths := []string{downloads + id, downloads + id + "/name", legacyDownloads + id, thumbnails + id + "?width=32&height=32"}
	check := func(status int) {
		t.Helper()
		for _, path := range paths {
			if w := do(s, "GET", path, "alice", ""); w.Code != status {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			} else if status == 404 {
				want(t, w, 404, mxerr.MNotFound)
			}
		}
	}
	check(200)
	for _, hidden := range []bool{true, false} {
		if err := s.API.Content.Quarantine(t.Context(), id, hidden); err != nil {
			t.Fatal(err)
		}
		check(map[bool]int{true: 404, false: 200}[hidden])
	}
	if err := s.API.Content.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	check(404)
	s.wantNothing()
	want(t, s.put("alice", id, "again"), 404, mxerr.MNotFound) // MEDIA-4: never used again
}

// MEDIA-42, SSO-5, CLIENTC-14: content that came after the freeze needs a token; what was there before does not, nor do icons.
// Whoever shows a token gets everything, as bot SDKs do that still ask the old endpoints (AUTH-7: a bad one is none).
func TestFreeze(t *testing.T) {
	t.Parallel()
	frozen := fixedClock().Add(time.Hour)
	var public []string
	s := newRepository(t, func(c *content.Config) { c.FrozenFrom, c.Public = frozen, public })
	image := string(pngFile(t, 40, 40))
	before, pending := s.upload("image/png", "", image), s.create()
	s.now = frozen
	after := s.upload("image/png", "", image) // the same bytes
	icon := s.upload("image/png", "", image)
	s.API.Content.Public = []string{icon}

	open := func(id string, status int) {
		t.Helper()
		for _, path := range []string{legacyDownloads + id, legacyDownloads + id + "/n", "/_matrix/media/r0/thumbnail/example.org/" + id + "?width=32&height=32"} {
			for token, status := range map[string]int{"": status, "wrong": status, "soft": status, "alice": 200, "guest": 200} {
				w := do(s, "GET", path, token, "")
				if w.Code != status {
					t.Errorf("%s, token %q: %d %s", path, token, w.Code, w.Body)
				} else if status == 404 {
					want(t, w, 404, mxerr.MNotFound)
				}
			}
		}
		if w := do(s, "GET", downloads+id, "alice", ""); w.Code != 200 {
			t.Errorf("with a token: %d", w.Code)
		}
	}
	open(before, 200)
	open(after, 404)
	open(icon, 200)
	want(t, do(s, "GET", legacyDownloads+pending, "", ""), 404, mxerr.MNotFound) // at once: it can only come after the freeze
	want(t, s.put("alice", pending, image), 200, "")
	open(pending, 404)
	wantKeys(t, do(s, "GET", "/_matrix/media/v3/config", "alice", ""), 200, "m.upload.size") // MEDIA-43

	s.API.Content.FrozenFrom = time.Time{} // closed altogether
	open(before, 404)
}

// A truncated upload over a real connection: nothing is half visible, and the ID is still good (MEDIA-13).
func TestTruncatedUpload(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.create()
	host := httptest.NewServer(s)
	defer host.Close()
	for _, path := range []string{"POST /_matrix/media/v3/upload", "PUT /_matrix/media/v3/upload/example.org/" + id} {
		method, target, _ := strings.Cut(path, " ")
		body, w := io.Pipe()
		go func() {
			_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
			_ = w.CloseWithError(io.ErrClosedPipe)
		}()
		r, err := http.NewRequestWithContext(t.Context(), method, host.URL+target, body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 200_000
		r.Header.Set("Authorization", "Bearer alice")
		if res, err := host.Client().Do(r); err == nil {
			t.Errorf("%s: %s", path, res.Status)
			_ = res.Body.Close()
		}
	}
	host.Close() // waits for the handlers
	s.wantNothing()
	want(t, s.put("alice", id, "whole"), 200, "")
	s.wantContent(id, "whole")
}

// A body that breaks off where the client still listens: it is told, and never 200.
func TestBodyEndsTooEarly(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	host := httptest.NewServer(s)
	defer host.Close()
	for name, head := range map[string]string{"a length": "Content-Length: 100\r\n\r\nhalf", "chunks": "Transfer-Encoding: chunked\r\n\r\n64\r\nhalf"} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, "POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\n"+head)
		if err = errors.Join(err, conn.(*net.TCPConn).CloseWrite()); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(name, err)
		}
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != 400 || gjson.GetBytes(body, "errcode").Str != "M_UNKNOWN" {
			t.Errorf("%s: %s %s", name, res.Status, body)
		}
		_ = errors.Join(res.Body.Close(), conn.Close())
	}
	s.wantNothing()
}

// A slow upload is cut off; one that only pauses is not, and neither is the next request on the connection.
func TestSlowUpload(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	s.uploadPatience = 200 * time.Millisecond
	host := httptest.NewServer(s)
	defer host.Close()
	post := func(body io.Reader) (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", host.URL+"/_matrix/media/v3/upload", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer alice")
		return host.Client().Do(r)
	}
	body, w := io.Pipe()
	defer w.Close() //nolint:errcheck // never fails
	go func() { _, _ = io.WriteString(w, "x") }()
	res, err := post(body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusRequestTimeout {
		t.Error(res.Status)
	}
	_ = res.Body.Close()
	s.wantNothing()
	for range 3 {
		res, err := post(strings.NewReader("quick"))
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		_ = res.Body.Close()
	}
}
