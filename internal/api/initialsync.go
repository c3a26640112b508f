package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/sync"
)

// initialSync serves what clients began with before there was /sync, and still use to
// look into rooms.
func (a *API) initialSync() []route {
	return []route{
		get("/initialSync", byUser, a.getInitialSync),
		get("/rooms/{roomId}/initialSync", byUser, a.getRoomInitialSync).guests(),
	}
}

type initialSyncIn struct {
	Limit    *int `query:"limit"`
	Archived bool `query:"archived"`
}

type roomInitialSyncIn struct {
	Room  events.RoomID `path:"roomId"`
	Limit *int          `query:"limit"`
}

func (a *API) getInitialSync(ctx context.Context, c *caller, in initialSyncIn) (rawJSON, error) {
	limit, err := messageLimit(in.Limit)
	if err != nil {
		return nil, err
	}
	answer, err := a.Sync.InitialSync(ctx, sync.InitialRequest{User: c.User, Device: c.Device, Limit: limit, Archived: in.Archived})
	return rawJSON(answer), err
}

func (a *API) getRoomInitialSync(ctx context.Context, c *caller, in roomInitialSyncIn) (rawJSON, error) {
	limit, err := messageLimit(in.Limit)
	if err != nil {
		return nil, err
	}
	answer, err := a.Sync.RoomInitialSync(ctx, in.Room, sync.InitialRequest{User: c.User, Device: c.Device, Limit: limit})
	return rawJSON(answer), err
}

// messageLimit reads a limit of which zero means none at all (LEG-8); negative is the
// default.
func messageLimit(limit *int) (int, error) {
	switch {
	case limit == nil:
		return -1, nil
	case *limit < 0:
		return 0, mxerr.InvalidParam("limit", "must not be negative")
	}
	return *limit, nil
}
