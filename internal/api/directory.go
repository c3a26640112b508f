package api

import (
	"context"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/room"
)

// directory serves the rooms that are public knowledge.
func (a *API) directory() []route {
	const network = "/directory/list/appservice/{networkId}/{roomId}"
	return []route{
		get("/directory/list/room/{roomId}", open, a.getListed),
		put("/directory/list/room/{roomId}", byUser, a.putListed).limit(ratelimit.Rooms),
		put(network, byService, a.putListedFor),
		delete_(network, byService, a.deleteListedFor), // CLIENTA-26
		get("/publicRooms", open, a.getPublicRooms).limit(ratelimit.Search),
		post("/publicRooms", byUser, a.postPublicRooms).limit(ratelimit.Search),
	}
}

type listedIn struct {
	Room events.RoomID `path:"roomId"`
}

type putListedIn struct {
	Room       events.RoomID `path:"roomId"`
	Visibility string        `json:"visibility"`
}

type putListedForIn struct {
	Room       events.RoomID `path:"roomId"`
	Network    string        `path:"networkId"`
	Visibility string        `json:"visibility" required:"true"`
}

type deleteListedForIn struct {
	Room    events.RoomID `path:"roomId"`
	Network string        `path:"networkId"`
}

type visibilityOut struct {
	Visibility string `json:"visibility"`
}

func (a *API) getListed(ctx context.Context, _ *caller, in listedIn) (visibilityOut, error) {
	public, err := a.Rooms.Published(ctx, in.Room)
	if public {
		return visibilityOut{"public"}, err
	}
	return visibilityOut{"private"}, err
}

func (a *API) putListed(ctx context.Context, c *caller, in putListedIn) (empty, error) {
	public, err := isPublic(in.Visibility)
	if err != nil {
		return empty{}, err
	}
	return empty{}, a.Rooms.Publish(ctx, actor(c), in.Room, public)
}

func (a *API) putListedFor(ctx context.Context, c *caller, in putListedForIn) (empty, error) {
	public, err := isPublic(in.Visibility)
	if err != nil {
		return empty{}, err
	}
	return empty{}, a.Rooms.PublishFor(ctx, c.Service, in.Network, in.Room, public)
}

func (a *API) deleteListedFor(ctx context.Context, c *caller, in deleteListedForIn) (empty, error) {
	return empty{}, a.Rooms.PublishFor(ctx, c.Service, in.Network, in.Room, false)
}

func isPublic(visibility string) (bool, error) {
	switch visibility {
	case "public", "": // RDIR-2
		return true, nil
	case "private":
		return false, nil
	}
	return false, mxerr.InvalidParam("visibility", "must be public or private")
}

type publicRoomsIn struct {
	Server string `query:"server"`
	Since  string `query:"since"`
	Limit  *int64 `query:"limit"`
}

type searchRoomsIn struct {
	Server      string          `query:"server"`
	Since       string          `json:"since"`
	Limit       *int64          `json:"limit"`
	Filter      directoryFilter `json:"filter"`
	AllNetworks bool            `json:"include_all_networks"`
	Instance    string          `json:"third_party_instance_id"`
}

type directoryFilter struct {
	Term  string     `json:"generic_search_term"`
	Types []roomType `json:"room_types"`
}

// roomType is the type of a room; null and "" mean none (RDIR-13).
type roomType string

// UnmarshalJSON implements json.Unmarshaler.
func (t *roomType) UnmarshalJSON(text []byte) error {
	value := gjson.ParseBytes(text)
	if value.Type != gjson.String && value.Type != gjson.Null {
		return &shapeError{want: "a string or null"}
	}
	*t = roomType(value.Str)
	return nil
}

func (a *API) getPublicRooms(ctx context.Context, _ *caller, in publicRoomsIn) (rawJSON, error) {
	return a.publicRooms(ctx, room.DirectoryQuery{Server: in.Server, Since: in.Since, Limit: in.Limit})
}

func (a *API) postPublicRooms(ctx context.Context, _ *caller, in searchRoomsIn) (rawJSON, error) {
	q := room.DirectoryQuery{
		Server: in.Server, Since: in.Since, Limit: in.Limit, Search: in.Filter.Term,
		AllNetworks: in.AllNetworks, Instance: in.Instance,
	}
	for _, t := range in.Filter.Types {
		q.Types = append(q.Types, string(t))
	}
	return a.publicRooms(ctx, q)
}

func (a *API) publicRooms(ctx context.Context, q room.DirectoryQuery) (rawJSON, error) {
	page, err := a.Rooms.Directory(ctx, q)
	if err != nil {
		return nil, err
	}
	out := []byte(`{"chunk":[`)
	for i, entry := range page.Rooms {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, entry...)
	}
	out = append(out, ']')
	if page.Next != "" {
		out = events.AppendString(append(out, `,"next_batch":`...), page.Next)
	}
	if page.Prev != "" {
		out = events.AppendString(append(out, `,"prev_batch":`...), page.Prev)
	}
	if page.Total != nil {
		out = strconv.AppendInt(append(out, `,"total_room_count_estimate":`...), *page.Total, 10)
	}
	return append(out, '}'), nil
}
