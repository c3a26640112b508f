package account

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// CreateFilter stores a filter of a user and returns its ID. Definitions that
// differ in nothing but spelling get the same one (FILT-1, FILT-4, FILT-5).
func (s *Service) CreateFilter(ctx context.Context, user events.UserID, definition json.RawMessage) (id string, err error) {
	if _, err := events.ParseFilter(definition); err != nil {
		return "", err
	}
	canonical, err := events.CanonicalLoose(definition)
	if err != nil {
		return "", err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) (err error) {
		id, err = tx.PutFilter(user, canonical)
		return err
	})
	return id, err
}

// Filter returns the definition of a user's filter. M_NOT_FOUND (FILT-2).
func (s *Service) Filter(ctx context.Context, user events.UserID, id string) (json.RawMessage, error) {
	var definition []byte
	err := s.Store.View(ctx, func(v store.View) (err error) {
		definition, err = v.Filter(user, id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerr.NotFound("no such filter")
	}
	return definition, err
}

// maxCachedFilters bounds what ParsedFilter remembers.
const maxCachedFilters = 1000

type filterKey struct {
	user events.UserID
	id   string
}

// ParsedFilter is Filter in the form in which it is used. Filters never change, so
// that those of recent requests are remembered.
func (s *Service) ParsedFilter(ctx context.Context, user events.UserID, id string) (*events.Filter, error) {
	key := filterKey{user, id}
	s.filtersMu.Lock()
	f := s.filters[key]
	s.filtersMu.Unlock()
	if f != nil {
		return f, nil
	}
	definition, err := s.Filter(ctx, user, id)
	if err != nil {
		return nil, err
	}
	if f, err = events.ParseFilter(definition); err != nil {
		return nil, err
	}
	s.filtersMu.Lock()
	defer s.filtersMu.Unlock()
	if len(s.filters) >= maxCachedFilters {
		clear(s.filters)
	}
	s.filters[key] = f
	return f, nil
}
