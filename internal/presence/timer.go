package presence

import (
	"context"
	"errors"
	"time"

	"github.com/ca4c8834/homeserver/store"
)

// retryAfter is when it is tried again to announce what the store did not take.
const retryAfter = 30 * time.Second

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
	s.lookAt(u, next)
}

// lookAt lets somebody look at a user at a time. s.mu is held.
func (s *Service) lookAt(u *user, at time.Time) {
	u.disarm(s)
	s.work.Add(1)
	u.due = at
	u.timer = time.AfterFunc(at.Sub(s.Now()), func() {
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
	err := s.announce(context.Background(), u.shown.User, nil, false)
	if err == nil || errors.Is(err, store.ErrClosed) {
		return
	}
	s.Logger.Warn("announce presence", "user_id", u.shown.User, "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed { // or else whoever has gone would be seen until they are forgotten
		s.lookAt(u, s.Now().Add(retryAfter))
	}
}
