package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/presence"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// presence serves who is there.
func (a *API) presence() []route {
	const path = "/presence/{userId}/status"
	return []route{
		get(path, byUser, a.getPresence),
		put(path, byUser, a.putPresence).own().limit(ratelimit.Messages),
	}
}

type presenceIn struct {
	User events.UserID `path:"userId"`
}

type putPresenceIn struct {
	User     events.UserID `path:"userId"`
	Presence string        `json:"presence" required:"true"`
	Status   string        `json:"status_msg"`
}

func (a *API) getPresence(ctx context.Context, c *caller, in presenceIn) (rawJSON, error) {
	status, err := a.Presence.Status(ctx, c.User, in.User)
	return rawJSON(status), err
}

func (a *API) putPresence(ctx context.Context, c *caller, in putPresenceIn) (empty, error) {
	state, ok := presence.ParseState(in.Presence)
	if !ok {
		return empty{}, mxerr.InvalidParam("presence", "must be online, offline or unavailable")
	}
	return empty{}, a.Presence.Set(ctx, in.User, c.Device, state, in.Status)
}

// active notes that the caller has done something (PRES-7). That is worth no failure of
// what they did.
func (a *API) active(ctx context.Context, c *caller) {
	if err := a.Presence.Active(ctx, c.User); err != nil && ctx.Err() == nil {
		a.Logger.WarnContext(ctx, "note activity", "user_id", c.User, "error", err)
	}
}
