package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// threePID serves the e-mail addresses and phone numbers of an account.
func (a *API) threePID() []route {
	const base = "/account/3pid"
	return []route{
		get(base, byUser, a.getThreePIDs),
		post(base, byUser, a.postThreePID).limit(ratelimit.Account),
		post(base+"/add", byUser, a.postThreePIDAdd).unstable(base + "/add").limit(ratelimit.Account),
		post(base+"/bind", byUser, a.postThreePIDBind).unstable(base + "/bind").limit(ratelimit.Account),
		post(base+"/delete", byUser, a.postThreePIDDelete),
		post(base+"/unbind", byUser, a.postThreePIDUnbind).unstable(base + "/unbind"),
	}
}

type threePIDOut struct {
	Medium      string `json:"medium"`
	Address     string `json:"address"`
	ValidatedAt int64  `json:"validated_at"`
	AddedAt     int64  `json:"added_at"`
}

type threePIDsOut struct {
	ThreePIDs []threePIDOut `json:"threepids"`
}

func (a *API) getThreePIDs(ctx context.Context, c *caller, _ empty) (threePIDsOut, error) {
	all, err := a.Accounts.ThreePIDs(ctx, c.User)
	out := threePIDsOut{make([]threePIDOut, len(all))}
	for i, p := range all {
		out.ThreePIDs[i] = threePIDOut{p.Medium, p.Address, p.ValidatedTS, p.AddedTS}
	}
	return out, err
}

// credentials names a validation.
type credentials struct {
	ID     string `json:"sid"`
	Secret string `json:"client_secret"`
}

type legacyThreePIDIn struct {
	Credentials *credentials `json:"three_pid_creds"`
	Older       *credentials `json:"threePidCreds"` // up to r0.3
}

// postThreePID is how clients up to r0.5 add an address (3PID-11, SRC-7).
func (a *API) postThreePID(ctx context.Context, c *caller, in legacyThreePIDIn) (empty, error) {
	creds := in.Credentials
	if creds == nil {
		creds = in.Older
	}
	if creds == nil {
		return empty{}, mxerr.MissingParam("three_pid_creds")
	}
	return empty{}, a.Accounts.AddValidated(ctx, c.User, creds.ID, creds.Secret)
}

type threePIDAddIn struct {
	Auth   json.RawMessage `json:"auth"`
	ID     string          `json:"sid" required:"true"`
	Secret string          `json:"client_secret" required:"true"`
}

func (a *API) postThreePIDAdd(ctx context.Context, c *caller, in threePIDAddIn) (empty, error) {
	return empty{}, a.Accounts.AddThreePID(ctx, c.User, in.ID, in.Secret, in.Auth)
}

type threePIDBindIn struct {
	ID          string `json:"sid" required:"true"`
	Secret      string `json:"client_secret" required:"true"`
	IDServer    string `json:"id_server" required:"true"`
	AccessToken string `json:"id_access_token" required:"true"`
}

func (a *API) postThreePIDBind(ctx context.Context, c *caller, in threePIDBindIn) (empty, error) {
	return empty{}, a.Accounts.Bind(ctx, account.BindRequest{
		User: c.User, IDServer: in.IDServer, AccessToken: in.AccessToken, ID: in.ID, Secret: in.Secret,
	})
}

type threePIDIn struct {
	Medium   string `json:"medium" required:"true"`
	Address  string `json:"address" required:"true"`
	IDServer string `json:"id_server"`
}

func (a *API) postThreePIDDelete(ctx context.Context, c *caller, in threePIDIn) (unbindOut, error) {
	unbound, err := a.Accounts.DeleteThreePID(ctx, c.User, in.Medium, in.Address, in.IDServer)
	return newUnbindOut(unbound), err
}

func (a *API) postThreePIDUnbind(ctx context.Context, c *caller, in threePIDIn) (unbindOut, error) {
	unbound, err := a.Accounts.Unbind(ctx, c.User, in.Medium, in.Address, in.IDServer)
	return newUnbindOut(unbound), err
}
