package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// password serves how the password is changed, and how accounts end.
func (a *API) password() []route {
	return []route{
		post("/account/password", optional, a.postPassword).limit(ratelimit.Account),
		post("/account/deactivate", optional, a.postDeactivate).limit(ratelimit.Account),
	}
}

type passwordIn struct {
	Auth          json.RawMessage `json:"auth"`
	Password      string          `json:"new_password" required:"true"`
	LogoutDevices *bool           `json:"logout_devices"`
}

func (a *API) postPassword(ctx context.Context, c *caller, in passwordIn) (empty, error) {
	return empty{}, a.Accounts.ChangePassword(ctx, account.PasswordChange{
		User: c.User, Device: c.Device, Password: in.Password, Auth: in.Auth,
		LogoutDevices: in.LogoutDevices == nil || *in.LogoutDevices,
	})
}

type deactivateIn struct {
	Auth  json.RawMessage `json:"auth"`
	Erase bool            `json:"erase"`
}

// unbindOut says whether identity servers have forgotten an address.
type unbindOut struct {
	Result string `json:"id_server_unbind_result"`
}

func newUnbindOut(unbound bool) unbindOut {
	if unbound {
		return unbindOut{"success"}
	}
	return unbindOut{"no-support"}
}

func (a *API) postDeactivate(ctx context.Context, c *caller, in deactivateIn) (unbindOut, error) {
	if c.Service != "" { // CLIENTA-26
		if c.Presented.User == "" {
			return unbindOut{}, mxerr.MissingParam("user_id") // or forgetting it would be the end of the sender
		}
		unbound, err := a.Accounts.DeactivateUser(ctx, c.User, in.Erase)
		return newUnbindOut(unbound), err
	}
	unbound, err := a.Accounts.Deactivate(ctx, account.Deactivation{User: c.User, Erase: in.Erase, Auth: in.Auth})
	return newUnbindOut(unbound), err
}
