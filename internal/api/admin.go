package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// admin serves what administrators of the server may ask and do.
func (a *API) admin() []route {
	const lock, suspend, feature = "/admin/lock/{userId}", "/admin/suspend/{userId}", "/uk.timedout.msc4323"
	return []route{
		get("/admin/whois/{userId}", byUser, a.getWhois).limit(ratelimit.Account),
		get(lock, byUser, a.getLock).at("v1").unstable(feature + lock),
		put(lock, byUser, a.putLock).at("v1").unstable(feature + lock),
		get(suspend, byUser, a.getSuspend).at("v1").unstable(feature + suspend),
		put(suspend, byUser, a.putSuspend).at("v1").unstable(feature + suspend),
	}
}

type adminIn struct {
	User events.UserID `path:"userId"`
}

type whoisOut struct {
	User    events.UserID           `json:"user_id"`
	Devices map[string]whoisDevices `json:"devices"`
}

type whoisDevices struct {
	Sessions []whoisSession `json:"sessions"`
}

type whoisSession struct {
	Connections []whoisConnection `json:"connections"`
}

type whoisConnection struct {
	Address   string `json:"ip"`
	LastSeen  int64  `json:"last_seen"`
	UserAgent string `json:"user_agent"`
}

func (a *API) getWhois(ctx context.Context, c *caller, in adminIn) (whoisOut, error) {
	devices, err := a.Accounts.Whois(ctx, c.User, in.User)
	out := whoisOut{in.User, make(map[string]whoisDevices)}
	for _, d := range devices {
		connections := []whoisConnection{}
		if d.LastSeenTS != 0 {
			connections = append(connections, whoisConnection{d.LastSeenIP, d.LastSeenTS, d.UserAgent})
		}
		out.Devices[d.ID] = whoisDevices{[]whoisSession{{connections}}}
	}
	return out, err
}

type lockOut struct {
	Locked bool `json:"locked"`
}

func (a *API) getLock(ctx context.Context, c *caller, in adminIn) (lockOut, error) {
	locked, err := a.Accounts.Moderated(ctx, c.User, in.User, account.Locking)
	return lockOut{locked}, err
}

type putLockIn struct {
	User   events.UserID `path:"userId"`
	Locked bool          `json:"locked" required:"true"`
}

func (a *API) putLock(ctx context.Context, c *caller, in putLockIn) (lockOut, error) {
	return lockOut{in.Locked}, a.Accounts.Moderate(ctx, c.User, in.User, account.Locking, in.Locked)
}

type suspendOut struct {
	Suspended bool `json:"suspended"`
}

func (a *API) getSuspend(ctx context.Context, c *caller, in adminIn) (suspendOut, error) {
	suspended, err := a.Accounts.Moderated(ctx, c.User, in.User, account.Suspending)
	return suspendOut{suspended}, err
}

type putSuspendIn struct {
	User      events.UserID `path:"userId"`
	Suspended bool          `json:"suspended" required:"true"`
}

func (a *API) putSuspend(ctx context.Context, c *caller, in putSuspendIn) (suspendOut, error) {
	return suspendOut{in.Suspended}, a.Accounts.Moderate(ctx, c.User, in.User, account.Suspending, in.Suspended)
}
