package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
)

// event serves single events.
func (a *API) event() []route {
	return []route{
		get("/rooms/{roomId}/event/{eventId}", byUser, a.getEvent).guests(),
		get("/events/{eventId}", byUser, a.getEventAnywhere),
	}
}

type eventIn struct {
	Room  events.RoomID  `path:"roomId"`
	Event events.EventID `path:"eventId"`
}

type eventAnywhereIn struct {
	Event events.EventID `path:"eventId"`
}

func (a *API) getEvent(ctx context.Context, c *caller, in eventIn) (rawJSON, error) {
	e, scope, err := a.Rooms.Event(ctx, actor(c), in.Room, in.Event)
	if err != nil {
		return nil, err
	}
	form := a.Reader.Form(c.Device)
	if err := form.Bundle(ctx, scope, e); err != nil {
		return nil, err
	}
	return form.Append(nil, scope, e), nil
}

func (a *API) getEventAnywhere(ctx context.Context, c *caller, in eventAnywhereIn) (rawJSON, error) {
	e, scope, err := a.Rooms.EventAnywhere(ctx, actor(c), in.Event)
	if err != nil {
		return nil, err
	}
	return a.Reader.Form(c.Device).Append(nil, scope, e), nil
}
