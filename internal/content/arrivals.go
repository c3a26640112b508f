package content

import "sync"

// arrivals tells those who wait for content that it has come, through this
// process. Only IDs that somebody waits for are kept.
type arrivals struct {
	mu      sync.Mutex
	waiting map[string]*arrival
}

type arrival struct {
	come    chan struct{} // closed by announce
	waiters int
}

// watch returns a channel that is closed when the content of an ID comes after
// this call, and what to call when nobody looks at it any more.
func (a *arrivals) watch(id string) (come <-chan struct{}, leave func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.waiting[id]
	if w == nil {
		if a.waiting == nil {
			a.waiting = make(map[string]*arrival)
		}
		w = &arrival{come: make(chan struct{})}
		a.waiting[id] = w
	}
	w.waiters++
	return w.come, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if w.waiters--; w.waiters == 0 && a.waiting[id] == w {
			delete(a.waiting, id)
		}
	}
}

// announce says that the content of an ID is there.
func (a *arrivals) announce(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.waiting[id]; w != nil {
		close(w.come)
		delete(a.waiting, id)
	}
}
