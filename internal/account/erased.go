package account

import (
	"context"
	"maps"
	"sync/atomic"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// erased knows which users are erased: few, and asked for with every event that
// is served.
type erased struct {
	at atomic.Pointer[map[events.UserID]store.Pos] // never changed, only replaced
}

// add is called while the store commits, so never twice at once.
func (e *erased) add(user events.UserID, pos store.Pos) {
	all := make(map[events.UserID]store.Pos)
	if old := e.at.Load(); old != nil {
		maps.Copy(all, *old)
	}
	all[user] = pos
	e.at.Store(&all)
}

// LoadErased reads which users are erased. It has to be called once, before
// anything is served.
func (s *Service) LoadErased(ctx context.Context) error {
	return s.Store.View(ctx, func(v store.View) error {
		all, err := v.ErasedUsers()
		s.erased.at.Store(&all)
		return err
	})
}

// ErasedAt returns the position at which a user was erased, 0 for all others:
// those who were not there by then see none of the user's events but redacted
// (DEACT-4).
func (s *Service) ErasedAt(user events.UserID) store.Pos {
	all := s.erased.at.Load()
	if all == nil {
		return 0
	}
	return (*all)[user]
}
