package uia

import (
	"container/list"
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

const (
	// sessionTTL leaves time to find an e-mail or to look for a second device.
	sessionTTL = time.Hour
	// maxSessions bounds the memory that clients without an account can take,
	// at well under a kilobyte each.
	maxSessions = 10_000
)

// session is one client's way through the stages of one operation.
type session struct {
	id      string
	op      Operation
	expires time.Time // set by sessions

	// turn is held, by having sent to it, by the request that uses what
	// follows: attempts and the run of one session never overlap.
	turn chan struct{}

	completed []string
	proved    events.UserID
	details   map[string]any // of the completed stages that have any
	done      bool
	result    any // of the run, once done
}

func newSession(op Operation) *session {
	return &session{id: rand.Text(), op: op, turn: make(chan struct{}, 1)}
}

func (s *session) lock(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *session) unlock() { <-s.turn }

func (s *session) passed(stage string) bool { return slices.Contains(s.completed, stage) }

// turnOf reports whether a flow has the stage after stages that are all passed
// (UIA-10).
func (s *session) turnOf(stage string) bool {
	for _, flow := range s.op.Flows {
		if i := slices.Index(flow, stage); i >= 0 && s.passedAll(flow[:i]) {
			return true
		}
	}
	return false
}

// complete reports whether all stages of one flow are passed. A flow without
// stages would need no proof, so there is none (UIA-3).
func (s *session) complete() bool {
	return slices.ContainsFunc(s.op.Flows, func(f Flow) bool { return len(f) > 0 && s.passedAll(f) })
}

func (s *session) passedAll(stages Flow) bool {
	return !slices.ContainsFunc(stages, func(stage string) bool { return !s.passed(stage) })
}

// pass records a passed stage, unless it identifies another user than the owner
// of the access token or than an earlier stage did (UIA-15).
func (s *session) pass(stage string, p Passed) error {
	if user := p.User; user != "" {
		if s.op.User != "" && user != s.op.User || s.proved != "" && user != s.proved {
			return mxerr.Forbidden("the authentication is another user's")
		}
		s.proved = user
	}
	if p.Detail != nil {
		if s.details == nil {
			s.details = make(map[string]any)
		}
		s.details[stage] = p.Detail
	}
	s.completed = append(s.completed, stage)
	return nil
}

// sessions is a bounded set, oldest first. All live equally long, so the front
// is always the next to expire.
type sessions struct {
	now   func() time.Time
	limit int

	mu    sync.Mutex
	byID  map[string]*list.Element // of *session
	order list.List
}

func newSessions(now func() time.Time, limit int) *sessions {
	return &sessions{now: now, limit: limit, byID: make(map[string]*list.Element)}
}

// get returns a living session, or nil.
func (t *sessions) get(id string) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	el, ok := t.byID[id]
	if !ok {
		return nil
	}
	return el.Value.(*session)
}

// keep makes a session known, in place of the oldest when there are too many.
// One that is known already is left as it is.
func (t *sessions) keep(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire()
	if !s.expires.IsZero() {
		return
	}
	if len(t.byID) >= t.limit {
		t.remove(t.order.Front())
	}
	s.expires = t.now().Add(sessionTTL)
	t.byID[s.id] = t.order.PushBack(s)
}

func (t *sessions) expire() {
	now := t.now()
	for el := t.order.Front(); el != nil && !el.Value.(*session).expires.After(now); el = t.order.Front() {
		t.remove(el)
	}
}

func (t *sessions) remove(el *list.Element) {
	delete(t.byID, t.order.Remove(el).(*session).id)
}
