package room

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/reader"
)

// ThreadsRequest asks for a page of the threads of a room.
type ThreadsRequest struct {
	Room events.RoomID
	// Participated wants only those that the user takes part in.
	Participated bool
	From         string // token of the page before; "": the first
	Limit        *int   // nil: the default
}

// Threads returns the roots of the threads of a room, the one with the newest event
// first. M_FORBIDDEN for those who may not read the room, M_INVALID_PARAM for bad
// tokens (REL-22 to REL-24).
func (s *Service) Threads(ctx context.Context, a Actor, r ThreadsRequest) (*Related, error) {
	access, err := s.Reader.Enter(ctx, a.User, r.Room)
	if err != nil {
		return nil, err
	}
	from, err := tokenOr("from", r.From, s.Memory.Position(), true)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(r.Limit)
	if err != nil {
		return nil, err
	}
	page, err := s.Reader.Threads(ctx, access.Scope, from, r.Participated, limit)
	if err != nil {
		return nil, err
	}
	roots := &Related{Scope: access.Scope, Events: page.Events}
	if page.More {
		roots.Next = reader.Token(page.Next)
	}
	return roots, nil
}
