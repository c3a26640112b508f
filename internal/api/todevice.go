package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/todevice"
)

// toDevice serves messages from device to device.
func (a *API) toDevice() []route {
	return []route{
		put("/sendToDevice/{eventType}/{txnId}", byUser, a.putToDevice).guests().
			limit(ratelimit.Messages).body(todevice.MaxRequest),
	}
}

type putToDeviceIn struct {
	Type     string                                `path:"eventType"`
	TxnID    string                                `path:"txnId"`
	Messages map[string]map[string]json.RawMessage `json:"messages" required:"true"`
}

func (a *API) putToDevice(ctx context.Context, c *caller, in putToDeviceIn) (empty, error) {
	return empty{}, a.ToDevice.Send(ctx, todevice.Messages{
		Sender: c.User, Device: c.Device, Type: in.Type, TxnID: in.TxnID, Content: in.Messages,
	})
}
