// Package mediatest is the conformance suite of package media: whatever passes it can keep
// a homeserver's content.
//
//	func TestBucket(t *testing.T) {
//		mediatest.Run(t, func(t *testing.T) media.Store {
//			return newBucket(t) // empty, and gone with the test
//		})
//	}
//
// # What is checked
//
// Each case is named after the sentence of the contract in [media.Store] that it checks:
//
//   - a blob is there when all of it is, or not at all: not while it is being put, not
//     after its reader has failed or its context has ended;
//   - what was put comes back byte by byte, from its beginning and, since clients ask for
//     parts of large files, from wherever a reader seeks to;
//   - a key is any of those that the server makes, which differ in case and begin with each
//     other, and one that is not there is media.ErrNotFound;
//   - readers, writers and deletions at the same time do not disturb each other.
//
// [Run] gives every case a store of its own and runs them at once, so a store on a service
// that several tests share needs a prefix for each.
//
// # What is not
//
// What no test can see is left to the implementation: that a blob is durable when Put
// returns, and that a large one does not pass through memory in one piece. For the first,
// end the power supply, or read the documentation of the service about when a write has
// been made; for the second, put a file that is larger than the memory.
package mediatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/ca4c8834/homeserver/media"
)

// rule is a sentence of the contract and how it shows.
type rule struct {
	says string
	test func(f *fixture)
}

// Run runs the suite in parallel subtests. open is called for each of them and
// returns an empty store.
func Run(t *testing.T, open func(t *testing.T) media.Store) {
	for _, r := range rules() {
		t.Run(r.says, func(t *testing.T) {
			t.Parallel()
			r.test(&fixture{t, open(t)})
		})
	}
}

func rules() []rule {
	return []rule{
		{"Put keeps what it read under key, Open returns it from its beginning", putAndOpen},
		{"a key has 3 to 128 characters of A-Z, a-z, 0-9, '_' and '-'", func(f *fixture) {
			for _, key := range []string{strings.Repeat("k", 128), "abc", "AZaz09_-", "_-_-_-_-", "--------"} {
				f.put(key, key)
				f.has(key, key)
			}
		}},
		{"the blob can be opened when all of it is there, and not before", halfWritten},
		{"after an error of r there is nothing, and the error is returned", func(f *fixture) {
			broken := errors.New("connection lost")
			for i, part := range []string{"", "some of it", strings.Repeat("x", 1<<20)} {
				key := fmt.Sprint("broken-", i)
				err := f.st.Put(f.Context(), key, io.MultiReader(strings.NewReader(part), iotest.ErrReader(broken)))
				f.is(err, broken)
				f.missing(key)
				f.put(key, "again")
				f.has(key, "again")
			}
		}},
		{"a Put whose context ends keeps nothing", ended},
		{"Put reads r in whatever pieces it comes", func(f *fixture) {
			want := content(300_000)
			for i, r := range []io.Reader{
				iotest.HalfReader(bytes.NewReader(want)), iotest.DataErrReader(bytes.NewReader(want)),
				io.MultiReader(bytes.NewReader(want[:1]), strings.NewReader(""), bytes.NewReader(want[1:])),
			} {
				key := fmt.Sprint("pieces-", i)
				f.is(f.st.Put(f.Context(), key, r), nil)
				f.has(key, string(want))
			}
		}},
		{"Open: ErrNotFound", func(f *fixture) {
			f.put("here-1", "x")
			f.missing("here-2")
			f.missing("here")
			f.missing("HERE-1")
		}},
		{"downloads seek: to the end to learn the size, and to where a range begins", seek},
		{"several readers of one blob do not disturb each other", func(f *fixture) {
			want := content(200_000)
			f.put("shared", string(want))
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { f.has("shared", string(want)) })
			}
			wg.Wait()
		}},
		{"any number of calls at once", func(f *fixture) {
			var wg sync.WaitGroup
			for i := range 32 {
				wg.Go(func() {
					key, want := fmt.Sprint("key-", i), strings.Repeat(fmt.Sprint(i, " "), 10_000)
					f.put(key, want)
					f.has(key, want)
					if i%2 == 0 {
						f.is(f.st.Delete(f.Context(), key), nil)
						f.missing(key)
					}
				})
			}
			wg.Wait()
			for i := range 32 {
				if key := fmt.Sprint("key-", i); i%2 == 0 {
					f.missing(key)
				} else {
					f.has(key, strings.Repeat(fmt.Sprint(i, " "), 10_000))
				}
			}
		}},
		{"Delete removes a blob and no other; none is no error", func(f *fixture) {
			f.put("blob-a", "a")
			f.put("blob-ab", "ab")
			for range 2 {
				f.is(f.st.Delete(f.Context(), "blob-a"), nil)
				f.missing("blob-a")
			}
			f.has("blob-ab", "ab")
			f.is(f.st.Delete(f.Context(), "never-there"), nil)
		}},
		{"a context that is over ends every call", func(f *fixture) {
			f.put("kept", "x")
			ctx, cancel := context.WithCancel(f.Context())
			cancel()
			_, err := f.st.Open(ctx, "kept")
			f.is(err, context.Canceled)
			f.is(f.st.Delete(ctx, "kept"), context.Canceled)
			f.has("kept", "x")
		}},
	}
}

// fixture is one case with its store.
type fixture struct {
	*testing.T
	st media.Store
}

// content returns n bytes that differ from their neighbours.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func (f *fixture) put(key, content string) {
	f.Helper()
	if err := f.st.Put(f.Context(), key, strings.NewReader(content)); err != nil {
		f.Errorf("put %s: %v", key, err)
	}
}

// has wants a blob to have this content.
func (f *fixture) has(key, want string) {
	f.Helper()
	blob, err := f.st.Open(f.Context(), key)
	if err != nil {
		f.Errorf("open %s: %v", key, err)
		return
	}
	got, err := io.ReadAll(blob)
	if err = errors.Join(err, blob.Close()); err != nil || string(got) != want {
		f.Errorf("%s has %d bytes that are not the %d put (%v)", key, len(got), len(want), err)
	}
}

func (f *fixture) missing(key string) {
	f.Helper()
	blob, err := f.st.Open(f.Context(), key)
	f.is(err, media.ErrNotFound)
	if err == nil {
		f.is(blob.Close(), nil)
	}
}

func (f *fixture) is(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("error is %v, want %v", err, want)
	}
}

func putAndOpen(f *fixture) {
	for _, n := range []int{0, 1, 511, 128 << 10, 128<<10 + 1, 3 << 20} {
		key := fmt.Sprint("blob-of-", n)
		f.put(key, string(content(n)))
		f.has(key, string(content(n)))
		f.has(key, string(content(n)))
	}
}

func halfWritten(f *fixture) {
	r, w := io.Pipe()
	done := make(chan error)
	go func() { done <- f.st.Put(f.Context(), "slow", r) }()
	for _, piece := range []string{"first", "second"} {
		if _, err := io.WriteString(w, piece); err != nil {
			f.Error(err)
		}
		f.missing("slow")
	}
	f.is(w.Close(), nil)
	f.is(<-done, nil)
	f.has("slow", "firstsecond")
}

func ended(f *fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	r, w := io.Pipe()
	done := make(chan error)
	go func() { done <- f.st.Put(ctx, "left", r) }()
	if _, err := io.WriteString(w, "some"); err != nil {
		f.Error(err)
	}
	cancel()
	// As the body of a request, r ends with its context; Put may also notice
	// by itself, before it reads on or after.
	f.is(w.CloseWithError(context.Canceled), nil)
	f.is(<-done, context.Canceled)
	f.missing("left")
	f.put("left", "again")
	f.has("left", "again")

	f.is(f.st.Put(ctx, "never", strings.NewReader("x")), context.Canceled)
	f.missing("never")
}

func seek(f *fixture) {
	want := content(100_000)
	f.put("seek", string(want))
	blob, err := f.st.Open(f.Context(), "seek")
	if err != nil {
		f.Fatal(err)
	}
	defer func() { f.is(blob.Close(), nil) }()
	if size, err := blob.Seek(0, io.SeekEnd); err != nil || size != int64(len(want)) {
		f.Errorf("size %d, %v", size, err)
	}
	if n, err := blob.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		f.Errorf("reading at the end: %d, %v", n, err)
	}
	for _, at := range []int{0, 99_999, 50_000} {
		if pos, err := blob.Seek(int64(at), io.SeekStart); err != nil || pos != int64(at) {
			f.Errorf("seek to %d: %d, %v", at, pos, err)
		}
		got := make([]byte, min(1000, len(want)-at))
		if _, err := io.ReadFull(blob, got); err != nil || !bytes.Equal(got, want[at:at+len(got)]) {
			f.Errorf("wrong bytes at %d (%v)", at, err)
		}
	}
	if pos, err := blob.Seek(-500, io.SeekCurrent); err != nil || pos != 50_500 {
		f.Errorf("seek back: %d, %v", pos, err)
	}
}
