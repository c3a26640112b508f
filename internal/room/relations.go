package room

import (
	"context"
	"errors"
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// maxAnnotationKey bounds the key of an annotation, in bytes (REL-18).
const maxAnnotationKey = 512

// relation returns what the next event of a room says about an earlier one of it,
// nil if there is nothing that counts; its position is still to be set. Messages with
// a relation that must not be are refused (SEND-5 to SEND-7); state events are not,
// theirs are ignored.
func relation(tx *live.Tx, d *live.Draft, e *events.Event) (*store.Relation, error) {
	said := e.Relation()
	if said.Type == "" {
		return nil, nil
	}
	key := gjson.GetBytes(e.Content, `m\.relates_to.key`)
	if said.Type == events.RelAnnotation && (key.Type != gjson.String || len(key.Str) > maxAnnotationKey) {
		return nil, refuse(e, mxerr.InvalidParam("m.relates_to.key", "must be a string of at most %d bytes", maxAnnotationKey))
	}
	target, err := tx.Event(d, said.Event)
	switch {
	case errors.Is(err, live.ErrOtherRoom):
		return nil, refuse(e, mxerr.InvalidParam("m.relates_to.event_id", "is an event of another room"))
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	r := &store.Relation{Room: d.Num, Event: e, Target: target.Pos, Type: said.Type}
	switch said.Type {
	case events.RelAnnotation:
		r.Key = key.Str
		_, err := tx.Annotation(r.Target, e.Sender, e.Type, r.Key)
		switch {
		case err == nil:
			return nil, refuse(e, mxerr.DuplicateAnnotation("you have annotated the event with this before"))
		case !isNotFound(err):
			return nil, err
		}
	case events.RelThread:
		if target.Relation().Type != "" {
			return nil, refuse(e, mxerr.New(http.StatusBadRequest, mxerr.MUnknown, "a thread cannot start from an event that is related to another"))
		}
		r.Starter = target.Sender
	case events.RelReplace:
		r.Edits = edits(e, target.Event)
	}
	return r, nil
}

// refuse is the error for a relation that must not be: none if the event is state,
// which is not for its relation that it is sent.
func refuse(e *events.Event, err error) error {
	if e.IsState() {
		return nil
	}
	return err
}

// edits reports whether an m.replace is a valid edit of its target (REL-14).
func edits(e, target *events.Event) bool {
	return e.Sender == target.Sender && e.Type == target.Type && !e.IsState() && !target.IsState() &&
		target.Relation().Type != events.RelReplace &&
		(e.Type == events.TypeEncrypted || gjson.GetBytes(e.Content, `m\.new_content`).IsObject())
}

// RelationsRequest asks for a page of the events that are related to one.
type RelationsRequest struct {
	Room  events.RoomID
	Event events.EventID
	// Type and EventType, if not empty, are what all relations and events have to
	// be, also those on the way (REL-8).
	Type, EventType string
	// Recurse wants also what is related to what is related (REL-7).
	Recurse bool
	// Forwards goes from older events to newer ones (REL-5).
	Forwards bool
	// From and To are tokens of any endpoint; "" is the end at which the walk
	// begins, and no stop (REL-6).
	From, To string
	Limit    *int // nil: the default
}

// Related is a page of events that are related to one.
type Related struct {
	Scope  *reader.Scope
	Events []*live.Event // in the direction of the walk
	Next   string        // "": there is nothing further
	Depth  int           // through how many relations it was looked; 0: not more than one
}

// Relations returns a page of the events that are related to one, of those that the
// user sees. M_NOT_FOUND if they don't see the one itself, M_INVALID_PARAM for bad
// tokens (REL-4 to REL-8).
func (s *Service) Relations(ctx context.Context, a Actor, r RelationsRequest) (*Related, error) {
	newest := s.Memory.Position()
	from, err := tokenOr("from", r.From, newest, !r.Forwards)
	if err != nil {
		return nil, err
	}
	to, err := tokenOr("to", r.To, newest, r.Forwards)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(r.Limit)
	if err != nil {
		return nil, err
	}
	target, scope, err := s.Event(ctx, a, r.Room, r.Event)
	if err != nil {
		return nil, err
	}
	q := store.RelatedQuery{Target: target.Pos, Type: r.Type, EventType: r.EventType, Recurse: r.Recurse}
	page, err := s.Reader.Related(ctx, scope, q, !r.Forwards, from, to, limit)
	if err != nil {
		return nil, err
	}
	related := &Related{Scope: scope, Events: page.Events}
	if r.Recurse {
		related.Depth = store.RelationDepth
	}
	if page.More {
		related.Next = reader.Token(page.Next)
	}
	return related, nil
}
