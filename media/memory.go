package media

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
)

// Memory returns a Store that keeps everything in memory, without a limit, and
// is gone with the process: for tests.
func Memory() Store { return &memory{blobs: make(map[string][]byte)} }

type memory struct {
	mu    sync.Mutex
	blobs map[string][]byte // never changed once they are in
}

var _ Store = (*memory)(nil)

// Put implements Store.
func (m *memory) Put(ctx context.Context, key string, r io.Reader) error {
	if err := checkKey(key); err != nil {
		return err
	}
	b, err := io.ReadAll(reading{ctx, r})
	if err != nil {
		return fmt.Errorf("media: put blob: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[key] = b
	return nil
}

// Open implements Store.
func (m *memory) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[key]
	if !ok {
		return nil, ErrNotFound
	}
	return &openBlob{bytes.NewReader(b)}, nil
}

// Delete implements Store.
func (m *memory) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, key)
	return nil
}

// openBlob is a blob in memory. It does not show its other methods, which the
// library must not come to need.
type openBlob struct{ r *bytes.Reader }

// Read implements io.Reader.
func (b *openBlob) Read(p []byte) (int, error) { return b.r.Read(p) }

// Seek implements io.Seeker.
func (b *openBlob) Seek(offset int64, whence int) (int64, error) { return b.r.Seek(offset, whence) }

// Close implements io.Closer.
func (b *openBlob) Close() error { return nil }
