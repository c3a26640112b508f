// Package media keeps the bytes of the content repository: pictures, videos and
// whatever else users upload, and the thumbnails made of them.
//
//	homeserver.WithMediaStore(media.Dir("media"))
//
// [Dir] keeps one file for each blob, [Memory] is for tests, and anything else
// (a bucket of an object store, a table of the host's database) is a [Store] of
// the host's own, checked by package mediatest.
//
// # What is where
//
// A Store knows keys and bytes and nothing else. Who uploaded something, when,
// under what name and type, whether it may be seen, and which keys are in use at
// all is in the database (package store). Neither is of use without the other:
// copy both, the database first, since a blob without a row is garbage that goes
// away by itself and a row without a blob is a loss.
//
// # Keys
//
// The server chooses a new random key for every blob and never uses one again,
// so a blob never changes: it is put once, opened any number of times, deleted.
// Content that is there already is recognised by its SHA-256 in the database,
// which then refers to the earlier blob. That is why keys are not hashes: to
// decide that a hash is not needed any more and to delete it would be two steps
// in two places, and an upload of the same content could come between them.
//
// A key is announced in the database before its blob is put. Whatever a crash
// leaves behind, complete or not, is therefore known, and is deleted a day later.
package media

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// ErrNotFound says that there is no blob of this key; compare with errors.Is.
var ErrNotFound = errors.New("media: no such blob")

// Store keeps blobs.
//
// Called from: uploads, downloads, thumbnails, URL previews and the clean-up.
// Concurrency: any number of calls at once, but never Put and Delete of one key.
// Context: ends with the client's request; a Put whose context ends keeps
// nothing.
// Errors: ErrNotFound from Open; whatever r returned from Put, wrapped or not;
// the context's. Any other is a fault: the client gets a 500 without its text.
// Ownership: r is not used after Put has returned.
type Store interface {
	// Put reads r to its end and keeps what it read under key, which has 3 to
	// 128 characters of A-Z, a-z, 0-9, '_' and '-'.
	//
	// It is atomic: the blob can be opened when all of it is durable, and not
	// before; after an error, of r too, there is nothing. r may be as large as
	// the largest upload and slow: it is to be passed on in pieces and without
	// holding anything that others wait for.
	Put(ctx context.Context, key string, r io.Reader) error

	// Open returns a blob to be read from its beginning. ErrNotFound. The
	// context is for the opening only. The caller closes the result and uses it
	// from one goroutine. Downloads seek in it: once to the end to learn the
	// size and to where a range begins; an *os.File is sent without being
	// copied through memory. What happens to an open blob that is deleted is up
	// to the Store.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)

	// Delete removes a blob, and what an interrupted Put has left of it. None is
	// no error.
	Delete(ctx context.Context, key string) error
}

// minKey and maxKey are the lengths of the shortest and the longest key.
const (
	minKey = 3
	maxKey = 128
)

// checkKey refuses what could be taken for anything else than the name of a file.
func checkKey(key string) error {
	if len(key) < minKey || len(key) > maxKey {
		return fmt.Errorf("media: key of %d bytes", len(key))
	}
	for _, c := range []byte(key) {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return fmt.Errorf("media: key %q is not of letters, digits, '_' and '-'", key)
		}
	}
	return nil
}

// reading is an io.Reader that ends with a context.
type reading struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
