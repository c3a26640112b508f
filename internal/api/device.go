package api

import (
	"context"

	"github.com/ca4c8834/homeserver/internal/account"
)

// device serves what a user's sessions are called and when they were last used.
func (a *API) device() []route {
	return []route{
		get("/devices", byUser, a.getDevices).guests(),
		get("/devices/{deviceId}", byUser, a.getDevice).guests(),
		put("/devices/{deviceId}", byUser, a.putDevice).guests(),
	}
}

type deviceIn struct {
	ID string `path:"deviceId"`
}

type putDeviceIn struct {
	ID          string  `path:"deviceId"`
	DisplayName *string `json:"display_name"`
}

type deviceOut struct {
	ID          string `json:"device_id"`
	DisplayName string `json:"display_name,omitempty"`
	LastSeenIP  string `json:"last_seen_ip,omitempty"`
	LastSeenTS  int64  `json:"last_seen_ts,omitempty"`
}

func newDeviceOut(d account.Device) deviceOut {
	return deviceOut{d.ID, d.DisplayName, d.LastSeenIP, d.LastSeenTS}
}

type devicesOut struct {
	Devices []deviceOut `json:"devices"`
}

func (a *API) getDevices(ctx context.Context, c *caller, _ empty) (devicesOut, error) {
	devices, err := a.Accounts.Devices(ctx, c.User)
	out := devicesOut{make([]deviceOut, len(devices))}
	for i, d := range devices {
		out.Devices[i] = newDeviceOut(d)
	}
	return out, err
}

func (a *API) getDevice(ctx context.Context, c *caller, in deviceIn) (deviceOut, error) {
	d, err := a.Accounts.Device(ctx, c.User, in.ID)
	return newDeviceOut(d), err
}

func (a *API) putDevice(ctx context.Context, c *caller, in putDeviceIn) (empty, error) {
	return empty{}, a.Accounts.RenameDevice(ctx, c.User, in.ID, in.DisplayName)
}
