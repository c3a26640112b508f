package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// register serves how accounts begin.
func (a *API) register() []route {
	return []route{
		a.registerRow().limit(ratelimit.Register),
		get("/register/m.login.registration_token/validity", open, a.getTokenValidity).at("v1").limit(ratelimit.Probe),
		get("/register/available", open, a.getRegisterAvailable).limit(ratelimit.Register),
	}
}

// registerRow serves both kinds of registration, each with its own request type: what comes with that of a guest and is
// ignored is not decoded either (REG-13).
func (a *API) registerRow() route {
	row, guests := post("/register", open, a.postRegister), post("/register", open, a.postRegisterGuest)
	users := row.serve
	row.serve = func(ctx context.Context, w http.ResponseWriter, req *request) (any, error) {
		if req.URL.Query().Get("kind") == "guest" {
			return guests.serve(ctx, w, req)
		}
		return users(ctx, w, req)
	}
	return row
}

type registerIn struct {
	Kind         *string         `query:"kind"`
	Type         string          `json:"type"` // of application services
	Auth         json.RawMessage `json:"auth"`
	Username     *rawText        `json:"username"`
	Password     string          `json:"password"`
	Device       string          `json:"device_id"`
	DeviceName   string          `json:"initial_device_display_name"`
	InhibitLogin bool            `json:"inhibit_login"`
	Refresh      bool            `json:"refresh_token"`
	GuestToken   string          `json:"guest_access_token"`
}

func (a *API) postRegister(ctx context.Context, c *caller, in registerIn) (sessionOut, error) {
	if in.Kind != nil && *in.Kind != "user" { // REG-1
		return sessionOut{}, mxerr.InvalidParam("kind", "is neither user nor guest")
	}
	wanted := account.NewAccount{
		Username: (*string)(in.Username), Password: in.Password, Auth: in.Auth, InhibitLogin: in.InhibitLogin,
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

type registerGuestIn struct {
	DeviceName string `json:"initial_device_display_name"`
}

func (a *API) postRegisterGuest(ctx context.Context, c *caller, in registerGuestIn) (sessionOut, error) {
	session, err := a.Accounts.RegisterGuest(ctx, clientOf(c, "", in.DeviceName, false))
	return newSessionOut(session), err
}

type registerAvailableIn struct {
	Username rawText `query:"username" required:"true"`
}

type availableOut struct {
	Available bool `json:"available"`
}

func (a *API) getRegisterAvailable(ctx context.Context, _ *caller, in registerAvailableIn) (availableOut, error) {
	return availableOut{true}, a.Accounts.Available(ctx, string(in.Username))
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
