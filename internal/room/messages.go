package room

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// Limits of pages of history (READ-8, READ-18).
const (
	defaultPage = 10
	maxPage     = 1000
)

// HistoryRequest asks for a page of a room's history.
type HistoryRequest struct {
	Room events.RoomID
	// Backwards goes from newer events to older ones.
	Backwards bool
	// From and To are tokens; "" is the end of the room at which the walk begins,
	// and no stop (READ-9, READ-16).
	From, To string
	Limit    *int                    // nil: the default
	Filter   *events.RoomEventFilter // nil: none
}

// History is a page of a room's history.
type History struct {
	Scope  *reader.Scope
	Events []*live.Event // in the direction of the walk
	Start  string
	End    string        // "": there is nothing further
	State  []*live.Event // members that lazy loading wants (READ-15)
}

// Messages returns a page of a room's history as the user sees it. M_FORBIDDEN for
// those who may not read the room, M_INVALID_PARAM for bad tokens (READ-8 to
// READ-18).
func (s *Service) Messages(ctx context.Context, a Actor, r HistoryRequest) (*History, error) {
	access, err := s.Reader.Enter(ctx, a.User, r.Room)
	if err != nil {
		return nil, err
	}
	newest := s.Memory.Position()
	from, err := tokenOr("from", r.From, newest, r.Backwards)
	if err != nil {
		return nil, err
	}
	to, err := tokenOr("to", r.To, newest, !r.Backwards)
	if err != nil {
		return nil, err
	}
	limit, err := pageSize(r.Limit)
	if err != nil {
		return nil, err
	}
	none := !r.Filter.MatchRoom(r.Room)
	if none {
		limit = 0
	}
	walk := s.Reader.Forward
	if r.Backwards {
		walk = s.Reader.Back
	}
	page, err := walk(ctx, access.Scope, from, to, limit, r.Filter.Match)
	if err != nil {
		return nil, err
	}
	h := &History{Scope: access.Scope, Events: page.Events, Start: reader.Token(from)}
	if page.More && !none {
		h.End = reader.Token(page.Next)
	}
	if r.Filter != nil && r.Filter.LazyLoadMembers {
		h.State, err = s.senders(ctx, access.Room, page.Events, min(newest, access.Until))
	}
	return h, err
}

// tokenOr reads a token, or takes the newest position if latest, and otherwise the
// beginning of everything.
func tokenOr(parameter, token string, newest store.Pos, latest bool) (store.Pos, error) {
	switch {
	case token != "":
		return reader.Position(parameter, token, newest)
	case latest:
		return newest, nil
	}
	return 0, nil
}

func pageSize(limit *int) (int, error) {
	switch {
	case limit == nil:
		return defaultPage, nil
	case *limit < 0:
		return 0, mxerr.InvalidParam("limit", "must not be negative")
	}
	return min(*limit, maxPage), nil
}

// senders returns the member events of those who have sent events, as they were right
// after a position.
func (s *Service) senders(ctx context.Context, room *live.Room, list []*live.Event, at store.Pos) ([]*live.Event, error) {
	seen := map[events.UserID]bool{}
	var users []events.UserID
	for _, e := range list {
		if !seen[e.Sender] {
			seen[e.Sender] = true
			users = append(users, e.Sender)
		}
	}
	return s.Reader.MembersAt(ctx, room, at, users)
}
