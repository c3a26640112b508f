package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// device serves what a user's sessions are called and when they were last used.
func (a *API) device() []route {
	return []route{
		get("/devices", byUser, a.getDevices).guests(),
		get("/devices/{deviceId}", byUser, a.getDevice).guests(),
		put("/devices/{deviceId}", byUser, a.putDevice).guests().limit(ratelimit.Account),
		delete_("/devices/{deviceId}", byUser, a.deleteDevice),
		post("/delete_devices", byUser, a.deleteDevices).body(64 << 10),
	}
}

type deviceIn struct {
	ID string `path:"deviceId"`
}

type putDeviceIn struct {
	ID          string  `path:"deviceId"`
	DisplayName *string `json:"display_name"`
}

type deleteDeviceIn struct {
	ID   string          `path:"deviceId"`
	Auth json.RawMessage `json:"auth"`
}

type deleteDevicesIn struct {
	IDs  []string        `json:"devices" required:"true"`
	Auth json.RawMessage `json:"auth"`
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

// putDeviceOut is {}, with 201 if the device was made (DEV-5).
type putDeviceOut struct{ created bool }

func (o putDeviceOut) statusCode() int {
	if o.created {
		return http.StatusCreated
	}
	return http.StatusOK
}

func (a *API) putDevice(ctx context.Context, c *caller, in putDeviceIn) (out putDeviceOut, err error) {
	out.created, err = a.Accounts.PutDevice(ctx, c.User, in.ID, in.DisplayName, c.Service != "")
	return out, err
}

func (a *API) deleteDevice(ctx context.Context, c *caller, in deleteDeviceIn) (empty, error) {
	return a.deleteDevices(ctx, c, deleteDevicesIn{[]string{in.ID}, in.Auth})
}

func (a *API) deleteDevices(ctx context.Context, c *caller, in deleteDevicesIn) (empty, error) {
	if c.Service != "" {
		return empty{}, a.Accounts.RemoveDevices(ctx, c.User, in.IDs) // DEV-13
	}
	return empty{}, a.Accounts.DeleteDevices(ctx, c.User, in.IDs, in.Auth)
}
