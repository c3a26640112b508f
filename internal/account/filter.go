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
