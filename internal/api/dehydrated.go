package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/internal/keys"
)

// dehydrated serves the device that a user leaves behind on the server (MSC3814, as Element uses it).
func (a *API) dehydrated() []route {
	const path = "/org.matrix.msc3814.v1/dehydrated_device"
	return []route{
		get("", byUser, a.getDehydrated).at().unstable(path),
		put("", byUser, a.putDehydrated).at().unstable(path),
		delete_("", byUser, a.deleteDehydrated).at().unstable(path),
		post("", byUser, a.postDehydratedEvents).at().unstable(path + "/{deviceId}/events"),
	}
}

type dehydratedOut struct {
	Device string          `json:"device_id"`
	Data   json.RawMessage `json:"device_data,omitempty"`
}

func (a *API) getDehydrated(ctx context.Context, c *caller, _ empty) (out dehydratedOut, err error) {
	out.Device, out.Data, err = a.Keys.Dehydrated(ctx, c.User)
	return out, err
}

type putDehydratedIn struct {
	Device string          `json:"device_id" required:"true"`
	Data   json.RawMessage `json:"device_data" required:"true"`
	Name   string          `json:"initial_device_display_name"`
	postKeysIn
}

func (a *API) putDehydrated(ctx context.Context, c *caller, in putDehydratedIn) (dehydratedOut, error) {
	return dehydratedOut{Device: in.Device}, a.Keys.PutDehydrated(ctx, c.User, keys.Dehydrated{
		Device: in.Device, Name: in.Name, Data: in.Data, Keys: in.upload(),
	})
}

func (a *API) deleteDehydrated(ctx context.Context, c *caller, _ empty) (out dehydratedOut, err error) {
	out.Device, err = a.Keys.DeleteDehydrated(ctx, c.User)
	return out, err
}

type dehydratedEventsIn struct {
	Device string `path:"deviceId"`
	From   string `json:"next_batch"`
}

type dehydratedEventsOut struct {
	Events []json.RawMessage `json:"events"`
	Next   string            `json:"next_batch"`
}

func (a *API) postDehydratedEvents(ctx context.Context, c *caller, in dehydratedEventsIn) (out dehydratedEventsOut, err error) {
	out.Events, out.Next, err = a.Keys.DehydratedEvents(ctx, c.User, in.Device, in.From)
	return out, err
}
