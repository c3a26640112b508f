package api

import (
	"context"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// thirdParty serves where people and rooms of other networks are found. Without
// application services there are no such networks (3PN-1 to 3PN-4).
func (a *API) thirdParty() []route {
	const location, user = "/thirdparty/location", "/thirdparty/user"
	return []route{
		get("/thirdparty/protocols", byUser, a.getProtocols),
		get("/thirdparty/protocol/{protocol}", byUser, a.getNothing),
		get(location, byUser, a.getNothing).also(location + "/{protocol}"),
		get(user, byUser, a.getNothing).also(user + "/{protocol}"),
	}
}

func (a *API) getProtocols(context.Context, *caller, empty) (empty, error) { return empty{}, nil }

func (a *API) getNothing(context.Context, *caller, empty) (empty, error) {
	return empty{}, mxerr.NotFound("no other network is connected to this server")
}
