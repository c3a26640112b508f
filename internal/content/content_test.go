package content_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

const (
	alice = events.UserID("@alice:example.org")
	bob   = events.UserID("@bob:example.org")
)

// fixture is a service on stores that fail when they are told to.
type fixture struct {
	*testing.T
	*content.Service
	st    *storetest.Fault
	blobs *blobs
	now   time.Time
}

func newFixture(t *testing.T, change func(*content.Config)) *fixture {
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
	f := &fixture{T: t, st: storetest.Faulty(st), blobs: &blobs{Store: media.Memory()}, now: time.Unix(1_700_000_000, 0)}
	cfg := content.Config{Store: f.st, Blobs: f.blobs, Server: "example.org", Now: func() time.Time { return f.now }}
	if change != nil {
		change(&cfg)
	}
	f.Service = content.New(cfg)
	return f
}

// blobs is a media store that fails when it is told to and knows what is in it.
type blobs struct {
	media.Store
	mu     sync.Mutex
	keys   []string
	calls  int
	failAt int
}

var errBlobs = errors.New("the media store is on fire")

// call counts a call that may fail.
func (b *blobs) call() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls++; b.calls == b.failAt {
		return errBlobs
	}
	return nil
}

func (b *blobs) Put(ctx context.Context, key string, r io.Reader) error {
	if err := b.call(); err != nil {
		return err
	}
	err := b.Store.Put(ctx, key, r)
	if err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.keys = append(b.keys, key)
	}
	return err
}

func (b *blobs) Delete(ctx context.Context, key string) error {
	if err := b.call(); err != nil {
		return err
	}
	b.mu.Lock()
	b.keys = slices.DeleteFunc(b.keys, func(k string) bool { return k == key })
	b.mu.Unlock()
	return b.Store.Delete(ctx, key)
}

func (f *fixture) upload(owner events.UserID, body string) (id string) {
	f.Helper()
	id, err := f.Upload(f.Context(), content.Upload{Owner: owner, Size: -1, Body: strings.NewReader(body)})
	if err != nil {
		f.Fatal(err)
	}
	return id
}

func (f *fixture) thumbnail(id string) error {
	ref := content.Ref{Server: "example.org", ID: id}
	file, err := f.Thumbnail(f.Context(), ref, content.Access{}, content.ThumbnailRequest{Width: 32, Height: 32, Crop: true})
	if err == nil {
		err = file.Content.Close()
	}
	return err
}

// read returns content, "" if there is none.
func (f *fixture) read(id string) string {
	f.Helper()
	file, err := f.Download(f.Context(), content.Ref{Server: "example.org", ID: id}, content.Access{})
	if errors.Is(err, mxerr.MNotFound) || errors.Is(err, mxerr.MNotYetUploaded) {
		return ""
	}
	if err != nil {
		f.Fatal(err)
	}
	defer file.Content.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(file.Content)
	if err != nil {
		f.Error(err)
	}
	return string(b)
}

func (f *fixture) sweep() {
	f.Helper()
	if err := f.Sweep(f.Context()); err != nil {
		f.Fatal(err)
	}
}

// wantBlobs checks how many blobs there are and that none is unused.
func (f *fixture) wantBlobs(n int) {
	f.Helper()
	if len(f.blobs.keys) != n {
		f.Errorf("%d blobs, want %d", len(f.blobs.keys), n)
	}
	err := f.st.View(f.Context(), func(v store.View) error {
		unused, err := v.UnusedBlobs(1<<60, 10)
		if len(unused) > 0 {
			f.Errorf("unused: %q", unused)
		}
		return err
	})
	if err != nil {
		f.Error(err)
	}
}

func picture(t *testing.T) string {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewRGBA(image.Rect(0, 0, 100, 100))); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// faults calls op once for every call of a store that it makes, which fails each time. After each failure check is
// called, and after a day and a Sweep nothing that is not wanted is left.
func faults(t *testing.T, prepare func(f *fixture), op func(f *fixture) error, failed func(f *fixture), blobsLeft int) {
	t.Helper()
	for name, fail := range map[string]func(f *fixture, n int){
		"database":    func(f *fixture, n int) { f.st.FailAt(n, errBlobs) },
		"media store": func(f *fixture, n int) { f.blobs.calls, f.blobs.failAt = 0, n },
	} {
		for n := 1; ; n++ {
			f := newFixture(t, nil)
			prepare(f)
			fail(f, n)
			err := op(f)
			hit := name == "database" && f.st.Calls() >= n || f.blobs.failAt > 0 && f.blobs.calls >= n
			f.st.FailAt(0, nil)
			f.blobs.failAt = 0
			if !hit {
				if n < 2 {
					t.Errorf("%s: only %d calls", name, n-1)
				}
				break
			}
			if err != nil {
				if !errors.Is(err, errBlobs) {
					t.Errorf("%s, call %d: %v", name, n, err)
				}
				failed(f)
				f.now = f.now.Add(25 * time.Hour)
				f.sweep()
				f.wantBlobs(blobsLeft)
			}
			// Otherwise it was only the clean-up that failed.
			f.now = f.now.Add(25 * time.Hour)
			f.sweep()
			if t.Failed() {
				t.Fatalf("%s, call %d", name, n)
			}
		}
	}
}

// An upload is there as a whole or not at all, wherever a store gives up, and leaves nothing behind.
func TestUploadFaults(t *testing.T) {
	t.Parallel()
	faults(t,
		func(f *fixture) { f.upload(bob, "there before") },
		func(f *fixture) error {
			_, err := f.Upload(f.Context(), content.Upload{Owner: alice, Size: -1, Body: strings.NewReader("new")})
			return err
		},
		func(f *fixture) {
			if usage, err := f.Usage(f.Context(), alice); err != nil || usage != (content.Usage{}) {
				f.Errorf("%+v %v", usage, err)
			}
		}, 1)
}

// MEDIA-13 wherever a store gives up: the ID is good for another attempt.
func TestFillFaults(t *testing.T) {
	t.Parallel()
	var id string
	fill := func(f *fixture) error {
		return f.Fill(f.Context(), content.Ref{Server: "example.org", ID: id}, content.Upload{Owner: alice, Size: -1, Body: strings.NewReader("late")})
	}
	faults(t,
		func(f *fixture) {
			var err error
			if id, _, err = f.Create(f.Context(), alice); err != nil {
				f.Fatal(err)
			}
		},
		fill,
		func(f *fixture) {
			if got := f.read(id); got != "" {
				f.Errorf("%q is visible", got)
			}
			if err := fill(f); err != nil {
				f.Errorf("second attempt: %v", err)
			}
			if got := f.read(id); got != "late" {
				f.Errorf("second attempt: %q", got)
			}
		}, 1)
}

// A thumbnail is kept or not, wherever a store gives up; the image stays as it is.
func TestThumbnailFaults(t *testing.T) {
	t.Parallel()
	var id string
	faults(t,
		func(f *fixture) { id = f.upload(alice, picture(t)) },
		func(f *fixture) error { return f.thumbnail(id) },
		func(f *fixture) {
			if err := f.thumbnail(id); err != nil {
				f.Error(err)
			}
		}, 2)
}

// What is deleted is gone at once, and its blobs with the next Sweep at the latest.
func TestDeleteFaults(t *testing.T) {
	t.Parallel()
	var id string
	faults(t,
		func(f *fixture) {
			id = f.upload(alice, picture(t))
			if err := f.thumbnail(id); err != nil {
				f.Fatal(err)
			}
		},
		func(f *fixture) error { return f.Delete(f.Context(), id) },
		func(f *fixture) {
			if f.read(id) == "" {
				f.Error("it is gone though the deletion has failed")
			}
			if err := f.Delete(f.Context(), id); err != nil {
				f.Error(err)
			}
		}, 0)
}

// Deletion by the host: one, all of a user, and what is not there.
func TestDelete(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	var hers []string
	for i := range 120 { // more than one transaction deletes
		hers = append(hers, f.upload(alice, fmt.Sprint("content ", i)))
	}
	shared, his := f.upload(alice, "shared"), f.upload(bob, "shared")
	if usage, err := f.Usage(f.Context(), alice); err != nil || usage.Files != 121 {
		t.Errorf("%+v %v", usage, err)
	}
	if err := f.Delete(f.Context(), hers[0]); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{hers[0], "NONE"} {
		for name, err := range map[string]error{
			"delete": f.Delete(f.Context(), id), "quarantine": f.Quarantine(f.Context(), id, true),
			"medium": func() error { _, err := f.Medium(f.Context(), id); return err }(),
		} {
			if !errors.Is(err, mxerr.MNotFound) {
				t.Errorf("%s %s: %v", name, id, err)
			}
		}
	}
	f.wantBlobs(120)
	if err := f.DeleteOf(f.Context(), alice); err != nil {
		t.Fatal(err)
	}
	if f.read(shared) != "" || f.read(hers[5]) != "" || f.read(his) != "shared" {
		t.Error("not just alice's content is gone")
	}
	f.wantBlobs(1)
	if usage, err := f.Usage(f.Context(), alice); err != nil || usage != (content.Usage{}) {
		t.Errorf("%+v %v", usage, err)
	}
}

// A host can go through what a user has uploaded, newest first.
func TestList(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	var want []string
	for i := range 5 {
		f.now = f.now.Add(time.Minute)
		want = append([]string{f.upload(alice, fmt.Sprint(i))}, want...)
	}
	f.upload(bob, "his")
	var got []string
	var last content.Medium
	for {
		page, err := f.List(f.Context(), alice, last, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			got = append(got, m.ID)
		}
		last = page[len(page)-1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if m, err := f.Medium(f.Context(), want[0]); err != nil || m.Owner != alice || m.Size != 1 || m.Type != "application/octet-stream" || m.StoredTS != f.now.UnixMilli() {
		t.Errorf("%+v %v", m, err)
	}
}

// Retention by the host: content goes that nobody has looked at for so long, downloads and thumbnails alike; icons of
// identity providers stay (SSO-5). Without it everything stays (HIST-1).
func TestRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	kept := newFixture(t, nil)
	old := kept.upload(alice, "old")
	kept.now = kept.now.Add(3650 * day)
	kept.sweep()
	if kept.read(old) != "old" {
		t.Error("content is gone without a retention")
	}

	f := newFixture(t, func(c *content.Config) { c.Retention = 30 * day })
	unused, used, avatar, icon := f.upload(alice, "unused"), f.upload(alice, "used"), f.upload(alice, picture(t)), f.upload("", "icon")
	f.Public = []string{icon, "NONE"}
	for range 3 {
		f.now = f.now.Add(15 * day)
		f.sweep()
		if f.read(used) != "used" || f.thumbnail(avatar) != nil {
			t.Error("content in use is gone")
		}
	}
	f.now = f.now.Add(time.Hour)
	f.sweep()
	if f.read(unused) != "" || f.read(icon) != "icon" {
		t.Error("the wrong content is gone")
	}
	f.wantBlobs(4) // used, the avatar and its thumbnail, the icon
}

// The time of the last access is written once a day.
func TestAccessIsNoted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	id := f.upload(alice, "x")
	for _, step := range []struct {
		after, at time.Duration
	}{{23 * time.Hour, 0}, {time.Hour, 24 * time.Hour}, {time.Hour, 24 * time.Hour}} {
		f.now = f.now.Add(step.after)
		f.read(id)
		if m, err := f.Medium(f.Context(), id); err != nil || m.AccessedTS-m.StoredTS != step.at.Milliseconds() {
			t.Errorf("accessed %d ms after it was stored, want %v (%v)", m.AccessedTS-m.StoredTS, step.at, err)
		}
	}
	f.now = f.now.Add(48 * time.Hour)
	f.st.FailAt(2, errBlobs) // not worth failing for
	if f.read(id) != "x" {
		t.Error("no content")
	}
}

// IDs whose content has not come in time go.
func TestSweepOfExpiredIDs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	for range 3 {
		if _, _, err := f.Create(f.Context(), alice); err != nil {
			t.Fatal(err)
		}
	}
	f.now = f.now.Add(24 * time.Hour)
	f.sweep()
	if usage, err := f.Usage(f.Context(), alice); err != nil || usage.Pending != 3 {
		t.Errorf("%+v %v", usage, err)
	}
	f.now = f.now.Add(time.Millisecond)
	f.sweep()
	if usage, err := f.Usage(f.Context(), alice); err != nil || usage.Pending != 0 {
		t.Errorf("%+v %v", usage, err)
	}
}

// A blob that is lost is 404 for the client, and an error for the log.
func TestLostBlob(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	id := f.upload(alice, "lost")
	if err := f.blobs.Delete(t.Context(), f.blobs.keys[0]); err != nil {
		t.Fatal(err)
	}
	_, err := f.Download(t.Context(), content.Ref{Server: "example.org", ID: id}, content.Access{})
	if !errors.Is(err, mxerr.MNotFound) {
		t.Error(err)
	}
}

// Uploads and deletions of the same content at once never lose what is still in use.
func TestSameContentAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var kept []string
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				id, err := f.Upload(t.Context(), content.Upload{Owner: events.UserID(fmt.Sprintf("@u%d:x", i)), Size: -1, Body: strings.NewReader("same")})
				if err != nil {
					t.Error(err)
					return
				}
				if i%2 == 0 {
					if err := f.Delete(t.Context(), id); err != nil {
						t.Error(err)
					}
					continue
				}
				mu.Lock()
				kept = append(kept, id)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, id := range kept {
		if f.read(id) != "same" {
			t.Fatal("content is lost")
		}
	}
	f.now = f.now.Add(25 * time.Hour)
	f.sweep()
	f.wantBlobs(1)
}
