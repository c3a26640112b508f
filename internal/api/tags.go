package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/events"
)

// tags serves how users sort their rooms.
func (a *API) tags() []route {
	const all, one = "/user/{userId}/rooms/{roomId}/tags", "/user/{userId}/rooms/{roomId}/tags/{tag}"
	return []route{
		get(all, byUser, a.getTags).own(),
		put(one, byUser, a.putTag).own().body(16 << 10),
		delete_(one, byUser, a.deleteTag).own(),
	}
}

type tagsIn struct {
	User events.UserID `path:"userId"`
	Room events.RoomID `path:"roomId"`
}

type tagIn struct {
	User events.UserID `path:"userId"`
	Room events.RoomID `path:"roomId"`
	Tag  string        `path:"tag"`
}

type putTagIn struct {
	User    events.UserID   `path:"userId"`
	Room    events.RoomID   `path:"roomId"`
	Tag     string          `path:"tag"`
	Content json.RawMessage `body:""`
}

func (a *API) getTags(ctx context.Context, _ *caller, in tagsIn) (rawJSON, error) {
	tags, err := a.Accounts.Tags(ctx, in.User, in.Room)
	return rawJSON(tags), err
}

func (a *API) putTag(ctx context.Context, _ *caller, in putTagIn) (empty, error) {
	return empty{}, a.Accounts.SetTag(ctx, in.User, in.Room, in.Tag, in.Content)
}

func (a *API) deleteTag(ctx context.Context, _ *caller, in tagIn) (empty, error) {
	return empty{}, a.Accounts.DeleteTag(ctx, in.User, in.Room, in.Tag)
}
