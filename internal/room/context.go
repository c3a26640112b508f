package room

import (
	"cmp"
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// ContextRequest asks for what happened around an event.
type ContextRequest struct {
	Room   events.RoomID
	Event  events.EventID
	Limit  *int                    // of what is before and after together; nil: the default
	Filter *events.RoomEventFilter // nil: none
}

// EventContext is an event with its neighbours.
type EventContext struct {
	Scope  *reader.Scope
	Event  *live.Event
	Before []*live.Event // newest first
	After  []*live.Event // oldest first
	// Start and End are the tokens to page on from, backwards and forwards.
	Start, End string
	State      []*live.Event // right after the last event
}

// Context returns an event and what happened around it as the user sees it.
// M_FORBIDDEN for those who may not read the room, M_NOT_FOUND for events they don't
// see (READ-2 to READ-7).
func (s *Service) Context(ctx context.Context, a Actor, r ContextRequest) (*EventContext, error) {
	limit, err := pageSize(r.Limit)
	if err != nil {
		return nil, err
	}
	access, err := s.Reader.Enter(ctx, a.User, r.Room)
	if err != nil {
		return nil, err
	}
	e, err := s.Reader.Event(ctx, access.Scope, r.Event)
	if err != nil {
		return nil, err
	}
	if !r.Filter.MatchRoom(r.Room) {
		limit = 0
	}
	before, err := s.Reader.Back(ctx, access.Scope, e.Pos-1, 0, limit/2, r.Filter.Match)
	if err != nil {
		return nil, err
	}
	after, err := s.Reader.Forward(ctx, access.Scope, e.Pos, store.MaxPos, limit-limit/2, r.Filter.Match)
	if err != nil {
		return nil, err
	}
	c := &EventContext{
		Scope: access.Scope, Event: e, Before: before.Events, After: after.Events,
		Start: reader.Token(before.Next), End: reader.Token(after.Next),
	}
	c.State, err = s.stateAround(ctx, access.Room, c, r.Filter)
	return c, err
}

// stateAround returns the state right after the last event of a context, or of it
// what the filter wants (READ-5, READ-6).
func (s *Service) stateAround(ctx context.Context, room *live.Room, c *EventContext, filter *events.RoomEventFilter) ([]*live.Event, error) {
	shown := append(slices.Concat(c.Before, c.After), c.Event)
	last := slices.MaxFunc(shown, func(x, y *live.Event) int { return cmp.Compare(x.Pos, y.Pos) })
	lazy := filter != nil && filter.LazyLoadMembers
	list, err := s.Reader.StateAt(ctx, room, last.Pos, !lazy)
	if err != nil {
		return nil, err
	}
	if lazy {
		members, err := s.senders(ctx, room, shown, last.Pos)
		if err != nil {
			return nil, err
		}
		list = append(list, members...)
	}
	return slices.DeleteFunc(list, func(e *live.Event) bool { return !filter.Match(e.Event) }), nil
}
