package api

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/ca4c8834/homeserver/internal/appservice"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// thirdParty serves where people and rooms of other networks are found. Application
// services know (3PN-1 to 3PN-5).
func (a *API) thirdParty() []route {
	const location, user = "/thirdparty/location", "/thirdparty/user"
	return []route{
		get("/thirdparty/protocols", byUser, a.getProtocols).limit(ratelimit.Search),
		get("/thirdparty/protocol/{protocol}", byUser, a.getProtocol).limit(ratelimit.Search),
		get(location, byUser, a.getAliasLocations).limit(ratelimit.Search),
		get(location+"/{protocol}", byUser, a.getLocations).limit(ratelimit.Search),
		get(user, byUser, a.getUserIdentities).limit(ratelimit.Search),
		get(user+"/{protocol}", byUser, a.getNetworkUsers).limit(ratelimit.Search),
	}
}

func (a *API) getProtocols(ctx context.Context, _ *caller, _ empty) (map[string]json.RawMessage, error) {
	return a.Networks.Protocols(ctx)
}

type protocolIn struct {
	Protocol string `path:"protocol"`
}

func (a *API) getProtocol(ctx context.Context, _ *caller, in protocolIn) (json.RawMessage, error) {
	return a.Networks.Protocol(ctx, in.Protocol)
}

type networkIn struct {
	protocolIn
	Fields url.Values `query:"*"`
}

func (a *API) getLocations(ctx context.Context, c *caller, in networkIn) ([]json.RawMessage, error) {
	return a.Networks.Find(ctx, appservice.Locations, in.Protocol, in.fields(c))
}

func (a *API) getNetworkUsers(ctx context.Context, c *caller, in networkIn) ([]json.RawMessage, error) {
	return a.Networks.Find(ctx, appservice.Users, in.Protocol, in.fields(c))
}

// fields are the parameters that are not for this server: secrets stay here (AS-36).
func (in networkIn) fields(c *caller) url.Values {
	in.Fields.Del("access_token")
	if c.Service != "" {
		for _, ours := range []string{"user_id", "device_id", "org.matrix.msc3202.device_id"} {
			in.Fields.Del(ours)
		}
	}
	return in.Fields
}

type aliasLocationsIn struct {
	Alias string `query:"alias" required:"true"`
}

func (a *API) getAliasLocations(ctx context.Context, _ *caller, in aliasLocationsIn) ([]json.RawMessage, error) {
	return a.Networks.Find(ctx, appservice.Locations, "", url.Values{"alias": {in.Alias}})
}

type userIdentitiesIn struct {
	User string `query:"userid" required:"true"`
}

func (a *API) getUserIdentities(ctx context.Context, _ *caller, in userIdentitiesIn) ([]json.RawMessage, error) {
	return a.Networks.Find(ctx, appservice.Users, "", url.Values{"userid": {in.User}})
}
