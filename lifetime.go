package homeserver

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// lifetime knows the requests a server is busy with and ends them in two steps:
// first those that only wait, then all.
type lifetime struct {
	// stopping ends when the server is asked to stop. Long polls watch it.
	stopping context.Context
	stop     context.CancelFunc

	mu   sync.Mutex
	next int
	busy map[int]context.CancelCauseFunc // the requests in progress
	idle chan struct{}                   // closed when stopping and no longer busy
}

func newLifetime() *lifetime {
	l := &lifetime{busy: make(map[int]context.CancelCauseFunc), idle: make(chan struct{})}
	l.stopping, l.stop = context.WithCancel(context.Background())
	return l
}

// enter lets a request in, unless the server is stopping. It returns the
// request's context from now on, and what to call at its end.
func (l *lifetime) enter(parent context.Context) (ctx context.Context, leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping.Err() != nil {
		return nil, nil, false
	}
	ctx, cancel := context.WithCancelCause(parent)
	id := l.next
	l.next++
	l.busy[id] = cancel
	return ctx, func() { l.leave(id) }, true
}

func (l *lifetime) leave(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy[id](nil)
	delete(l.busy, id)
	if len(l.busy) == 0 && l.stopping.Err() != nil {
		close(l.idle)
	}
}

// refuse lets nobody in any more and releases those who wait.
func (l *lifetime) refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping.Err() == nil {
		l.stop()
		if len(l.busy) == 0 {
			close(l.idle)
		}
	}
}

// end waits for the requests in progress, or cuts them off when ctx ends.
func (l *lifetime) end(ctx context.Context) error {
	l.refuse()
	select {
	case <-l.idle:
		return nil
	case <-ctx.Done():
	}
	if left := l.cutOff(); left > 0 {
		return fmt.Errorf("shut down: cut off %d requests: %w", left, ctx.Err())
	}
	return nil
}

// cutOff ends all requests at once and returns how many there were.
func (l *lifetime) cutOff() int {
	l.refuse()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, cancel := range l.busy {
		cancel(errStopping())
	}
	return len(l.busy)
}

// errStopping is the answer to all who come too late.
func errStopping() *mxerr.Error {
	return mxerr.New(http.StatusServiceUnavailable, mxerr.MUnknown, "the server is stopping")
}

// unmount strips whatever the host has mounted the server under. The path stays
// in the form in which the client has escaped it (CLIENT-33).
func unmount(r *http.Request) *http.Request {
	path := r.URL.EscapedPath()
	start := len(path)
	for _, root := range []string{"/_matrix/", "/.well-known/matrix/"} {
		if i := strings.Index(path, root); i >= 0 {
			start = min(start, i)
		}
	}
	if start == 0 || start == len(path) {
		return r
	}
	plain, err := url.PathUnescape(path[start:])
	if err != nil {
		return r // EscapedPath returns nothing of the kind
	}
	u := *r.URL
	u.Path, u.RawPath = plain, path[start:]
	r.URL = &u
	return r
}
