package live

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Memory is a server's memory of its rooms and active users. Its methods are
// safe for concurrent use.
type Memory struct {
	store store.Store
	limit int // bytes that rooms may take
	now   func() time.Time

	position atomic.Int64 // everything up to here is applied

	mu    sync.Mutex
	rooms map[events.RoomID]*entry
	lru   list.List // of *entry, the most recently used in front
	size  int       // of all rooms in lru

	users    users
	observer Observer
}

// Observer is told of the events of all rooms.
type Observer interface {
	// EventAdded is called for every event, in the order of the positions, while
	// the store commits: what it does, all senders wait for. The room has the
	// event, Position does not include it yet.
	EventAdded(r *Room, e *Event)

	// Moved is called when Position includes all events of EventAdded; likewise.
	Moved()
}

// Observe tells an observer of all events from now on. It must be called before
// the memory is in use.
func (m *Memory) Observe(o Observer) { m.observer = o }

// entry is a room in memory, or one that a reader is loading.
type entry struct {
	room    *Room // nil: being loaded
	element *list.Element
	done    chan struct{} // closed when the load has ended
}

// DefaultLimit is a bound on rooms in memory with place for a thousand rooms of fifty
// members.
const DefaultLimit = 64 << 20

// New makes an empty memory over a store. limit bounds, roughly and in bytes,
// what the rooms in it may take; now is the clock.
func New(st store.Store, limit int, now func() time.Time) *Memory {
	m := &Memory{store: st, limit: limit, now: now, rooms: map[events.RoomID]*entry{}}
	m.users.init()
	m.position.Store(int64(st.Position()))
	return m
}

// Position is the newest position that memory knows of: everything up to it is
// in the rooms and announced to the users.
func (m *Memory) Position() store.Pos { return store.Pos(m.position.Load()) }

// View reads from the store.
func (m *Memory) View(ctx context.Context, fn func(store.View) error) error {
	return m.store.View(ctx, fn)
}

// Room returns a room, loading it if need be. store.ErrNotFound.
func (m *Memory) Room(ctx context.Context, id events.RoomID) (*Room, error) {
	return m.room(ctx, id, true)
}

// Look is Room for those who go through many rooms: it does not count as use, and
// what it loads is kept only if no other room has to go for it. So somebody who is
// in more rooms than fit does not drop each of them just before they come back to
// it. A room that is not kept stays as it was when it was read, which is after Look
// was called.
func (m *Memory) Look(ctx context.Context, id events.RoomID) (*Room, error) {
	return m.room(ctx, id, false)
}

func (m *Memory) room(ctx context.Context, id events.RoomID, use bool) (*Room, error) {
	for {
		m.mu.Lock()
		e, ok := m.rooms[id]
		if ok && e.room != nil {
			if use {
				m.lru.MoveToFront(e.element)
			}
			m.mu.Unlock()
			if e.room.Newest() == 0 { // made by a transaction that has not committed
				return nil, store.ErrNotFound
			}
			return e.room, nil
		}
		if !ok {
			e = &entry{done: make(chan struct{})}
			m.rooms[id] = e
		}
		m.mu.Unlock()
		if !ok {
			return m.loadFor(ctx, id, e, use)
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// loadFor loads a room for the readers that wait for e. If the writer has put
// the room into memory meanwhile, that one is the truth: what was read here may
// be older than what the writer has added since.
func (m *Memory) loadFor(ctx context.Context, id events.RoomID, e *entry, use bool) (*Room, error) {
	var r *Room
	err := m.store.View(ctx, func(v store.View) error {
		row, err := v.Room(id)
		if err != nil {
			return err
		}
		r, err = load(v, row)
		return err
	})
	m.mu.Lock()
	mine := m.rooms[id] == e
	switch {
	case mine && err == nil && (use || m.size+r.size <= m.limit):
		m.insert(e, r)
	case mine:
		delete(m.rooms, id)
	}
	m.mu.Unlock()
	close(e.done)
	if err == nil && !mine {
		return m.room(ctx, id, use)
	}
	return r, err
}

// draft returns the draft of a room inside a transaction. It never waits for a
// reader, who may be waiting for the store.
func (m *Memory) draft(v store.View, id events.RoomID) (*Draft, error) {
	m.mu.Lock()
	if e := m.rooms[id]; e != nil && e.room != nil {
		defer m.mu.Unlock()
		m.lru.MoveToFront(e.element)
		return e.room.openDraft(), nil
	}
	m.mu.Unlock()
	row, err := v.Room(id)
	if err != nil {
		return nil, err
	}
	r, err := load(v, row)
	if err != nil {
		return nil, err
	}
	return m.put(r), nil
}

// put places the writer's room in memory, instead of one that a reader may be
// loading, and opens its draft.
func (m *Memory) put(r *Room) *Draft {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := &entry{}
	m.rooms[r.ID] = e
	d := r.openDraft()
	m.insert(e, r)
	return d
}

// close ends drafts that nothing was changed in.
func (m *Memory) close(drafts []*Draft) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range drafts {
		if d.pending == 0 && d.Room.draft == d {
			d.Room.draft = nil
		}
	}
}

// insert fills an entry and drops the rooms used least recently while all
// together are too large. Rooms with a draft stay. m.mu is held.
func (m *Memory) insert(e *entry, r *Room) {
	e.room = r
	e.element = m.lru.PushFront(e)
	m.size += r.size
	for el := m.lru.Back(); m.size > m.limit && el != nil && el != e.element; {
		victim := el.Value.(*entry)
		el = el.Prev()
		if victim.room.draft == nil {
			m.drop(victim)
		}
	}
}

func (m *Memory) drop(e *entry) {
	m.lru.Remove(e.element)
	delete(m.rooms, e.room.ID)
	m.size -= e.room.size
}

// apply makes committed changes visible, then moves the position, then tells
// those whom they concern.
func (m *Memory) apply(changes []change) {
	last := m.Position()
	for _, c := range changes {
		last = max(last, c.pos)
		switch {
		case c.event != nil:
			grown := c.room.append(c.event)
			m.mu.Lock()
			m.size += grown
			m.mu.Unlock()
			m.users.eventAdded(c.room, c.event)
			m.settle(c.room)
			if m.observer != nil {
				m.observer.EventAdded(c.room, c.event)
			}
		case c.redacted != nil:
			c.room.redact(c.redacted)
			m.settle(c.room)
		case c.typing != nil:
			c.typing()
			m.users.roomChanged(RoomChange{Num: c.room.Num, ID: c.room.ID, Pos: c.pos}, "")
		case c.presence != nil:
			c.presence()
			m.users.presenceChanged(c.user, c.rooms, c.pos)
		case c.receipts:
			c.room.receiptsAdded(c.pos)
			m.users.roomChanged(RoomChange{Num: c.room.Num, ID: c.room.ID, Pos: c.pos}, c.user)
		case c.related:
			c.room.relationAdded(c.pos)
		case c.deleted:
			m.settle(c.room)
			m.roomDeleted(c.room)
		case c.forgotten:
			m.users.roomForgotten(c.user, c.room.Num)
		default:
			m.users.userChanged(c.user, c.pos)
		}
	}
	m.position.Store(int64(last))
	m.users.announce()
	if m.observer != nil {
		m.observer.Moved()
	}
}

// RoomAfter returns a channel that is closed once a room has an event after a position,
// or sooner, for those who look on without being members. They call stop when they wait
// no more.
func (m *Memory) RoomAfter(id events.RoomID, pos store.Pos) (news <-chan struct{}, stop func()) {
	w := m.users.watch(id)
	stop = func() { m.users.unwatch(id, w) }
	if m.Position() > pos { // perhaps in this room, before the watch was set
		now := make(chan struct{})
		close(now)
		return now, stop
	}
	return w.done, stop
}

// UserChanged announces a change that concerns one user alone, such as their
// account data. It must be called while the store commits, from OnCommit.
func (m *Memory) UserChanged(user events.UserID, pos store.Pos) {
	m.users.userChanged(user, pos)
	m.position.Store(int64(max(m.Position(), pos)))
	m.users.announce()
}

// DevicesChanged announces a change of a user's devices to the user and to the
// members of rooms. It must be called while the store commits, from OnCommit.
func (m *Memory) DevicesChanged(user events.UserID, rooms []store.RoomNum, pos store.Pos) {
	for _, num := range rooms {
		for _, u := range m.users.byRoom[num] {
			m.users.note(u, pos)
			u.devicesChanged(pos)
		}
	}
	m.UserChanged(user, pos)
}

// discard takes back changes that were rolled back, the newest first, as the
// store does with the transactions they belong to.
func (m *Memory) discard(changes []change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range slices.Backward(changes) {
		if c.event == nil && c.redacted == nil && !c.deleted {
			continue
		}
		d := c.room.draft
		if d.undo(c.undo); d.pending > 0 {
			continue
		}
		c.room.draft = nil
		if e := m.rooms[c.room.ID]; c.room.newest == 0 && e != nil && e.room == c.room { // the room itself was part of it
			m.drop(e)
		}
	}
}

// settle ends a draft whose changes have all been applied.
func (m *Memory) settle(r *Room) {
	if r.draft.pending--; r.draft.pending == 0 {
		m.mu.Lock()
		r.draft = nil
		m.mu.Unlock()
	}
}
