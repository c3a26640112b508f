package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// alias serves the names of rooms.
func (a *API) alias() []route {
	const path = "/directory/room/{roomAlias}"
	return []route{
		get(path, open, a.getAlias),
		put(path, byUser, a.putAlias).limit(ratelimit.Rooms),
		delete_(path, byUser, a.deleteAlias).limit(ratelimit.Rooms),
		get("/rooms/{roomId}/aliases", byUser, a.getAliases).unstable("/org.matrix.msc2432/rooms/{roomId}/aliases"), // for matrix-bot-sdk
	}
}

type aliasIn struct {
	Alias events.RoomAlias `path:"roomAlias"`
}

type aliasOut struct {
	Room    events.RoomID       `json:"room_id"`
	Servers []events.ServerName `json:"servers"`
}

type putAliasIn struct {
	Alias events.RoomAlias `path:"roomAlias"`
	Room  events.RoomID    `json:"room_id" required:"true"`
}

type aliasesIn struct {
	Room events.RoomID `path:"roomId"`
}

type aliasesOut struct {
	Aliases []events.RoomAlias `json:"aliases"`
}

func (a *API) getAlias(ctx context.Context, _ *caller, in aliasIn) (aliasOut, error) {
	room, err := a.Rooms.ResolveAlias(ctx, in.Alias)
	return aliasOut{room, []events.ServerName{in.Alias.Server()}}, err
}

func (a *API) putAlias(ctx context.Context, c *caller, in putAliasIn) (empty, error) {
	return empty{}, a.Rooms.SetAlias(ctx, actor(c), in.Alias, in.Room)
}

func (a *API) deleteAlias(ctx context.Context, c *caller, in aliasIn) (empty, error) {
	return empty{}, a.Rooms.DeleteAlias(ctx, actor(c), in.Alias)
}

func (a *API) getAliases(ctx context.Context, c *caller, in aliasesIn) (aliasesOut, error) {
	list, err := a.Rooms.Aliases(ctx, actor(c), in.Room)
	return aliasesOut{append([]events.RoomAlias{}, list...)}, err
}
