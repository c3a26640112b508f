package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/keys"
)

// keys serves the keys with which devices encrypt for one another.
func (a *API) keys() []route {
	return []route{
		post("/keys/upload", byUser, a.postKeys).guests(),
		post("/keys/query", byUser, a.queryKeys).guests(),
		post("/keys/claim", byUser, a.claimKeys).guests(),
		get("/keys/changes", byUser, a.getKeyChanges),
	}
}

type postKeysIn struct {
	DeviceKeys json.RawMessage            `json:"device_keys"`
	OneTime    map[string]json.RawMessage `json:"one_time_keys"`
	Fallback   map[string]json.RawMessage `json:"fallback_keys"`
	// LegacyFallback is what fallback keys were called before they were specified (KEYS-19).
	LegacyFallback map[string]json.RawMessage `json:"org.matrix.msc2732.fallback_keys"`
}

func (in postKeysIn) upload() keys.Upload {
	if in.Fallback == nil {
		in.Fallback = in.LegacyFallback
	}
	return keys.Upload{DeviceKeys: in.DeviceKeys, OneTime: in.OneTime, Fallback: in.Fallback}
}

type postKeysOut struct {
	Counts map[string]int64 `json:"one_time_key_counts"`
}

func (a *API) postKeys(ctx context.Context, c *caller, in postKeysIn) (out postKeysOut, err error) {
	out.Counts, err = a.Keys.Upload(ctx, c.User, c.Device, in.upload())
	return out, err
}

type queryKeysIn struct {
	Devices map[string][]string `json:"device_keys" required:"true"`
}

func (a *API) queryKeys(ctx context.Context, c *caller, in queryKeysIn) (rawJSON, error) {
	answer, err := a.Keys.Query(ctx, c.User, in.Devices)
	return rawJSON(answer), err
}

type claimKeysIn struct {
	Keys map[string]map[string]string `json:"one_time_keys" required:"true"`
}

func (a *API) claimKeys(ctx context.Context, _ *caller, in claimKeysIn) (rawJSON, error) {
	answer, err := a.Keys.Claim(ctx, in.Keys)
	return rawJSON(answer), err
}

type keyChangesIn struct {
	From string `query:"from" required:"true"`
	To   string `query:"to"`
}

type keyChangesOut struct {
	Changed []events.UserID `json:"changed"`
	Left    []events.UserID `json:"left"`
}

func (a *API) getKeyChanges(ctx context.Context, c *caller, in keyChangesIn) (keyChangesOut, error) {
	changes, err := a.Keys.Changes(ctx, c.User, in.From, in.To)
	out := keyChangesOut{Changed: []events.UserID{}, Left: []events.UserID{}}
	out.Changed = append(out.Changed, changes.Changed...)
	out.Left = append(out.Left, changes.Left...)
	return out, err
}
