package room

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// EventAtTime returns the event that the user sees whose origin_server_ts is nearest
// to ts: at or after it, or at or before. M_FORBIDDEN for those who are not in the
// room and never were, however open it is, M_NOT_FOUND if there is none (READ-23 to
// READ-25).
func (s *Service) EventAtTime(ctx context.Context, a Actor, room events.RoomID, ts int64, backwards bool) (*live.Event, error) {
	access, err := s.Reader.Enter(ctx, a.User, room)
	if err != nil {
		return nil, err
	}
	if access.AsMember() == 0 {
		return nil, notInRoom(a.User, room)
	}
	e, err := s.Reader.Nearest(ctx, access.Scope, ts, !backwards)
	if err == nil && e == nil {
		err = mxerr.NotFound("there is no event from that time")
	}
	return e, err
}
