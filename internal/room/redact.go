package room

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Redact redacts an event and returns the ID of the redaction. content is the body
// of the request, which may have a reason (REDACT-1).
func (s *Service) Redact(ctx context.Context, a Actor, room events.RoomID, target events.EventID, txnID string, content json.RawMessage) (events.EventID, error) {
	if r := gjson.GetBytes(content, "redacts"); r.Exists() && r.String() != string(target) { // REDACT-5
		return "", mxerr.InvalidParam("redacts", "is not the event of the path")
	}
	if len(content) == 0 {
		content = json.RawMessage(`{}`)
	}
	m := Message{Room: room, Type: events.TypeRedaction, Content: content, TxnID: txnID}
	p, err := s.message(a, m, "redact/"+string(target))
	if err != nil {
		return "", err
	}
	return s.redact(ctx, a, p, m, target)
}

// redact sends a redaction and prunes its target (REDACT-2 to REDACT-11).
func (s *Service) redact(ctx context.Context, a Actor, p proposal, m Message, target events.EventID) (events.EventID, error) {
	version, err := s.version(ctx, a.User, m.Room)
	if err != nil {
		return "", err
	}
	p.redacts = target
	content, err := sjson.DeleteBytes(m.Content, "redacts") // Build writes it where the version keeps it
	if err != nil {
		return "", err
	}
	if p.content, err = version.Canonical(content); err != nil {
		return "", err
	}
	return s.once(ctx, m.Room, p, func(tx *live.Tx, d *live.Draft) (*live.Event, error) {
		if d.Membership(a.User) != events.MembershipJoin {
			return nil, notInRoom(a.User, m.Room)
		}
		e, err := redactable(tx, d, a, target)
		if err != nil {
			return nil, err
		}
		redaction, err := s.append(tx, d, p)
		if err != nil || e.RedactedBy != 0 {
			return redaction, err
		}
		if err := tx.Redact(d, e, redaction); err != nil {
			return nil, err
		}
		if _, ok := indexed(d, e); ok {
			if err := tx.DeleteText(e.Pos); err != nil {
				return nil, err
			}
		}
		if e.Type == typeGuestAccess {
			if err := s.expelGuests(tx, d); err != nil {
				return nil, err
			}
		}
		return redaction, relist(tx, d, e)
	})
}

// redactable returns the event to be redacted if the user may do that.
func redactable(tx *live.Tx, d *live.Draft, a Actor, target events.EventID) (*live.Event, error) {
	e, err := tx.Event(d, target)
	switch {
	case errors.Is(err, live.ErrOtherRoom):
		return nil, mxerr.InvalidParam("eventId", "is an event of another room") // REDACT-7
	case errors.Is(err, store.ErrNotFound):
		return nil, mxerr.NotFound("event %s is not known in this room", target)
	case err != nil:
		return nil, err
	case e.Type == events.TypeCreate, e.Type == "m.room.server_acl": // REDACT-8
		return nil, mxerr.Forbidden("%s cannot be redacted", e.Type)
	case a.Suspended && e.Sender != a.User: // SEND-11
		return nil, a.mayWrite()
	case events.RedactionAllowed(a.User, e.Event, d.Version.PowerLevels(d)):
		return e, nil
	}
	account, err := tx.User(a.User)
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	if !account.Admin { // REDACT-15
		return nil, mxerr.Forbidden("you may not redact this event")
	}
	return e, nil
}
