package room

import (
	"context"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// Event returns one event of a room if the user sees it, whether or not they may
// read the room. Everything else is M_NOT_FOUND, so that nobody learns what there is
// (READ-1).
func (s *Service) Event(ctx context.Context, a Actor, room events.RoomID, id events.EventID) (*live.Event, *reader.Scope, error) {
	scope, err := s.Reader.Look(ctx, a.User, room)
	if errors.Is(err, mxerr.MForbidden) {
		return nil, nil, noEvent(id)
	}
	if err != nil {
		return nil, nil, err
	}
	e, err := s.Reader.Event(ctx, scope, id)
	return e, scope, err
}

// EventAnywhere is Event for those who don't say the room (LEG-5).
func (s *Service) EventAnywhere(ctx context.Context, a Actor, id events.EventID) (*live.Event, *reader.Scope, error) {
	var room store.Room
	err := s.Memory.View(ctx, func(v store.View) error {
		row, err := v.Event(id)
		if err != nil {
			return err
		}
		room, err = v.RoomByNum(row.Room)
		return err
	})
	if isNotFound(err) {
		return nil, nil, noEvent(id)
	}
	if err != nil {
		return nil, nil, err
	}
	return s.Event(ctx, a, room.ID, id)
}

func noEvent(id events.EventID) error { return mxerr.NotFound("event %s is not known", id) }
