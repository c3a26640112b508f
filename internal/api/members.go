package api

import (
	"context"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/room"
)

// members serves who is in a room.
func (a *API) members() []route {
	return []route{
		get("/rooms/{roomId}/members", byUser, a.getMembers).guests(),
		get("/rooms/{roomId}/joined_members", byUser, a.getJoinedMembers),
	}
}

type membersIn struct {
	Room          events.RoomID `path:"roomId"`
	At            string        `query:"at"`
	Membership    string        `query:"membership"`
	NotMembership string        `query:"not_membership"`
}

type joinedMembersIn struct {
	Room events.RoomID `path:"roomId"`
}

func (a *API) getMembers(ctx context.Context, c *caller, in membersIn) (rawJSON, error) {
	list, scope, err := a.Rooms.Members(ctx, actor(c), room.MembersRequest{
		Room: in.Room, At: in.At, Membership: in.Membership, NotMembership: in.NotMembership,
	})
	if err != nil {
		return nil, err
	}
	return append(a.Reader.Form(c.Device).AppendList([]byte(`{"chunk":`), scope, list), '}'), nil
}

func (a *API) getJoinedMembers(ctx context.Context, c *caller, in joinedMembersIn) (rawJSON, error) {
	list, err := a.Rooms.JoinedMembers(ctx, actor(c), in.Room)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"joined":{`)
	for i, e := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(events.AppendString(out, *e.StateKey), ':', '{')
		profile := gjson.GetManyBytes(e.Content, "avatar_url", "displayname")
		if profile[0].Type == gjson.String { // EVT-12
			out = events.AppendString(append(out, `"avatar_url":`...), profile[0].Str)
		}
		if profile[1].Type == gjson.String {
			if profile[0].Type == gjson.String {
				out = append(out, ',')
			}
			out = events.AppendString(append(out, `"display_name":`...), profile[1].Str)
		}
		out = append(out, '}')
	}
	return append(out, '}', '}'), nil
}
