package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/room"
)

// threads serves the threads of rooms.
func (a *API) threads() []route {
	return []route{get("/rooms/{roomId}/threads", byUser, a.getThreads).at("v1").limit(ratelimit.Search)}
}

type threadsIn struct {
	Room    events.RoomID `path:"roomId"`
	Include string        `query:"include"`
	From    string        `query:"from"`
	Limit   *int          `query:"limit"`
}

func (a *API) getThreads(ctx context.Context, c *caller, in threadsIn) (rawJSON, error) {
	switch in.Include {
	case "", "all", "participated":
	default:
		return nil, mxerr.InvalidParam("include", "must be all or participated")
	}
	page, err := a.Rooms.Threads(ctx, actor(c), room.ThreadsRequest{
		Room: in.Room, Participated: in.Include == "participated", From: in.From, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	out, err := a.appendRelated(ctx, c, page)
	return append(out, '}'), err
}
