package api

import (
	"context"
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// profile serves what users tell about themselves.
func (a *API) profile() []route {
	const field = "/profile/{userId}/{keyName}"
	return []route{
		get("/profile/{userId}", open, a.getProfile),
		get(field, open, a.getProfileField),
		put(field, byUser, a.putProfileField).own().guests().limit(ratelimit.Account),
		delete_(field, byUser, a.deleteProfileField).at("v3").own().guests().limit(ratelimit.Account),
	}
}

type profileIn struct {
	User events.UserID `path:"userId"`
}

type profileFieldIn struct {
	User events.UserID `path:"userId"`
	Name string        `path:"keyName"`
}

type putProfileFieldIn struct {
	User events.UserID   `path:"userId"`
	Name string          `path:"keyName"`
	Body json.RawMessage `body:"" required:"true"`
}

func (a *API) getProfile(ctx context.Context, _ *caller, in profileIn) (rawJSON, error) {
	profile, err := a.Accounts.Profile(ctx, in.User)
	return rawJSON(profile), err
}

func (a *API) getProfileField(ctx context.Context, _ *caller, in profileFieldIn) (rawJSON, error) {
	field, err := a.Accounts.ProfileField(ctx, in.User, in.Name)
	return rawJSON(field), err
}

func (a *API) putProfileField(ctx context.Context, _ *caller, in putProfileFieldIn) (empty, error) {
	var value json.RawMessage
	gjson.ParseBytes(in.Body).ForEach(func(key, v gjson.Result) bool { // not Get, to which a name like m.tz is a path
		if key.Str == in.Name {
			value = json.RawMessage(v.Raw)
		}
		return true
	})
	return empty{}, a.Accounts.SetProfileField(ctx, in.User, in.Name, value)
}

func (a *API) deleteProfileField(ctx context.Context, _ *caller, in profileFieldIn) (empty, error) {
	return empty{}, a.Accounts.DeleteProfileField(ctx, in.User, in.Name)
}
