package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// timestamp serves the way from a time to an event.
func (a *API) timestamp() []route {
	return []route{get("/rooms/{roomId}/timestamp_to_event", byUser, a.getTimestampToEvent).at("v1").limit(ratelimit.Search)}
}

type timestampIn struct {
	Room events.RoomID `path:"roomId"`
	TS   int64         `query:"ts" required:"true"`
	Dir  string        `query:"dir" required:"true"`
}

type timestampOut struct {
	ID events.EventID `json:"event_id"`
	TS int64          `json:"origin_server_ts"`
}

func (a *API) getTimestampToEvent(ctx context.Context, c *caller, in timestampIn) (timestampOut, error) {
	if in.Dir != "b" && in.Dir != "f" {
		return timestampOut{}, mxerr.InvalidParam("dir", "must be b or f")
	}
	e, err := a.Rooms.EventAtTime(ctx, actor(c), in.Room, in.TS, in.Dir == "b")
	if err != nil {
		return timestampOut{}, err
	}
	return timestampOut{e.ID, e.TS}, nil
}
