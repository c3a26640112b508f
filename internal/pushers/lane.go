package pushers

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ca4c8834/homeserver/store"
)

const (
	// maxQueue bounds how many notices wait in a lane; more are found again later.
	maxQueue = 32
	// maxRequests and maxPerGateway bound how many requests are on their way.
	maxRequests   = 64
	maxPerGateway = 32
)

// How long a lane waits after failures (GW-11), and how many there are in a day, after
// which nobody cares for a number any more.
const (
	firstWait  = time.Second
	longWait   = time.Hour
	badgeTries = 35
)

// lane is a pusher that has something to do. It belongs to Service.mu.
type lane struct {
	key     store.PusherKey
	gateway string // host of the URL

	done    store.Pos // what is up to here is pushed, or need not be
	queue   []notice  // what comes next, in order
	covers  store.Pos // if behind: queue has all that is after done up to here
	behind  bool      // there may be something after covers
	offered store.Pos // if behind: the latest that it was told of
	badge   bool      // the number of unread events may have changed
	saved   store.Pos // done, as it is stored; 0: not behind

	listed   bool        // in Service.turns
	busy     bool        // a worker is at it
	failures int         // since the last success
	timer    *time.Timer // ends the waiting after a failure; nil: not waiting
}

// newLane adds the lane of a pusher that is as far as a position. s.mu is held.
func (s *Service) newLane(p Pusher, done store.Pos) *lane {
	l := &lane{key: p.PusherKey, gateway: gatewayOf(p), done: done, saved: p.Behind}
	s.lanes[p.PusherKey] = l
	return l
}

// add puts a notice at the end, or remembers that there is one.
func (l *lane) add(n notice) {
	if l.behind {
		l.offered = n.pos
		return
	}
	if len(l.queue) == maxQueue {
		l.fallBehind(l.queue[maxQueue-1].pos, n.pos)
		return
	}
	l.queue = append(l.queue, n)
}

// fallBehind says that the lane knows what is up to one position, and that there may
// be more up to another.
func (l *lane) fallBehind(covers, offered store.Pos) {
	if !l.behind {
		l.behind, l.covers = true, covers
	}
	l.offered = max(l.offered, offered)
}

// idle reports whether there is nothing to do.
func (l *lane) idle() bool { return len(l.queue) == 0 && !l.behind && !l.badge }

// ready lets the lane have its turn. s.mu is held.
func (s *Service) ready(l *lane) {
	if l.listed || l.busy || l.timer != nil {
		return
	}
	l.listed = true
	s.turns = append(s.turns, l)
	if s.workers < maxRequests && s.perGateway[l.gateway] < maxPerGateway && !s.closed {
		s.workers++
		s.startLocked(s.serve)
	}
}

// serve lets lanes have their turns, as long as there are any.
func (s *Service) serve(ctx context.Context) {
	for l := s.next(nil); l != nil; l = s.next(l) {
		if err := guarded(func() error { return s.step(ctx, l) }); err != nil {
			s.failed(ctx, l, err)
		}
	}
}

// next ends the turn of a lane, nil for none, and returns the one whose turn is next,
// or nil if there is none and the worker has to go.
func (s *Service) next(last *lane) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last != nil {
		last.busy = false
		if s.perGateway[last.gateway]--; s.perGateway[last.gateway] == 0 {
			delete(s.perGateway, last.gateway)
		}
		if last.idle() {
			s.settle(last)
		} else {
			s.ready(last)
		}
	}
	for i, l := range s.turns {
		if s.closed || s.perGateway[l.gateway] == maxPerGateway {
			continue
		}
		s.turns = append(s.turns[:i], s.turns[i+1:]...)
		l.listed, l.busy = false, true
		s.perGateway[l.gateway]++
		return l
	}
	s.workers--
	return nil
}

// settle drops a lane that has nothing to do: its pusher is as far as all others.
// s.mu is held.
func (s *Service) settle(l *lane) {
	if s.lanes[l.key] != l {
		return
	}
	delete(s.lanes, l.key)
	if l.saved != 0 {
		s.caughtUp[l.key] = 0
		s.saveLater()
	}
}

// step does the next thing that a lane has to do.
func (s *Service) step(ctx context.Context, l *lane) error {
	s.mu.Lock()
	queue, badge, from, until := l.queue, l.badge, l.covers, s.planned
	search := l.behind && len(queue) == 0
	if len(queue) == 0 && !search {
		l.badge = false
	}
	s.mu.Unlock()
	switch {
	case search:
		list, upTo, err := s.search(ctx, l.key.User, from, until)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		l.queue, l.covers = list, upTo
		l.behind = upTo < until || l.offered > until
		if len(list) == 0 {
			l.done = upTo
		}
	case len(queue) > 0:
		if err := s.deliver(ctx, l.key, queue[0]); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		l.failures = 0
		l.done, l.queue = queue[0].pos, l.queue[1:]
		if len(l.queue) == 0 && l.behind {
			l.done = l.covers
		}
	case badge:
		err := s.tellBadge(ctx, l.key)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			l.badge = l.failures < badgeTries
			return err
		}
		l.failures = 0
	}
	return nil
}

// failed is what happens to a lane when a step has failed: it waits, or it is gone.
func (s *Service) failed(ctx context.Context, l *lane, err error) {
	about := []any{slog.String("user_id", string(l.key.User)), slog.String("gateway", l.gateway), slog.Any("error", err)}
	switch {
	case errors.Is(err, errRejected): // GW-10
		if err := s.drop(ctx, l.key); err != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "delete rejected pusher", about...)
		}
		s.abandon(l)
	case errors.Is(err, errGone):
		s.abandon(l)
	case errors.Is(err, errUnanswered): // users choose their gateways
		s.Logger.DebugContext(ctx, "push", about...)
		s.wait(l)
	default:
		if ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "push", about...)
		}
		s.wait(l)
	}
}

// abandon ends a lane whose pusher does not exist any more.
func (s *Service) abandon(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lanes[l.key] == l {
		delete(s.lanes, l.key)
	}
	*l = lane{key: l.key, gateway: l.gateway, busy: true}
}

// wait lets a lane have no turn for a while, the longer the more often it has failed
// (GW-11). What waits in it is found again after that.
func (s *Service) wait(l *lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if len(l.queue) > 0 || l.behind {
		l.queue, l.behind, l.covers = nil, true, l.done
	}
	pause := longWait
	if l.failures < 12 { // 2^12 s are more than an hour
		pause = min(firstWait<<l.failures, longWait)
	}
	l.failures++
	l.timer = time.AfterFunc(pause, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		l.timer = nil
		s.ready(l)
	})
	s.saveLater()
}
