package api

import (
	"context"

	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// summary serves what may be told of a room from outside.
func (a *API) summary() []route {
	return []route{
		get("/room_summary/{roomIdOrAlias}", optional, a.getSummary).at("v1").
			unstable("/im.nheko.summary/summary/{roomIdOrAlias}", "/im.nheko.summary/rooms/{roomIdOrAlias}/summary"). // CLIENT-15
			guests().limit(ratelimit.Search),
	}
}

type summaryIn struct {
	Room string `path:"roomIdOrAlias"`
}

func (a *API) getSummary(ctx context.Context, c *caller, in summaryIn) (rawJSON, error) {
	id, err := a.Rooms.Resolve(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	return a.Rooms.Summary(ctx, c.User, id)
}
