// Package pushrules is the service for the push rules of users: reading and
// changing them, and having those of many users at hand when an event is
// evaluated. What rules mean is up to package push.
//
// Its methods are called by the HTTP handlers and by the host's Go code alike.
// They return *mxerr.Error for what the specification wants refused; any other
// error is a fault. All of them may be called at once and from any goroutine.
//
// # Changes
//
// A change reads, alters and stores a user's rules in one closure of the store, so
// that none is lost when several devices change rules at once. It takes a
// position of the stream, since clients learn of it as account data of the type
// m.push_rules ([Service.ChangedAt]).
//
// # Memory
//
// Compiled rules are kept for many users, in bounded memory; those of users who
// have changed nothing share everything. What is kept is always what is
// committed: from the moment a change is made inside a transaction until it has
// been committed or undone, the rules of its user are read from the transaction or
// snapshot at hand.
package pushrules

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
)

// maxChanges bounds what a user may change, in bytes: all of it is sent to each of
// their devices after every change. A rule takes about a hundred.
const maxChanges = 512 << 10

// Waker wakes the waiting syncs of a user.
type Waker interface {
	// UserChanged says that there is something new for all devices of a user at
	// a position. It is called while the store commits, in the order of the
	// positions, and must be quick.
	UserChanged(user events.UserID, pos store.Pos)
}

// Config is what the service needs.
type Config struct {
	Store    store.Store    // required
	Defaults *push.Defaults // the server-default rules; required
	Waker    Waker          // nil: nobody waits
}

// Service is the service for push rules.
type Service struct {
	Config
	cache *cache
}

// New makes the service. It starts nothing that would have to be stopped.
func New(cfg Config) *Service { return &Service{Config: cfg, cache: newCache(maxCached)} }

// Rules returns the rules of a user, changed or not; the user need not exist.
func (s *Service) Rules(ctx context.Context, user events.UserID) (rules *push.Ruleset, err error) {
	if e, ok := s.cache.get(user); ok {
		return e.rules, nil
	}
	err = s.Store.View(ctx, func(v store.View) error {
		all, err := s.RulesOf(v, []events.UserID{user})
		if err == nil {
			rules = all[0]
		}
		return err
	})
	return rules, err
}

// RulesOf returns the rules of users, in the order of the users, as of a snapshot
// or later. Those that are not in memory are read together.
func (s *Service) RulesOf(v store.View, users []events.UserID) ([]*push.Ruleset, error) {
	entries, err := s.entries(v, users)
	if err != nil {
		return nil, err
	}
	rules := make([]*push.Ruleset, len(users))
	for i, e := range entries {
		rules[i] = e.rules
	}
	return rules, nil
}

// Ruleset returns the content of a user's m.push_rules: all their rules under the
// key "global" (RULE-1, RULE-22). It implements account.PushRules.
func (s *Service) Ruleset(ctx context.Context, user events.UserID) (json.RawMessage, error) {
	rules, err := s.Rules(ctx, user)
	if err != nil {
		return nil, err
	}
	return append(rules.AppendJSON([]byte(`{"global":`)), '}'), nil
}

// ChangedAt is the position at which a user's rules last changed, as of a snapshot
// or later; 0 if they never have (RULE-20).
func (s *Service) ChangedAt(v store.View, user events.UserID) (store.Pos, error) {
	entries, err := s.entries(v, []events.UserID{user})
	if err != nil {
		return 0, err
	}
	return entries[0].pos, nil
}

// Rule returns one rule of a user. M_NOT_FOUND (RULE-4).
func (s *Service) Rule(ctx context.Context, user events.UserID, kind push.Kind, id string) (push.Rule, error) {
	rules, err := s.Rules(ctx, user)
	if err != nil {
		return push.Rule{}, err
	}
	rule, ok := rules.Rule(kind, id)
	if !ok {
		return push.Rule{}, refusal(push.ErrNotFound)
	}
	return rule, nil
}

// SetRule adds a rule of the user's own, or replaces the one of that kind and ID,
// by the JSON object of a client; see [push.ParseRule] and [push.Place] (RULE-5 to
// RULE-12).
func (s *Service) SetRule(ctx context.Context, user events.UserID, kind push.Kind, id string, body []byte, at push.Place) error {
	rule, err := push.ParseRule(kind, id, body)
	if err != nil {
		return refusal(err)
	}
	return s.change(ctx, user, func(rules *push.Ruleset) (*push.Ruleset, error) { return rules.Put(rule, at) })
}

// DeleteRule removes a rule of the user's own. M_NOT_FOUND (RULE-13).
func (s *Service) DeleteRule(ctx context.Context, user events.UserID, kind push.Kind, id string) error {
	return s.change(ctx, user, func(rules *push.Ruleset) (*push.Ruleset, error) { return rules.Delete(kind, id) })
}

// SetEnabled enables or disables a rule, the user's own or a server-default one.
// M_NOT_FOUND (RULE-14).
func (s *Service) SetEnabled(ctx context.Context, user events.UserID, kind push.Kind, id string, enabled bool) error {
	return s.change(ctx, user, func(rules *push.Ruleset) (*push.Ruleset, error) { return rules.SetEnabled(kind, id, enabled) })
}

// SetActions replaces the actions of a rule, the user's own or a server-default
// one. M_NOT_FOUND (RULE-14, RULE-17).
func (s *Service) SetActions(ctx context.Context, user events.UserID, kind push.Kind, id string, actions json.RawMessage) error {
	actions, err := push.ParseActions(actions)
	if err != nil {
		return refusal(err)
	}
	return s.change(ctx, user, func(rules *push.Ruleset) (*push.Ruleset, error) { return rules.SetActions(kind, id, actions) })
}

// CopyRoomRule gives the room that replaces another one the user's rule of
// KindRoom for the old room, unless there is none or the new room has one
// (UPGR-16). The transaction is the one in which the user joins the new room.
func (s *Service) CopyRoomRule(tx store.Tx, user events.UserID, from, to events.RoomID) error {
	return s.changeIn(tx, user, func(rules *push.Ruleset) (*push.Ruleset, error) {
		rule, ok := rules.Rule(push.KindRoom, string(from))
		if _, has := rules.Rule(push.KindRoom, string(to)); !ok || has {
			return rules, nil
		}
		rule.ID = string(to)
		return rules.Put(rule, push.Place{})
	})
}

// change alters the rules of a user in a closure of its own.
func (s *Service) change(ctx context.Context, user events.UserID, alter func(*push.Ruleset) (*push.Ruleset, error)) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return s.changeIn(tx, user, alter) })
}

// changeIn alters the rules of a user and wakes their syncs when that is
// committed. What alters nothing is no change.
func (s *Service) changeIn(tx store.Tx, user events.UserID, alter func(*push.Ruleset) (*push.Ruleset, error)) error {
	old, err := s.entries(tx, []events.UserID{user})
	if err != nil {
		return err
	}
	rules, err := alter(old[0].rules)
	if err != nil {
		return refusal(err)
	}
	changes := rules.Changes()
	switch {
	case string(changes) == string(old[0].rules.Changes()):
		return nil
	case len(changes) > maxChanges:
		return mxerr.TooLarge("all push rules together may have at most %d bytes", maxChanges)
	}
	e := entry{rules, tx.Next(), len(changes)}
	s.cache.suspend(user)
	tx.OnRollback(func() { s.cache.resume(user) })
	tx.OnCommit(func() {
		s.cache.resume(user)
		s.cache.commit(user, e)
		if s.Waker != nil {
			s.Waker.UserChanged(user, e.pos)
		}
	})
	return tx.PutPushRuleChanges(store.PushRuleChanges{User: user, Changes: changes, Pos: e.pos})
}

// refusal says to clients what package push refuses.
func refusal(err error) error {
	if e, ok := errors.AsType[*push.RuleError](err); ok {
		switch {
		case e.Missing:
			return mxerr.MissingParam(e.Field)
		case e.Shape:
			return mxerr.BadJSON("%s", e.Error())
		}
		return mxerr.InvalidParam(e.Field, "%s", e.Reason)
	}
	switch {
	case errors.Is(err, push.ErrNotFound):
		return mxerr.NotFound("%s", err.Error())
	case errors.Is(err, push.ErrPlace):
		return mxerr.New(http.StatusBadRequest, mxerr.MUnknown, "%s", err.Error()) // RULE-12
	}
	return err
}
