package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// repository is an API over a real content repository. Its users are those of fakeAccounts.
type repository struct {
	*API
	*testing.T
	store store.Store
	blobs *countedBlobs
	now   time.Time
}

// countedBlobs is a media store that knows what is in it.
type countedBlobs struct {
	media.Store
	mu   sync.Mutex
	keys map[string]bool
	err  error // what Put fails with
}

func (b *countedBlobs) Put(ctx context.Context, key string, r io.Reader) error {
	b.mu.Lock()
	err := b.err
	b.mu.Unlock()
	if err != nil {
		return err
	}
	if err := b.Store.Put(ctx, key, r); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys[key] = true
	return nil
}

func (b *countedBlobs) Delete(ctx context.Context, key string) error {
	b.mu.Lock()
	delete(b.keys, key)
	b.mu.Unlock()
	return b.Store.Delete(ctx, key)
}

func (b *countedBlobs) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.keys)
}

// newRepository makes a repository whose old endpoints serve everything; change may alter that.
func newRepository(t *testing.T, change func(*content.Config)) *repository {
	t.Helper()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &repository{T: t, store: st, now: fixedClock(), blobs: &countedBlobs{Store: media.Memory(), keys: make(map[string]bool)}}
	cfg := content.Config{
		Store: st, Blobs: s.blobs, Server: "example.org", Now: func() time.Time { return s.now },
		Rules: content.Rules{FrozenFrom: fixedClock().AddDate(1, 0, 0)},
	}
	if change != nil {
		change(&cfg)
	}
	s.API = newTestAPI(Config{Content: content.New(cfg)})
	return s
}

// send sends a body of a content type with the token of a user.
func (s *repository) send(method, target, token, contentType string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, body)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// upload uploads content of alice's and returns what follows the server name in its URI.
func (s *repository) upload(contentType, query, body string) (id string) {
	s.Helper()
	w := s.send("POST", "/_matrix/media/v3/upload"+query, "alice", contentType, strings.NewReader(body))
	wantKeys(s.T, w, 200, "content_uri")
	return s.id(w)
}

// create makes an ID for content of alice's.
func (s *repository) create() (id string) {
	s.Helper()
	w := do(s, "POST", "/_matrix/media/v1/create", "alice", "")
	wantKeys(s.T, w, 200, "content_uri", "unused_expires_at")
	return s.id(w)
}

// id returns the media ID of an answer.
func (s *repository) id(w *httptest.ResponseRecorder) string {
	s.Helper()
	id, ok := strings.CutPrefix(field(w, "content_uri"), "mxc://example.org/")
	if !ok {
		s.Fatalf("content_uri %q", field(w, "content_uri"))
	}
	return id
}

// put uploads content for an ID.
func (s *repository) put(token, id, body string) *httptest.ResponseRecorder {
	return s.send("PUT", "/_matrix/media/v3/upload/example.org/"+id, token, "text/plain", strings.NewReader(body))
}

const downloads = "/_matrix/client/v1/media/download/example.org/"

// wantContent checks that something is there for everybody with a token.
func (s *repository) wantContent(id, body string) {
	s.Helper()
	if w := do(s, "GET", downloads+id, "bob", ""); w.Code != 200 || w.Body.String() != body {
		s.Errorf("status %d, body %.50q, want %.50q", w.Code, w.Body, body)
	}
}

// wantNothing checks that nothing has been kept: no blob, nor the key of one.
func (s *repository) wantNothing() {
	s.Helper()
	if n := s.blobs.count(); n != 0 {
		s.Errorf("%d blobs are left", n)
	}
	s.wantNoGarbage()
}

// wantNoGarbage checks that every blob is used.
func (s *repository) wantNoGarbage() {
	s.Helper()
	err := s.store.View(s.Context(), func(v store.View) error {
		keys, err := v.UnusedBlobs(1<<60, 10)
		if len(keys) > 0 {
			s.Errorf("unused blobs: %q", keys)
		}
		return err
	})
	if err != nil {
		s.Error(err)
	}
}

// MEDIA-1, MEDIA-2, CLIENTC-14: any bytes, in every version of the path.
func TestUpload(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	for _, version := range []string{"v3", "r0", "v1"} {
		for _, body := range []string{"hello", "", "\x00\xff\r\n--boundary", "{", strings.Repeat("x", 100_000) + version} {
			w := s.send("POST", "/_matrix/media/"+version+"/upload?filename=x", "alice", "text/plain", strings.NewReader(body))
			wantKeys(t, w, 200, "content_uri")
			s.wantContent(s.id(w), body)
		}
	}
}

// MEDIA-3, MEDIA-22: the content type as given, however odd, and one for what has none or a broken one.
func TestContentType(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	for given, served := range map[string]string{
		"":                               "application/octet-stream",
		"image/png":                      "image/png",
		"img/png":                        "img/png",
		"text/plain; charset=iso-8859-1": "text/plain; charset=iso-8859-1",
		"application/x-nothing+x":        "application/x-nothing+x",
		"text/html":                      "text/html",
		"nonsense":                       "application/octet-stream",
		"text/plain; charset":            "text/plain",
		"text/pl\xffain":                 "application/octet-stream",
	} {
		id := s.upload(given, "", "<html><script>alert(1)</script>")
		w := do(s, "GET", downloads+id, "alice", "")
		if got := w.Header().Get("Content-Type"); got != served || w.Code != 200 {
			t.Errorf("%q is served as %q", given, got)
		}
	}
	w := s.send("POST", "/_matrix/media/v3/upload", "alice", strings.Repeat("x", 2000), strings.NewReader(""))
	want(t, w, 400, mxerr.MInvalidParam)
	w = s.send("POST", "/_matrix/media/v3/upload?filename="+strings.Repeat("x", 2000), "alice", "", strings.NewReader(""))
	want(t, w, 400, mxerr.MInvalidParam)
	w = s.send("POST", "/_matrix/media/v3/upload?filename=%ff", "alice", "", strings.NewReader(""))
	want(t, w, 400, mxerr.MInvalidParam)
}

// MEDIA-4: unguessable IDs of allowed characters, new ones for the same content too.
func TestMediaIDs(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	seen := make(map[string]bool)
	for range 50 {
		for _, id := range []string{s.upload("", "", "same"), s.create()} {
			if !regexp.MustCompile(`^[A-Za-z0-9_-]{24,}$`).MatchString(id) || seen[id] {
				t.Errorf("media ID %q, seen before: %t", id, seen[id])
			}
			seen[id] = true
		}
		s.now = s.now.Add(25 * time.Hour) // or there would be too many
	}
}

// unreadBody is a body that nobody may read.
type unreadBody struct{ t *testing.T }

func (u unreadBody) Read([]byte) (int, error) {
	u.t.Error("the body is read")
	return 0, io.EOF
}

// MEDIA-5: checked by Content-Length, before the body, and while streaming; nothing is kept.
func TestUploadTooLarge(t *testing.T) {
	t.Parallel()
	s := newRepository(t, func(c *content.Config) { c.MaxUpload = 1000 })
	id := s.create()
	for _, path := range []string{"POST /_matrix/media/v3/upload", "PUT /_matrix/media/v3/upload/example.org/" + id} {
		method, target, _ := strings.Cut(path, " ")
		r := httptest.NewRequest(method, target, unreadBody{t})
		r.ContentLength = 1001
		r.Header.Set("Authorization", "Bearer alice")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		want(t, w, 413, mxerr.MTooLarge)

		endless := io.MultiReader(strings.NewReader(strings.Repeat("x", 1000)), strings.NewReader("y"), neverEnding{})
		want(t, s.send(method, target, "alice", "", endless), 413, mxerr.MTooLarge)
		s.wantNothing()
	}
	want(t, s.put("alice", id, strings.Repeat("x", 1000)), 200, "") // exactly the limit, and MEDIA-13
	s.wantContent(id, strings.Repeat("x", 1000))
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

// MEDIA-6, CON-15: number and total size for each user, and forbidden types.
func TestQuota(t *testing.T) {
	t.Parallel()
	quota := content.Quota{Files: 3, Bytes: 100}
	s := newRepository(t, func(c *content.Config) {
		c.Quota = func(context.Context, events.UserID) (content.Quota, error) { return quota, nil }
		c.CheckUpload = func(_ context.Context, u content.Upload) error {
			if u.Type == "application/x-msdownload" {
				return mxerr.Forbidden("no programs")
			}
			return nil
		}
	})
	post := func(token, body string) *httptest.ResponseRecorder {
		return s.send("POST", "/_matrix/media/v3/upload", token, "", strings.NewReader(body))
	}
	want(t, s.send("POST", "/_matrix/media/v3/upload", "alice", "application/x-msdownload", unreadBody{t}), 403, mxerr.MForbidden)
	want(t, post("alice", strings.Repeat("x", 101)), 403, mxerr.MForbidden)
	s.wantNothing()
	want(t, post("alice", strings.Repeat("x", 60)), 200, "")
	blobs := s.blobs.count()
	want(t, post("alice", strings.Repeat("y", 41)), 403, mxerr.MForbidden)
	w := s.send("POST", "/_matrix/media/v3/upload", "alice", "", io.MultiReader(strings.NewReader(strings.Repeat("z", 41)))) // no Content-Length
	want(t, w, 403, mxerr.MForbidden)
	if s.blobs.count() != blobs {
		t.Error("something is kept")
	}
	want(t, post("bob", strings.Repeat("y", 41)), 200, "")
	want(t, post("alice", strings.Repeat("x", 10)), 200, "")
	want(t, post("alice", ""), 200, "")
	want(t, post("alice", ""), 403, mxerr.MForbidden)
	id := s.create()
	want(t, s.put("alice", id, ""), 403, mxerr.MForbidden)

	quota.InfoURI = "https://example.org/quota"
	w = post("alice", "")
	want(t, w, 403, mxerr.MUserLimitExceeded)
	if field(w, "info_uri") != "https://example.org/quota" {
		t.Errorf("%s", w.Body)
	}
	quota = content.Quota{Files: 4}
	want(t, s.put("alice", id, ""), 200, "")
	s.wantNoGarbage()
}

// MEDIA-6: many uploads at once do not get past the quota.
func TestQuotaOfConcurrentUploads(t *testing.T) {
	t.Parallel()
	s := newRepository(t, func(c *content.Config) {
		c.Quota = func(context.Context, events.UserID) (content.Quota, error) { return content.Quota{Files: 3}, nil }
	})
	start := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := make(map[int]int)
	for range 10 {
		wg.Go(func() {
			w := s.send("POST", "/_matrix/media/v3/upload", "alice", "", gated{start, strings.NewReader("x")})
			mu.Lock()
			defer mu.Unlock()
			codes[w.Code]++
		})
	}
	close(start)
	wg.Wait()
	if diff := cmp.Diff(map[int]int{200: 3, 403: 7}, codes); diff != "" {
		t.Error(diff)
	}
	s.wantNoGarbage()
}

// gated is a body that comes when start is closed.
type gated struct {
	start <-chan struct{}
	io.Reader
}

func (g gated) Read(p []byte) (int, error) {
	<-g.start
	return g.Reader.Read(p)
}

// A user can have only so many uploads on their way.
func TestConcurrentUploads(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	start, begun := make(chan struct{}), make(chan struct{}, 16)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			want(t, s.send("POST", "/_matrix/media/v3/upload", "alice", "", io.MultiReader(signalling{begun}, gated{start, strings.NewReader("x")})), 200, "")
		})
	}
	for range 16 {
		<-begun
	}
	want(t, s.send("POST", "/_matrix/media/v3/upload", "alice", "", unreadBody{t}), 429, mxerr.MLimitExceeded)
	want(t, s.send("POST", "/_matrix/media/v3/upload", "bob", "", strings.NewReader("x")), 200, "")
	close(start)
	wg.Wait()
	s.upload("", "", "again")
}

// signalling is an empty body that says when it is read.
type signalling struct{ begun chan<- struct{} }

func (s signalling) Read([]byte) (int, error) {
	s.begun <- struct{}{}
	return 0, io.EOF
}

// MEDIA-8, MEDIA-10: an ID for 24 hours, and content for it, once.
func TestCreateAndUploadLater(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	for _, body := range []string{"", "{}", "anything"} { // CLIENTC-19
		w := do(s, "POST", "/_matrix/media/v1/create", "alice", body)
		wantKeys(t, w, 200, "content_uri", "unused_expires_at")
		if got, wanted := field(w, "unused_expires_at"), "1700086400000"; got != wanted {
			t.Errorf("unused_expires_at %s, want %s", got, wanted)
		}
	}
	for _, version := range []string{"v3", "r0", "v1"} {
		id := s.create()
		w := s.send("PUT", "/_matrix/media/"+version+"/upload/example.org/"+id+"?filename=later.txt", "alice", "text/plain", strings.NewReader("later"))
		wantJSON(t, w, 200, `{}`)
		s.wantContent(id, "later")
		w = do(s, "GET", downloads+id, "bob", "")
		if w.Header().Get("Content-Type") != "text/plain" || w.Header().Get("Content-Disposition") != "inline; filename=later.txt" {
			t.Error(w.Header())
		}
	}
}

// MEDIA-9: so many IDs may wait for each user; expired ones don't count.
func TestTooManyPending(t *testing.T) {
	t.Parallel()
	s := newRepository(t, func(c *content.Config) { c.MaxPending = 3 })
	create := func(token string) *httptest.ResponseRecorder {
		return do(s, "POST", "/_matrix/media/v1/create", token, "")
	}
	first := s.create()
	s.create()
	s.create()
	w := create("alice")
	want(t, w, 429, mxerr.MLimitExceeded)
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	want(t, create("bob"), 200, "")
	want(t, s.put("alice", first, "x"), 200, "")
	want(t, create("alice"), 200, "")
	want(t, create("alice"), 429, mxerr.MLimitExceeded)
	s.now = s.now.Add(24*time.Hour + time.Millisecond)
	want(t, create("alice"), 200, "")
}

// MEDIA-9, RATE-1: uploads, downloads and IDs draw on a budget of their own, anonymous ones on that of their address.
func TestMediaIsLimited(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.upload("", "", "x")
	for _, path := range []string{
		"POST /_matrix/media/v1/create", "POST /_matrix/media/v3/upload", "GET " + downloads + id, "GET " + legacyDownloads + id,
		"GET " + thumbnails + id + "?width=1&height=1", "GET /_matrix/client/v1/media/config", "GET " + previews + "?url=http://x/",
	} {
		method, target, _ := strings.Cut(path, " ")
		limiter := once{}
		s.Limiter = limiter
		s.send(method, target, "alice", "", strings.NewReader(""))
		w := s.send(method, target, "alice", "", strings.NewReader(""))
		want(t, w, 429, mxerr.MLimitExceeded)
		if limiter["@alice:example.org"] != 2 {
			t.Errorf("%s: charged to %v", path, limiter)
		}
	}
	limiter := once{}
	s.Limiter = limiter
	if do(s, "GET", legacyDownloads+id, "", ""); limiter["192.0.2.1"] != 1 {
		t.Errorf("without a token: charged to %v", limiter)
	}
	for _, row := range s.Table() {
		isMedia := strings.Contains(row.Template, "/media/")
		if isMedia && row.Class != ratelimit.Media && !(row.Class == ratelimit.Search && strings.HasSuffix(row.Template, "preview_url")) {
			t.Errorf("%s %s has class %v", row.Method, row.Template, row.Class)
		}
	}
}

// MEDIA-11: never twice, decided before the body, also while another upload is on its way.
func TestNoOverwriting(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.create()
	start, begun, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		want(t, s.send("PUT", "/_matrix/media/v3/upload/example.org/"+id, "alice", "", io.MultiReader(signalling{begun}, gated{start, strings.NewReader("first")})), 200, "")
	}()
	<-begun
	for range 2 {
		want(t, s.send("PUT", "/_matrix/media/v3/upload/example.org/"+id, "alice", "", unreadBody{t}), 409, mxerr.MCannotOverwriteMedia)
		select {
		case <-done:
		default:
			close(start)
			<-done
		}
	}
	s.wantContent(id, "first")
	want(t, s.send("PUT", "/_matrix/media/v3/upload/example.org/"+s.upload("", "", "x"), "alice", "", unreadBody{t}), 409, mxerr.MCannotOverwriteMedia)
}

// MEDIA-12: whose and which.
func TestFillRefusals(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.create()
	want(t, s.send("PUT", "/_matrix/media/v3/upload/example.org/"+id, "bob", "", unreadBody{t}), 403, mxerr.MForbidden)
	for _, path := range []string{"example.org/UNKNOWNUNKNOWNUNKNOWNUNKNOWN", "other.org/" + id, "example.org/" + strings.ToLower(id), "example.org/..", "example.org/%2e%2e%2f" + id} {
		want(t, s.send("PUT", "/_matrix/media/v3/upload/"+path, "alice", "", unreadBody{t}), 404, mxerr.MNotFound)
	}
	s.now = s.now.Add(24 * time.Hour)
	want(t, s.send("PUT", "/_matrix/media/v3/upload/example.org/"+id, "alice", "", unreadBody{t}), 404, mxerr.MNotFound)
	want(t, do(s, "GET", downloads+id, "alice", ""), 404, mxerr.MNotFound)
	s.wantNothing()
}

// MEDIA-14, MEDIA-21, GUEST-2, CON-12: who may use which endpoint, and which of them need a token.
func TestWhoMayUseTheRepository(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id, pending := s.upload("image/png", "", string(pngFile(t, 40, 40))), s.create()
	type rule struct {
		path        string
		guests, any bool // who may
	}
	for _, tt := range []rule{
		{"POST /_matrix/media/v3/upload", false, false},
		{"PUT /_matrix/media/v3/upload/example.org/" + pending, false, false},
		{"POST /_matrix/media/v1/create", false, false},
		{"GET /_matrix/client/v1/media/download/example.org/" + id, true, false},
		{"GET /_matrix/client/v1/media/download/example.org/" + id + "/name.png", true, false},
		{"GET /_matrix/client/v1/media/thumbnail/example.org/" + id + "?width=32&height=32", true, false},
		{"GET /_matrix/client/v1/media/config", false, false},
		{"GET /_matrix/media/v3/config", false, false},
		{"GET /_matrix/media/v3/download/example.org/" + id, true, true},
		{"GET /_matrix/media/r0/download/example.org/" + id + "/name.png", true, true},
		{"GET /_matrix/media/v1/thumbnail/example.org/" + id + "?width=32&height=32", true, true},
	} {
		method, target, _ := strings.Cut(tt.path, " ")
		check := func(token string, allowed bool, status int, code mxerr.Code) {
			t.Helper()
			w := s.send(method, target, token, "", strings.NewReader(""))
			if !allowed {
				want(t, w, status, code)
			} else if w.Code != 200 {
				t.Errorf("%s with token %q: %d %s", tt.path, token, w.Code, w.Body)
			}
		}
		check("", tt.any, 401, mxerr.MMissingToken)
		check("nobody", tt.any, 401, mxerr.MUnknownToken)
		check("guest", tt.guests, 403, mxerr.MGuestAccessForbidden)
		check("alice", true, 0, "")
		if w := s.send(method, target+map[bool]string{true: "&", false: "?"}[strings.Contains(target, "?")]+"access_token=alice", "", "", strings.NewReader("")); w.Code != 200 && w.Code != 409 { // MEDIA-44
			t.Errorf("%s with the token in the query: %d %s", tt.path, w.Code, w.Body)
		}
		w := s.send("OPTIONS", target, "", "", nil) // MEDIA-27, CLIENTC-12
		if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Authorization") {
			t.Errorf("preflight of %s: %d %v", tt.path, w.Code, w.Header())
		}
	}
}

// MEDIA-35, MEDIA-43, CLIENTC-13: the real limit, on both endpoints.
func TestMediaConfig(t *testing.T) {
	t.Parallel()
	s := newRepository(t, func(c *content.Config) { c.MaxUpload = 12345 })
	for _, path := range []string{"/_matrix/client/v1/media/config", "/_matrix/media/v3/config", "/_matrix/media/r0/config"} {
		wantJSON(t, do(s, "GET", path, "alice", ""), 200, `{"m.upload.size":12345}`)
	}
	want(t, s.send("POST", "/_matrix/media/v3/upload", "alice", "", bytes.NewReader(make([]byte, 12346))), 413, mxerr.MTooLarge)
	want(t, s.send("POST", "/_matrix/media/v3/upload", "alice", "", bytes.NewReader(make([]byte, 12345))), 200, "")
	if s.API.Content.MaxUpload != 12345 || newRepository(t, nil).API.Content.MaxUpload != content.DefaultMaxUpload {
		t.Error("the default is wrong")
	}
}

// The same content is stored once, whoever uploads it, and there until its last upload is deleted.
func TestDeduplication(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	one, two := s.upload("text/plain", "?filename=one", "same"), s.upload("image/png", "?filename=two", "same")
	w := s.send("POST", "/_matrix/media/v3/upload", "bob", "", strings.NewReader("same"))
	three, four := s.id(w), s.create()
	want(t, s.put("alice", four, "same"), 200, "")
	s.upload("", "", "other")
	if n := s.blobs.count(); n != 2 {
		t.Errorf("%d blobs", n)
	}
	for _, id := range []string{one, two, three, four} {
		s.wantContent(id, "same")
		if err := s.API.Content.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		want(t, do(s, "GET", downloads+id, "bob", ""), 404, mxerr.MNotFound)
	}
	if n := s.blobs.count(); n != 1 {
		t.Errorf("%d blobs", n)
	}
	s.wantNoGarbage()
	s.wantContent(s.upload("", "", "same"), "same")
}

// A media store that is full or read-only: 500, nothing half there, and no harm to what is.
func TestBrokenMediaStore(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	kept, id := s.upload("", "", "kept"), s.create()
	s.blobs.err = http.ErrHandlerTimeout // stands for any fault
	for _, w := range []*httptest.ResponseRecorder{
		s.send("POST", "/_matrix/media/v3/upload", "alice", "", strings.NewReader("new")), s.put("alice", id, "new"),
	} {
		want(t, w, 500, mxerr.MUnknown)
		if strings.Contains(w.Body.String(), "timeout") {
			t.Errorf("the fault is told: %s", w.Body)
		}
	}
	s.wantNoGarbage()
	s.wantContent(kept, "kept")
	s.blobs.err = nil
	want(t, s.put("alice", id, "new"), 200, "") // MEDIA-13
	s.wantContent(id, "new")
}
