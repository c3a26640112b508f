package account

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// The types of account data that have endpoints of their own (AD-4).
const (
	typeFullyRead = "m.fully_read"
	typePushRules = "m.push_rules"
)

// AccountData returns the content of one type of a user's account data, of a
// room or, with room empty, global: neither stands in for the other (AD-5).
// M_NOT_FOUND if it was never set (AD-2).
func (s *Service) AccountData(ctx context.Context, user events.UserID, room events.RoomID, typ string) (json.RawMessage, error) {
	if typ == typePushRules && room == "" && s.PushRules != nil {
		return s.PushRules.Ruleset(ctx, user)
	}
	var datum store.AccountDatum
	err := s.Store.View(ctx, func(v store.View) (err error) {
		datum, err = v.AccountDatum(user, room, typ)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerr.NotFound("there is no account data of this type")
	}
	return datum.Content, err
}

// SetAccountData replaces the content of one type of a user's account data by a
// JSON object, which is kept as it is, and wakes the user's syncs (AD-1, AD-6,
// AD-7).
func (s *Service) SetAccountData(ctx context.Context, user events.UserID, room events.RoomID, typ string, content json.RawMessage) error {
	if typ == typeFullyRead || typ == typePushRules {
		return mxerr.New(http.StatusMethodNotAllowed, mxerr.MBadJSON, "%s is set through an endpoint of its own", typ) // AD-4
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, content); err != nil {
		return mxerr.NotJSON("the body is not JSON").Because(err)
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		return s.putAccountDatum(tx, user, room, typ, compact.Bytes())
	})
}

func (s *Service) putAccountDatum(tx store.Tx, user events.UserID, room events.RoomID, typ string, content []byte) error {
	pos := tx.Next()
	if s.Waker != nil {
		tx.OnCommit(func() { s.Waker.UserChanged(user, pos) })
	}
	return tx.PutAccountDatum(user, store.AccountDatum{Room: room, Type: typ, Content: content, Pos: pos})
}
