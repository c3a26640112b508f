package presence

import (
	"container/list"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// When presence changes by itself.
const (
	// Grace is how long a device counts after its last sync.
	Grace = 30 * time.Second
	// IdleAfter is how long somebody is online without doing anything.
	IdleAfter = 5 * time.Minute
)

// forgetAfter is how long it is remembered that somebody is offline.
const forgetAfter = 24 * time.Hour

// maxStatus bounds a status message in bytes.
const maxStatus = 1 << 10

// State is how available somebody is; the order is that of availability.
type State uint8

// The states.
const (
	Offline State = iota
	Unavailable
	Online
)

// ParseState reads the name of a state.
func ParseState(name string) (State, bool) {
	i := slices.Index([]string{"offline", "unavailable", "online"}, name)
	return State(max(i, 0)), i >= 0
}

// String returns the name of a state.
func (s State) String() string { return [...]string{"offline", "unavailable", "online"}[s] }

// Presence is how a user is seen.
type Presence struct {
	User       events.UserID
	State      State
	Status     string    // message, may be empty
	LastActive time.Time // zero: never
	Pos        store.Pos // of the latest change
	// Profile is what others see of the profile, as members of a JSON object that
	// follow another; empty until it changes (PROF-12).
	Profile string
}

// Config is what the service needs. All fields are required.
type Config struct {
	Memory *live.Memory
	Now    func() time.Time
	Logger *slog.Logger
	// Disabled keeps everybody offline and announces nothing (PRES-12).
	Disabled bool
}

// Service is the service for presence. Its methods may be called at once and from
// any goroutine.
type Service struct {
	Config

	mu     sync.Mutex
	users  map[events.UserID]*user
	recent list.List // of *user, the latest change in front
	closed bool
	work   sync.WaitGroup
}

// user is somebody who has been seen.
type user struct {
	shown   Presence // what was announced, but for LastActive
	devices map[string]*device
	timer   *time.Timer // looks when the state may change by itself; nil: it does not
	due     time.Time   // of timer
	place   *list.Element
}

type device struct {
	state State
	syncs int       // requests in progress
	until time.Time // when it counts no more, unless it syncs
}

// New makes the service. Close must be called at the end.
func New(cfg Config) *Service { return &Service{Config: cfg, users: map[events.UserID]*user{}} }

// Close ends the timers and waits for what is going on.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	for _, u := range s.users {
		u.disarm(s)
	}
	s.mu.Unlock()
	s.work.Wait()
}

// Set sets a user's state on a device and their message (PRES-1).
func (s *Service) Set(ctx context.Context, id events.UserID, dev string, state State, status string) error {
	if len(status) > maxStatus {
		return mxerr.InvalidParam("status_msg", "may have at most %d bytes", maxStatus)
	}
	if s.Disabled {
		return nil
	}
	s.mu.Lock()
	now := s.Now()
	u := s.user(id)
	d := u.device(dev)
	d.state, d.until = state, now.Add(Grace)
	if state == Online {
		u.shown.LastActive = now
	}
	s.mu.Unlock()
	return s.announce(ctx, id, &status, false)
}

// Sync notes that a device syncs until done is called. The state is what the client
// asks to be seen as; offline leaves everything as it is (PRES-5).
func (s *Service) Sync(ctx context.Context, id events.UserID, dev string, state State) (done func(), err error) {
	if s.Disabled || state == Offline {
		return func() {}, nil
	}
	connected, err := s.Memory.Connect(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	now := s.Now()
	u := s.user(id)
	d := u.device(dev)
	d.syncs++
	d.state = state
	if u.shown.State == Offline && state == Online {
		u.shown.LastActive = now
	}
	s.mu.Unlock()
	done = func() {
		defer s.Memory.Disconnect(connected)
		s.mu.Lock()
		defer s.mu.Unlock()
		d.syncs--
		d.until = s.Now().Add(Grace)
		s.arm(u)
	}
	if err := s.announce(ctx, id, nil, false); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// Active notes that a user has done something (PRES-7).
func (s *Service) Active(ctx context.Context, id events.UserID) error {
	s.mu.Lock()
	u := s.users[id]
	if u == nil || u.shown.State == Offline {
		s.mu.Unlock()
		return nil
	}
	u.shown.LastActive = s.Now()
	for _, d := range u.devices {
		if d.state == Unavailable && d.counts(s.Now()) {
			d.state = Online
		}
	}
	s.mu.Unlock()
	return s.announce(ctx, id, nil, false)
}

// ProfileChanged tells others of a user's display name and avatar, along with the
// presence as it is (PROF-12).
func (s *Service) ProfileChanged(ctx context.Context, id events.UserID) error {
	if s.Disabled {
		return nil
	}
	s.mu.Lock()
	s.user(id)
	s.mu.Unlock()
	return s.announce(ctx, id, nil, true)
}

// announce makes known what a user's presence is now, if that is news or the profile
// is. A nil status leaves the message.
func (s *Service) announce(ctx context.Context, id events.UserID, status *string, profile bool) error {
	s.mu.Lock()
	u := s.users[id]
	changed := u != nil && !s.closed && (profile || u.state(s.Now()) != u.shown.State || status != nil && *status != u.shown.Status)
	if u != nil {
		s.arm(u)
	}
	s.mu.Unlock()
	if !changed {
		return nil
	}
	return s.Memory.Update(ctx, func(tx *live.Tx) error {
		rooms, err := tx.JoinedRooms(id)
		if err != nil {
			return err
		}
		var fields []store.ProfileField
		if profile {
			if fields, err = tx.Profile(id); err != nil {
				return err
			}
		}
		pos := tx.Next()
		tx.PresenceChanged(id, rooms, pos, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			u := s.user(id)
			u.shown.State, u.shown.Pos = u.state(s.Now()), pos
			if u.place == nil {
				u.place = s.recent.PushFront(u)
			} else {
				s.recent.MoveToFront(u.place)
			}
			if status != nil {
				u.shown.Status = *status
			}
			if profile {
				u.shown.Profile = visible(fields)
			}
		})
		return nil
	})
}

// user returns a user, adding them if need be. s.mu is held.
func (s *Service) user(id events.UserID) *user {
	u := s.users[id]
	if u == nil {
		u = &user{shown: Presence{User: id}, devices: map[string]*device{}}
		s.users[id] = u
	}
	return u
}

func (u *user) device(id string) *device {
	d := u.devices[id]
	if d == nil {
		d = &device{}
		u.devices[id] = d
	}
	return d
}

// counts reports whether a device has a say.
func (d *device) counts(now time.Time) bool { return d.syncs > 0 || now.Before(d.until) }

// state is what the user's devices together make of them.
func (u *user) state(now time.Time) State {
	state := Offline
	for _, d := range u.devices {
		if d.counts(now) {
			state = max(state, d.state)
		}
	}
	if state == Online && now.Sub(u.shown.LastActive) >= IdleAfter {
		return Unavailable
	}
	return state
}
