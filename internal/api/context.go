package api

import (
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/room"
)

// context serves what happened around an event.
func (a *API) context() []route {
	return []route{get("/rooms/{roomId}/context/{eventId}", byUser, a.getContext).guests()}
}

type contextIn struct {
	Room   events.RoomID  `path:"roomId"`
	Event  events.EventID `path:"eventId"`
	Limit  *int           `query:"limit"`
	Filter string         `query:"filter"`
}

func (a *API) getContext(ctx context.Context, c *caller, in contextIn) (rawJSON, error) {
	filter, err := roomEventFilter(in.Filter)
	if err != nil {
		return nil, err
	}
	around, err := a.Rooms.Context(ctx, actor(c), room.ContextRequest{Room: in.Room, Event: in.Event, Limit: in.Limit, Filter: filter})
	if err != nil {
		return nil, err
	}
	form := a.Reader.Form(c.Device)
	if err := form.Bundle(ctx, around.Scope, append(slices.Concat(around.Before, around.After), around.Event)...); err != nil {
		return nil, err
	}
	out := events.AppendString([]byte(`{"end":`), around.End)
	out = form.Append(append(out, `,"event":`...), around.Scope, around.Event)
	out = form.AppendList(append(out, `,"events_after":`...), around.Scope, around.After)
	out = form.AppendList(append(out, `,"events_before":`...), around.Scope, around.Before)
	out = events.AppendString(append(out, `,"start":`...), around.Start)
	out = form.AppendList(append(out, `,"state":`...), around.Scope, around.State)
	return append(out, '}'), nil
}
