package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/sync"
)

// events serves what clients waited for news with before there was /sync, and still use
// for rooms they look into.
func (a *API) events() []route {
	return []route{get("/events", byUser, a.getEvents).guests().forNamedUser().longPoll()}
}

type eventsIn struct {
	From    string        `query:"from"`
	Timeout int64         `query:"timeout"`
	Room    events.RoomID `query:"room_id"`
}

func (a *API) getEvents(ctx context.Context, c *caller, in eventsIn) (rawJSON, error) {
	answer, err := a.Sync.Events(ctx, sync.EventsRequest{
		User: c.User, Device: c.Device, Guest: c.Guest, From: in.From, Room: in.Room,
		Timeout: milliseconds(in.Timeout),
	})
	return rawJSON(answer), err
}
