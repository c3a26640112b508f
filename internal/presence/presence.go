// Package presence is the service that knows who is there.
//
// Presence lives in memory: after a restart everybody is offline until they sync.
// What changes takes a position in the stream like everything else that /sync tells
// and wakes those who share a room with the user and wait, nobody else.
//
// # What is counted
//
// Each device of a user has a state: the one it set last, by a request or with a
// sync. It counts while the device syncs and for a short [Grace] after; the most
// available of them is the user's (PRES-6). Who has been online without doing
// anything for [IdleAfter] is unavailable until they do something (PRES-7, PRES-8).
//
// While somebody is online nothing is announced however active they are
// (PRES-9): a change is a change of the state or the message. One timer a user
// looks when the next such change may be due.
package presence

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
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
	connected, err := s.Memory.Connect(ctx, id)
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

// visible is what presence tells of a profile.
func visible(fields []store.ProfileField) string {
	var members []byte
	for _, f := range fields {
		if f.Name == "displayname" || f.Name == "avatar_url" {
			members = append(events.AppendString(append(members, ','), f.Name), ':')
			members = append(members, f.Value...)
		}
	}
	return string(members)
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

// arm sees to it that somebody looks when the user's state may change by itself. A
// timer that comes too early is left alone: it is set anew when it finds nothing.
// s.mu is held.
func (s *Service) arm(u *user) {
	if s.closed {
		return
	}
	now := s.Now()
	next := time.Time{}
	for id, d := range u.devices {
		switch {
		case d.syncs > 0:
		case now.Before(d.until):
			next = earlier(next, d.until)
		default:
			delete(u.devices, id)
		}
	}
	if u.state(now) == Online {
		next = earlier(next, u.shown.LastActive.Add(IdleAfter))
	}
	if next.IsZero() && len(u.devices) == 0 {
		next = now.Add(forgetAfter)
	}
	if next.IsZero() || u.timer != nil && !next.Before(u.due) {
		return
	}
	u.disarm(s)
	s.work.Add(1)
	u.due = next
	u.timer = time.AfterFunc(next.Sub(now), func() {
		defer s.work.Done()
		s.look(u)
	})
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func (u *user) disarm(s *Service) {
	if u.timer != nil && u.timer.Stop() {
		s.work.Done()
	}
	u.timer = nil
}

// look is what a timer does.
func (s *Service) look(u *user) {
	s.mu.Lock()
	u.timer = nil
	if s.closed {
		s.mu.Unlock()
		return
	}
	if u.shown.State == Offline && len(u.devices) == 0 {
		delete(s.users, u.shown.User)
		if u.place != nil {
			s.recent.Remove(u.place)
		}
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	if err := s.announce(context.Background(), u.shown.User, nil, false); err != nil && !errors.Is(err, store.ErrClosed) {
		s.Logger.Warn("announce presence", "user_id", u.shown.User, "error", err)
	}
}

// Of returns a user's presence; false if nothing is known of them (PRES-2).
func (s *Service) Of(id events.UserID) (Presence, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[id]; u != nil && u.shown.Pos > 0 {
		return u.shown, true
	}
	return Presence{User: id}, false
}

// Status returns the content of m.presence for a user as another one sees it.
// M_FORBIDDEN if they share no room, M_NOT_FOUND if nothing is known of the user; one's
// own is always known (PRES-2).
func (s *Service) Status(ctx context.Context, viewer, id events.UserID) ([]byte, error) {
	p, ok := s.Of(id)
	p.Profile = "" // which has endpoints of its own
	if viewer == id {
		return s.appendContent(nil, p), nil
	}
	shared := false
	err := s.Memory.View(ctx, func(v store.View) error {
		if _, err := v.User(id); err != nil {
			return err
		}
		users, err := v.SharingRoom(viewer, []events.UserID{id})
		shared = len(users) > 0
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && shared && !ok:
		return nil, mxerr.NotFound("nothing is known of the presence of %s", id)
	case err != nil:
		return nil, err
	case !shared:
		return nil, mxerr.Forbidden("you share no room with %s", id)
	}
	return s.appendContent(nil, p), nil
}

// AppendJSON appends a user's presence as m.presence (PRES-3).
func (s *Service) AppendJSON(dst []byte, p Presence) []byte {
	dst = s.appendContent(append(dst, `{"content":`...), p)
	dst = events.AppendString(append(dst, `,"sender":`...), string(p.User))
	return append(dst, `,"type":"m.presence"}`...)
}

// appendContent appends the content of m.presence. Who is online is active: they
// become unavailable otherwise (PRES-9).
func (s *Service) appendContent(dst []byte, p Presence) []byte {
	dst = append(dst, '{')
	if p.State == Online {
		dst = append(dst, `"currently_active":true,`...)
	}
	if !p.LastActive.IsZero() {
		dst = append(dst, `"last_active_ago":`...)
		dst = strconv.AppendInt(dst, max(0, s.Now().Sub(p.LastActive).Milliseconds()), 10)
		dst = append(dst, ',')
	}
	dst = events.AppendString(append(dst, `"presence":`...), p.State.String())
	if p.Status != "" {
		dst = events.AppendString(append(dst, `,"status_msg":`...), p.Status)
	}
	return append(append(dst, p.Profile...), '}')
}

// ChangedSince returns the presence of all users for whom it changed after a position,
// the latest first; since 0 leaves out those who are offline (PRES-11).
func (s *Service) ChangedSince(since store.Pos) []Presence {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Presence
	for el := s.recent.Front(); el != nil; el = el.Next() {
		u := el.Value.(*user)
		if u.shown.Pos <= since {
			break
		}
		if since > 0 || u.shown.State != Offline {
			out = append(out, u.shown)
		}
	}
	return out
}
