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
		get("/register/m.login.registration_token/validity", open, a.getTokenValidity).at("v1").limit(ratelimit.Probe),
		get("/register/available", open, a.getRegisterAvailable).limit(ratelimit.Register),
	}
}

type registerIn struct {
	Kind         *string         `query:"kind"`
	Type         string          `json:"type"` // of application services
	Auth         json.RawMessage `json:"auth"`
	Username     *string         `json:"username"`
	Password     string          `json:"password"`
	Device       string          `json:"device_id"`
	DeviceName   string          `json:"initial_device_display_name"`
	InhibitLogin bool            `json:"inhibit_login"`
	Refresh      bool            `json:"refresh_token"`
	GuestToken   string          `json:"guest_access_token"`
}

func (a *API) postRegister(ctx context.Context, c *caller, in registerIn) (sessionOut, error) {
	switch {
	case in.Kind != nil && *in.Kind == "guest": // REG-13
		session, err := a.Accounts.RegisterGuest(ctx, clientOf(c, "", in.DeviceName, false))
		return newSessionOut(session), err
	case in.Kind != nil && *in.Kind != "user": // REG-1
		return sessionOut{}, mxerr.InvalidParam("kind", "is neither user nor guest")
	}
	wanted := account.NewAccount{
		Username: in.Username, Password: in.Password, Auth: in.Auth, InhibitLogin: in.InhibitLogin,
		GuestToken: in.GuestToken,
		Client:     clientOf(c, in.Device, in.DeviceName, in.Refresh),
	}
	if in.Type == loginService {
		session, err := a.Accounts.RegisterByService(ctx, c.Presented.Token, wanted)
		return newSessionOut(session), err
	}
	session, err := a.Accounts.Register(ctx, wanted)
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

type tokenValidityIn struct {
	Token string `query:"token" required:"true"`
}

type tokenValidityOut struct {
	Valid bool `json:"valid"`
}

func (a *API) getTokenValidity(ctx context.Context, _ *caller, in tokenValidityIn) (tokenValidityOut, error) {
	valid, err := a.Accounts.ValidRegistrationToken(ctx, in.Token)
	return tokenValidityOut{valid}, err
}
