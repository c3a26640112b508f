package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// typing serves who is typing.
func (a *API) typing() []route {
	return []route{
		put("/rooms/{roomId}/typing/{userId}", byUser, a.putTyping).own().showsActivity().limit(ratelimit.Messages),
	}
}

type typingIn struct {
	Room    events.RoomID `path:"roomId"`
	User    events.UserID `path:"userId"`
	Typing  bool          `json:"typing" required:"true"`
	Timeout int64         `json:"timeout"` // milliseconds
}

func (a *API) putTyping(ctx context.Context, _ *caller, in typingIn) (empty, error) {
	return empty{}, a.Typing.Set(ctx, in.User, in.Room, in.Typing, milliseconds(in.Timeout))
}
