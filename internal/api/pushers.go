package api

import (
	"context"
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/pushers"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// pushers serves where users are notified.
func (a *API) pushers() []route {
	return []route{
		get("/pushers", byUser, a.getPushers),
		post("/pushers/set", byUser, a.postPusher).limit(ratelimit.Account).body(16 << 10),
	}
}

type postPusherIn struct {
	Kind       json.RawMessage `json:"kind" required:"true"`
	AppID      string          `json:"app_id" required:"true"`
	Key        string          `json:"pushkey" required:"true"`
	AppName    *string         `json:"app_display_name"`
	DeviceName *string         `json:"device_display_name"`
	ProfileTag string          `json:"profile_tag"`
	Lang       *string         `json:"lang"`
	Data       json.RawMessage `json:"data"`
	Append     bool            `json:"append"`
	Enabled    *bool           `json:"org.matrix.msc3881.enabled"`
}

type pusherOut struct {
	Key        string          `json:"pushkey"`
	Kind       string          `json:"kind"`
	AppID      string          `json:"app_id"`
	AppName    string          `json:"app_display_name"`
	DeviceName string          `json:"device_display_name"`
	ProfileTag string          `json:"profile_tag,omitempty"`
	Lang       string          `json:"lang"`
	Data       json.RawMessage `json:"data"`
	Enabled    bool            `json:"org.matrix.msc3881.enabled"`
	Device     string          `json:"org.matrix.msc3881.device_id,omitempty"`
}

type pushersOut struct {
	Pushers []pusherOut `json:"pushers"`
}

func (a *API) getPushers(ctx context.Context, c *caller, _ empty) (pushersOut, error) {
	list, err := a.Pushers.Pushers(ctx, c.User)
	out := pushersOut{make([]pusherOut, len(list))}
	for i, p := range list {
		out.Pushers[i] = pusherOut{
			p.Key, p.Kind, p.AppID, p.AppName, p.DeviceName, p.ProfileTag, p.Lang, p.Data, p.Enabled, p.Device,
		}
	}
	return out, err
}

// postPusher sets up a pusher, or removes it if the kind is null (PUSH-3).
func (a *API) postPusher(ctx context.Context, c *caller, in postPusherIn) (empty, error) {
	change := pushers.Change{
		Device: c.Device, AppName: in.AppName, DeviceName: in.DeviceName, ProfileTag: in.ProfileTag, Lang: in.Lang,
		Data: in.Data, Append: in.Append, Disabled: in.Enabled != nil && !*in.Enabled,
	}
	change.User, change.AppID, change.Key = c.User, in.AppID, in.Key
	switch kind := gjson.ParseBytes(in.Kind); kind.Type {
	case gjson.Null:
		return empty{}, a.Pushers.Delete(ctx, change.PusherKey)
	case gjson.String:
		change.Kind = kind.Str
		return empty{}, a.Pushers.Set(ctx, change)
	}
	return empty{}, mxerr.BadJSON("kind must be a string or null")
}
