package live

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// User is someone who syncs. Its methods are safe for concurrent use.
type User struct {
	ID events.UserID

	mu      sync.Mutex
	rooms   map[store.RoomNum]*place
	newest  *place        // head of the list of places, the latest change first
	changed store.Pos     // newest change of any kind that has been announced
	wake    chan struct{} // closed by the next announcement; nil while nobody waits

	dirty store.Pos // newest change that is not announced yet; the writer's own

	// Of users.mu.
	connections int
	idleSince   time.Time     // when the last connection went
	idle        *list.Element // nil: connected
}

// place is a room that the user has something to do with.
type place struct {
	RoomChange
	joined     bool // in users.byRoom; the writer's own
	prev, next *place
}

// RoomChange says when a room last changed for a user.
type RoomChange struct {
	Num store.RoomNum
	ID  events.RoomID
	Pos store.Pos
	// Forgotten says that the user has left the room and does not want to be
	// reminded of it.
	Forgotten bool
}

// RoomsSince returns the rooms that changed for the user after a position, the
// latest first. For a room the user has left, the leaving is the last change.
func (u *User) RoomsSince(pos store.Pos) []RoomChange {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for p := u.newest; p != nil && p.Pos > pos; p = p.next {
		n++
	}
	if n == 0 {
		return nil
	}
	out := make([]RoomChange, 0, n)
	for p := u.newest; len(out) < n; p = p.next {
		out = append(out, p.RoomChange)
	}
	return out
}

// Changed is the position of the newest change that concerns the user.
func (u *User) Changed() store.Pos {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.changed
}

// Wait returns when something has changed for the user after a position, at
// once if it already has. It returns the context's error when that ends first.
func (u *User) Wait(ctx context.Context, pos store.Pos) error {
	for {
		u.mu.Lock()
		if u.changed > pos {
			u.mu.Unlock()
			return nil
		}
		if u.wake == nil {
			u.wake = make(chan struct{})
		}
		wake := u.wake
		u.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// announce lets the change of a transaction be seen by those who wait.
func (u *User) announce() {
	u.mu.Lock()
	u.changed = max(u.changed, u.dirty)
	if u.wake != nil {
		close(u.wake)
		u.wake = nil
	}
	u.mu.Unlock()
	u.dirty = 0
}

// move puts a room in front of the list of places, adding it if need be.
func (u *User) move(c RoomChange) *place {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.rooms[c.Num]
	if p == nil {
		p = &place{}
		u.rooms[c.Num] = p
	} else {
		u.unlink(p)
	}
	p.RoomChange = c
	p.next = u.newest
	if p.next != nil {
		p.next.prev = p
	}
	u.newest = p
	return p
}

// forget marks a room as forgotten. It keeps its place: that the user has left
// may still have to be told (MEMB-33).
func (u *User) forget(num store.RoomNum) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if p := u.rooms[num]; p != nil {
		p.Forgotten = true
	}
}

func (u *User) unlink(p *place) {
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		u.newest = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
}
