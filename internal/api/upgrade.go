package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/room"
)

// upgrade serves the replacement of rooms by others of another version.
func (a *API) upgrade() []route {
	return []route{
		post("/rooms/{roomId}/upgrade", byUser, a.postUpgrade).limit(ratelimit.Rooms),
	}
}

type upgradeIn struct {
	Room     events.RoomID   `path:"roomId"`
	Version  string          `json:"new_version" required:"true"`
	Creators json.RawMessage `json:"additional_creators"`
}

type upgradeOut struct {
	Replacement events.RoomID `json:"replacement_room"`
}

func (a *API) postUpgrade(ctx context.Context, c *caller, in upgradeIn) (upgradeOut, error) {
	id, err := a.Rooms.Upgrade(ctx, actor(c), room.Upgrade{Room: in.Room, Version: in.Version, Creators: in.Creators})
	return upgradeOut{id}, err
}
