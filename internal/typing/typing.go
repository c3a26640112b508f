package typing

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Limits of how long somebody types without saying so again (TYP-3).
const (
	defaultTimeout = 30 * time.Second
	maxTimeout     = 2 * time.Minute
)

// retryAfter is when it is tried again to end typing that the store did not let end.
const retryAfter = 30 * time.Second

// forgetAfter is how long it is remembered that nobody types in a room any more.
const forgetAfter = time.Hour

// Service is the service for typing. Its methods may be called at once and from any
// goroutine.
type Service struct {
	memory *live.Memory
	now    func() time.Time
	log    *slog.Logger

	mu     sync.Mutex
	rooms  map[events.RoomID]*room
	closed bool
	expiry sync.WaitGroup
}

// room is who types in a room. It changes only while the store commits.
type room struct {
	users   map[events.UserID]*time.Timer
	pos     store.Pos // of the latest change
	changed time.Time
}

// New makes the service. Close must be called at the end.
func New(ctx context.Context, memory *live.Memory, now func() time.Time, log *slog.Logger) (*Service, error) {
	s := &Service{memory: memory, now: now, log: log, rooms: map[events.RoomID]*room{}}
	var stale []events.RoomID
	err := memory.View(ctx, func(v store.View) (err error) {
		stale, err = v.TypingRooms()
		return err
	})
	if err != nil || stale == nil {
		return s, err
	}
	return s, memory.Update(ctx, func(tx *live.Tx) error {
		pos := tx.Next()
		for _, id := range stale {
			s.rooms[id] = &room{users: map[events.UserID]*time.Timer{}, pos: pos, changed: now()}
		}
		tx.UserChanged("", pos) // nobody is connected yet; the position has to move
		return nil
	})
}

// Close ends all typing without telling anybody, and waits for what is going on.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for _, r := range s.rooms {
		for _, timer := range r.users {
			if timer.Stop() {
				s.expiry.Done()
			}
		}
		clear(r.users)
	}
	s.mu.Unlock()
	s.expiry.Wait()
}

// Set says that a user types in a room for a time, 0 for the default, or has
// stopped. M_FORBIDDEN if they are not in the room (TYP-2).
func (s *Service) Set(ctx context.Context, user events.UserID, id events.RoomID, typing bool, timeout time.Duration) error {
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	timeout = min(timeout, maxTimeout)
	r, err := s.memory.Room(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || r.Membership(user) != events.MembershipJoin {
		return mxerr.Forbidden("%s is not in room %s", user, id)
	}
	if s.unchanged(user, id, typing, timeout) {
		return nil
	}
	return s.memory.Update(ctx, func(tx *live.Tx) error {
		d, err := tx.Room(id)
		if err != nil {
			return err
		}
		if !typing {
			return s.Stop(tx, d, user)
		}
		if d.Membership(user) != events.MembershipJoin {
			return mxerr.Forbidden("%s is not in room %s", user, id)
		}
		if err := s.remember(tx, id); err != nil {
			return err
		}
		pos := tx.Next()
		tx.TypingChanged(d, pos, func() {
			s.apply(id, pos, func(r *room) { r.users[user] = s.timer(user, id, timeout) })
		})
		return nil
	})
}

// unchanged reports whether a call changes nothing but a deadline, which it sets.
func (s *Service) unchanged(user events.UserID, id events.RoomID, typing bool, timeout time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return true
	}
	var timer *time.Timer
	if r := s.rooms[id]; r != nil {
		timer = r.users[user]
	}
	if !typing {
		return timer == nil
	}
	if timer == nil || !timer.Stop() {
		return false
	}
	s.expiry.Done()
	s.rooms[id].users[user] = s.timer(user, id, timeout)
	return true
}

// Stop ends a user's typing in a room, if they do, inside a transaction: with what
// they have sent, or because they leave (TYP-4).
func (s *Service) Stop(tx *live.Tx, d *live.Draft, user events.UserID) error {
	s.mu.Lock()
	r := s.rooms[d.ID]
	typing := r != nil && r.users[user] != nil
	s.mu.Unlock()
	if !typing {
		return nil
	}
	pos := tx.Next()
	tx.TypingChanged(d, pos, func() {
		s.apply(d.ID, pos, func(r *room) {
			if timer := r.users[user]; timer != nil && timer.Stop() {
				s.expiry.Done()
			}
			delete(r.users, user)
		})
	})
	return nil
}

// apply makes a committed change.
func (s *Service) apply(id events.RoomID, pos store.Pos, change func(*room)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	r := s.rooms[id]
	if r == nil {
		s.forget()
		r = &room{users: map[events.UserID]*time.Timer{}}
		s.rooms[id] = r
	}
	change(r)
	r.pos, r.changed = pos, s.now()
}

// remember stores that a room is in memory, and of others that they are not for much longer.
func (s *Service) remember(tx *live.Tx, id events.RoomID) error {
	s.mu.Lock()
	r := s.rooms[id]
	if r != nil && !s.idle(r) {
		s.mu.Unlock()
		return nil
	}
	var idle []events.RoomID
	for other, r := range s.rooms {
		if s.idle(r) && other != id {
			idle = append(idle, other)
		}
	}
	s.mu.Unlock()
	for _, other := range idle {
		if err := tx.SetTyping(other, false); err != nil {
			return err
		}
	}
	return tx.SetTyping(id, true)
}

// forget drops the idle rooms. s.mu is held.
func (s *Service) forget() {
	maps.DeleteFunc(s.rooms, func(_ events.RoomID, r *room) bool { return s.idle(r) })
}

// idle reports whether nobody has typed in a room for long. s.mu is held.
func (s *Service) idle(r *room) bool {
	return len(r.users) == 0 && s.now().Sub(r.changed) > forgetAfter
}

// timer ends a user's typing after a time. s.mu is held.
func (s *Service) timer(user events.UserID, id events.RoomID, after time.Duration) *time.Timer {
	s.expiry.Add(1)
	var timer *time.Timer
	timer = time.AfterFunc(after, func() {
		defer s.expiry.Done()
		s.mu.Lock()
		current := !s.closed && s.rooms[id] != nil && s.rooms[id].users[user] == timer
		s.mu.Unlock()
		if !current {
			return
		}
		err := s.memory.Update(context.Background(), func(tx *live.Tx) error {
			d, err := tx.Room(id)
			if err != nil {
				return err
			}
			return s.Stop(tx, d, user)
		})
		if err == nil || errors.Is(err, store.ErrClosed) {
			return
		}
		s.log.Warn("end typing", "room_id", id, "user_id", user, "error", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		if r := s.rooms[id]; !s.closed && r != nil && r.users[user] == timer { // or else they would type for ever
			r.users[user] = s.timer(user, id, retryAfter)
		}
	})
	return timer
}

// In returns who types in a room, in order, and the position of the latest change;
// 0 if nothing is known of the room.
func (s *Service) In(id events.RoomID) ([]events.UserID, store.Pos) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[id]
	if r == nil {
		return nil, 0
	}
	return slices.Sorted(maps.Keys(r.users)), r.pos
}

// ChangedSince returns the rooms where it changed after a position who types, the
// latest first.
func (s *Service) ChangedSince(pos store.Pos) []live.RoomChange {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []live.RoomChange
	for id, r := range s.rooms {
		if r.pos > pos {
			list = append(list, live.RoomChange{ID: id, Pos: r.pos})
		}
	}
	slices.SortFunc(list, func(a, b live.RoomChange) int { return cmp.Compare(b.Pos, a.Pos) })
	return list
}
