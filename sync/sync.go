package sync

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

const (
	// maxTimeout bounds how long a request waits (SYNC-5).
	maxTimeout = 5 * time.Minute
	// presenceDelay is how long presence waits for more to be told with.
	presenceDelay = time.Second
	// defaultTimeline is how many events a timeline has if the filter does not
	// say, maxTimeline at most (FILT-16).
	defaultTimeline = 10
	maxTimeline     = 1000
)

// PushRules knows the push rules of users, which clients read as account data.
type PushRules interface {
	// Ruleset returns the content of a user's m.push_rules.
	Ruleset(ctx context.Context, user events.UserID) (json.RawMessage, error)
	// ChangedAt is the position at which the rules last changed; 0 if never.
	ChangedAt(v store.View, user events.UserID) (store.Pos, error)
}

// Config is what the service needs. Fields that are not marked as required may be
// left out.
type Config struct {
	Memory *live.Memory   // required
	Reader *reader.Reader // required
	// Stopping ends when the server is asked to stop; requests that wait are then
	// answered. Required.
	Stopping context.Context
	Typing   Typing   // required
	Unread   Unread   // required
	Keys     Keys     // required
	ToDevice ToDevice // required
	Presence Presence // required

	PushRules PushRules
}

// Service answers /sync. Its methods are safe for concurrent use.
type Service struct {
	Config
	connections   connections
	acquaintances acquaintances
}

// New makes the service. It starts nothing that would have to be stopped.
func New(cfg Config) *Service { return &Service{Config: cfg} }

// Request is a request for what is new.
type Request struct {
	User   events.UserID
	Device string
	// Since is the token of the answer before, "" in a first sync.
	Since  string
	Filter *events.Filter // nil: none
	// FullState asks for all state of all rooms.
	FullState bool
	// Timeout is how long to wait if there is nothing new.
	Timeout time.Duration
	// StateAfter is the name under which the state at the end of the timeline is
	// wanted instead of that at its start; "" for the start.
	StateAfter string
}

// Sync answers a request with a JSON object. It returns as soon as there is
// something new for the user, at once in a first sync and with FullState. Errors:
// M_INVALID_PARAM for a token that is not one, the context's error.
func (s *Service) Sync(ctx context.Context, r Request) (json.RawMessage, error) {
	since := store.Pos(0)
	if r.Since != "" {
		var err error
		if since, err = reader.Position("since", r.Since, s.Memory.Position()); err != nil {
			return nil, err
		}
	}
	if r.Filter == nil {
		r.Filter = &events.Filter{}
	}
	u, err := s.Memory.Connect(ctx, r.User, since)
	if err != nil {
		return nil, err
	}
	defer s.Memory.Disconnect(u)

	timeout := min(r.Timeout, maxTimeout)
	first := r.Since == ""
	var timer *time.Timer
	for {
		a := s.answer(r, u, since, first)
		if err := a.make(ctx); err != nil {
			return nil, err
		}
		if a.device.acknowledge {
			if err := s.ToDevice.Acknowledge(ctx, r.User, r.Device, since); err != nil {
				return nil, err
			}
		}
		if !a.empty || first || r.FullState || timeout <= 0 {
			return a.out.buf, nil
		}
		if timer == nil {
			timer = time.NewTimer(timeout)
			defer timer.Stop()
		}
		since = a.until // nothing of it concerns the client
		a = nil         // a waiting request keeps no buffer
		news, err := s.wait(ctx, u, since, timer)
		if err != nil {
			return nil, err
		}
		if !news {
			timeout = 0
		}
	}
}

// wait waits for something new after a position; false if the time is up or the server
// stops. Presence is not told at once, but together with what else comes within
// presenceDelay: where a thousand people share a room and come online one after the
// other, that makes few answers of very many.
func (s *Service) wait(ctx context.Context, u *live.User, since store.Pos, timer *time.Timer) (bool, error) {
	presence := u.AfterPresence(since)
	var gathered <-chan time.Time
	for {
		select {
		case <-u.After(since):
			return true, nil
		case <-presence:
			presence = nil
			delay := time.NewTimer(presenceDelay)
			defer delay.Stop()
			gathered = delay.C
		case <-gathered:
			return true, nil
		case <-timer.C:
			return false, nil
		case <-s.Stopping.Done():
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
