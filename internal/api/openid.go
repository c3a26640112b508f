package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// openID serves how users show others who they are.
func (a *API) openID() []route {
	return []route{
		post("/user/{userId}/openid/request_token", byUser, a.postOpenIDToken).own().limit(ratelimit.Account),
		get("/_matrix/federation/v1/openid/userinfo", open, a.getOpenIDUser),
	}
}

type openIDTokenOut struct {
	Token   string            `json:"access_token"`
	Type    string            `json:"token_type"`
	Server  events.ServerName `json:"matrix_server_name"`
	Expires int64             `json:"expires_in"` // seconds (API-9)
}

func (a *API) postOpenIDToken(ctx context.Context, c *caller, _ empty) (openIDTokenOut, error) {
	token, lifetime, err := a.Accounts.OpenIDToken(ctx, c.User)
	return openIDTokenOut{token, "Bearer", c.User.Server(), int64(lifetime.Seconds())}, err
}

type openIDUserIn struct {
	Token string `query:"access_token"`
}

type openIDUserOut struct {
	Subject events.UserID `json:"sub"`
}

func (a *API) getOpenIDUser(ctx context.Context, _ *caller, in openIDUserIn) (openIDUserOut, error) {
	user, err := a.Accounts.OpenIDUser(ctx, in.Token)
	return openIDUserOut{user}, err
}
