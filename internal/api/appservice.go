package api

import (
	"context"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// appService serves application services that want to know whether they can be reached.
func (a *API) appService() []route {
	return []route{
		post("/appservice/{appserviceId}/ping", byService, a.pingService).at("v1").limit(ratelimit.Account),
	}
}

type pingIn struct {
	ID  string `path:"appserviceId"`
	Txn string `json:"transaction_id"`
}

type pingOut struct {
	DurationMS int64 `json:"duration_ms"`
}

func (a *API) pingService(ctx context.Context, c *caller, in pingIn) (pingOut, error) {
	if in.ID != c.Service { // ASC-14
		return pingOut{}, mxerr.Forbidden("this is another application service")
	}
	took, err := a.ServiceClient.Ping(ctx, a.Services.ByID(in.ID), in.Txn)
	return pingOut{took.Milliseconds()}, err
}
