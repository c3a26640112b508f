package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// register serves how accounts begin.
func (a *API) register() []route {
	return []route{
		post("/register", open, a.postRegister).limit(ratelimit.Register),
		get("/register/available", open, a.getRegisterAvailable).limit(ratelimit.Register),
	}
}

type registerIn struct {
	Kind         *string         `query:"kind"`
	Auth         json.RawMessage `json:"auth"`
	Username     *string         `json:"username"`
	Password     string          `json:"password"`
	Device       string          `json:"device_id"`
	DeviceName   string          `json:"initial_device_display_name"`
	InhibitLogin bool            `json:"inhibit_login"`
	Refresh      bool            `json:"refresh_token"`
}

func (a *API) postRegister(ctx context.Context, c *caller, in registerIn) (sessionOut, error) {
	if in.Kind != nil && *in.Kind != "user" { // REG-1, REG-6
		if *in.Kind == "guest" {
			return sessionOut{}, mxerr.Forbidden("guest access is not offered")
		}
		return sessionOut{}, mxerr.InvalidParam("kind", "is neither user nor guest")
	}
	session, err := a.Accounts.Register(ctx, account.NewAccount{
		Username: in.Username, Password: in.Password, Auth: in.Auth, InhibitLogin: in.InhibitLogin,
		Client: clientOf(c, in.Device, in.DeviceName, in.Refresh),
	})
	return newSessionOut(session), err
}

type registerAvailableIn struct {
	Username string `query:"username" required:"true"`
}

type availableOut struct {
	Available bool `json:"available"`
}

func (a *API) getRegisterAvailable(ctx context.Context, _ *caller, in registerAvailableIn) (availableOut, error) {
	return availableOut{true}, a.Accounts.Available(ctx, in.Username)
}
