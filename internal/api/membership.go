package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/room"
)

// membership serves being in rooms, and putting others in and out.
func (a *API) membership() []route {
	return []route{
		post("/join/{roomIdOrAlias}", byUser, a.joinByName).guests().limit(ratelimit.Rooms),
		post("/rooms/{roomId}/join", byUser, a.joinByID).guests().limit(ratelimit.Rooms),
		post("/knock/{roomIdOrAlias}", byUser, a.knock).at("v3").limit(ratelimit.Rooms),
		post("/rooms/{roomId}/invite", byUser, a.invite).limit(ratelimit.Rooms),
		post("/rooms/{roomId}/leave", byUser, a.leave).guests().limit(ratelimit.Messages),
		post("/rooms/{roomId}/kick", byUser, a.kick).limit(ratelimit.Messages),
		post("/rooms/{roomId}/ban", byUser, a.ban).limit(ratelimit.Messages),
		post("/rooms/{roomId}/unban", byUser, a.unban).limit(ratelimit.Messages),
		post("/rooms/{roomId}/forget", byUser, a.forget).limit(ratelimit.Messages),
		get("/joined_rooms", byUser, a.joinedRooms),
	}
}

// Joins take the servers to ask for the room in the query, as via or server_name;
// there are none but this one (MEMB-6).
type joinIn struct {
	Reason     *string         `json:"reason"`
	ThirdParty jsonObject      `json:"third_party_signed"`
	Content    json.RawMessage `body:""`
}

type joinByIDIn struct {
	Room events.RoomID `path:"roomId"`
	joinIn
}

type joinByNameIn struct {
	Room string `path:"roomIdOrAlias"`
	joinIn
}

func (a *API) joinByID(ctx context.Context, c *caller, in joinByIDIn) (roomIDOut, error) {
	err := a.Rooms.Join(ctx, actor(c), room.Join{
		Room: in.Room, Reason: in.Reason, Content: in.Content, ThirdParty: json.RawMessage(in.ThirdParty),
	})
	return roomIDOut{in.Room}, err
}

func (a *API) joinByName(ctx context.Context, c *caller, in joinByNameIn) (roomIDOut, error) {
	id, err := a.Rooms.Resolve(ctx, in.Room)
	if err != nil {
		return roomIDOut{}, err
	}
	return a.joinByID(ctx, c, joinByIDIn{id, in.joinIn})
}

type knockIn struct {
	Room   string  `path:"roomIdOrAlias"`
	Reason *string `json:"reason"`
}

func (a *API) knock(ctx context.Context, c *caller, in knockIn) (roomIDOut, error) {
	id, err := a.Rooms.Resolve(ctx, in.Room)
	if err == nil {
		err = a.Rooms.Knock(ctx, actor(c), id, in.Reason)
	}
	return roomIDOut{id}, err
}

type inviteIn struct {
	Room   events.RoomID  `path:"roomId"`
	User   *events.UserID `json:"user_id"`
	Reason *string        `json:"reason"`
	threePIDInvite
}

func (a *API) invite(ctx context.Context, c *caller, in inviteIn) (empty, error) {
	switch {
	case in.User != nil:
		return empty{}, a.Rooms.Invite(ctx, actor(c), in.Room, *in.User, in.Reason)
	case in.threePIDInvite == threePIDInvite{}:
		return empty{}, mxerr.MissingParam("user_id") // MEMB-18
	}
	return empty{}, in.refuse()
}

type leaveIn struct {
	Room   events.RoomID `path:"roomId"`
	Reason *string       `json:"reason"`
}

func (a *API) leave(ctx context.Context, c *caller, in leaveIn) (empty, error) {
	return empty{}, a.Rooms.Leave(ctx, actor(c), in.Room, in.Reason)
}

// removalIn is a request to kick, ban or unban somebody.
type removalIn struct {
	Room   events.RoomID `path:"roomId"`
	User   events.UserID `json:"user_id" required:"true"`
	Reason *string       `json:"reason"`
}

func (a *API) kick(ctx context.Context, c *caller, in removalIn) (empty, error) {
	return empty{}, a.Rooms.Kick(ctx, actor(c), in.Room, in.User, in.Reason)
}

func (a *API) ban(ctx context.Context, c *caller, in removalIn) (empty, error) {
	return empty{}, a.Rooms.Ban(ctx, actor(c), in.Room, in.User, in.Reason)
}

func (a *API) unban(ctx context.Context, c *caller, in removalIn) (empty, error) {
	return empty{}, a.Rooms.Unban(ctx, actor(c), in.Room, in.User, in.Reason)
}

type forgetIn struct {
	Room events.RoomID `path:"roomId"`
}

func (a *API) forget(ctx context.Context, c *caller, in forgetIn) (empty, error) {
	return empty{}, a.Rooms.Forget(ctx, actor(c), in.Room)
}

type joinedRoomsOut struct {
	Rooms []events.RoomID `json:"joined_rooms"`
}

func (a *API) joinedRooms(ctx context.Context, c *caller, _ struct{}) (joinedRoomsOut, error) {
	rooms, err := a.Rooms.JoinedRooms(ctx, c.User)
	return joinedRoomsOut{rooms}, err
}
