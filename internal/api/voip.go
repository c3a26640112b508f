package api

import (
	"context"

	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// voip serves what calls need of the server.
func (a *API) voip() []route {
	return []route{
		get("/voip/turnServer", byUser, a.getTurnServer).limit(ratelimit.Account),
	}
}

type turnServerOut struct {
	Username string   `json:"username"`
	Password string   `json:"password"`
	URIs     []string `json:"uris"`
	TTL      int64    `json:"ttl"` // seconds (API-9)
}

func (a *API) getTurnServer(_ context.Context, c *caller, _ empty) (any, error) {
	relay, ok := a.Accounts.Relay(c.User)
	if !ok {
		return empty{}, nil // TURN-2
	}
	return turnServerOut{relay.Username, relay.Password, relay.URIs, int64(relay.Lifetime.Seconds())}, nil
}
