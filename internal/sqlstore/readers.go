package sqlstore

import (
	"context"
	"errors"
	"sync"
)

// readers is the pool of connections for Views. The one used last is used
// next, so that a quiet server needs, and warms, only one.
type readers struct {
	open  func(context.Context) (*conn, error)
	slots chan struct{} // holds one token per connection that may be taken

	mu   sync.Mutex
	idle []*conn
}

func newReaders(n int, open func(context.Context) (*conn, error)) *readers {
	r := &readers{open: open, slots: make(chan struct{}, n)}
	for range n {
		r.slots <- struct{}{}
	}
	return r
}

// sharedReader is a pool of the writer's connection.
func sharedReader(c *conn) *readers {
	r := newReaders(1, nil)
	r.idle = append(r.idle, c)
	return r
}

// take waits for a connection; put gives it back.
func (r *readers) take(ctx context.Context) (*conn, error) {
	select {
	case <-r.slots:
	default:
		select {
		case <-r.slots:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	if n := len(r.idle); n > 0 {
		c := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return c, nil
	}
	r.mu.Unlock()
	c, err := r.open(ctx)
	if err != nil {
		r.slots <- struct{}{}
		return nil, err
	}
	return c, nil
}

func (r *readers) put(c *conn) {
	r.mu.Lock()
	r.idle = append(r.idle, c)
	r.mu.Unlock()
	r.slots <- struct{}{}
}

// close closes all connections, which must have been put back.
func (r *readers) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for _, c := range r.idle {
		errs = append(errs, c.close())
	}
	r.idle = nil
	return errors.Join(errs...)
}
