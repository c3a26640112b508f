package api

import "context"

// logout serves how sessions end.
func (a *API) logout() []route {
	return []route{
		post("/logout", byUser, a.postLogout).whileLocked().ignoreBody(),
		post("/logout/all", byUser, a.postLogoutAll).whileLocked().ignoreBody(),
	}
}

func (a *API) postLogout(ctx context.Context, c *caller, _ empty) (empty, error) {
	return empty{}, a.Accounts.Logout(ctx, c.User, c.Device)
}

func (a *API) postLogoutAll(ctx context.Context, c *caller, _ empty) (empty, error) {
	return empty{}, a.Accounts.LogoutAll(ctx, c.User)
}
