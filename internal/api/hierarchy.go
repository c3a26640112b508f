package api

import (
	"bytes"
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/room"
)

// hierarchy serves the rooms of spaces.
func (a *API) hierarchy() []route {
	return []route{
		get("/rooms/{roomId}/hierarchy", byUser, a.getHierarchy).at("v1").limit(ratelimit.Search),
	}
}

type hierarchyIn struct {
	Room          events.RoomID `path:"roomId"`
	SuggestedOnly bool          `query:"suggested_only"`
	Limit         *int64        `query:"limit"`
	MaxDepth      *int64        `query:"max_depth"`
	From          string        `query:"from"`
}

func (a *API) getHierarchy(ctx context.Context, c *caller, in hierarchyIn) (rawJSON, error) {
	page, err := a.Rooms.Hierarchy(ctx, c.User, room.HierarchyRequest{
		Room: in.Room, SuggestedOnly: in.SuggestedOnly, Limit: in.Limit, MaxDepth: in.MaxDepth, From: in.From,
	})
	if err != nil {
		return nil, err
	}
	out := append([]byte(`{"rooms":[`), bytes.Join(page.Rooms, []byte{','})...)
	out = append(out, ']')
	if page.Next != "" {
		out = events.AppendString(append(out, `,"next_batch":`...), page.Next)
	}
	return append(out, '}'), nil
}
