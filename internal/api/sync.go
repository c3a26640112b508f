package api

import (
	"cmp"
	"context"
	"strings"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/presence"
	"github.com/ca4c8834/homeserver/sync"
)

// sync serves what is new.
func (a *API) sync() []route {
	return []route{get("/sync", byUser, a.getSync).guests().forNamedUser().longPoll()}
}

type syncIn struct {
	Filter      string `query:"filter"`
	Since       string `query:"since"`
	FullState   bool   `query:"full_state"`
	SetPresence string `query:"set_presence"`
	Timeout     int64  `query:"timeout"`
	// StateAfter under its stable name and the one it had before (CLIENT-8).
	StateAfter    bool `query:"use_state_after"`
	OldStateAfter bool `query:"org.matrix.msc4222.use_state_after"`
}

func (a *API) getSync(ctx context.Context, c *caller, in syncIn) (rawJSON, error) {
	state, err := presenceOf(in.SetPresence)
	if err != nil {
		return nil, err
	}
	filter, err := a.resolveFilter(ctx, c.User, in.Filter)
	if err != nil {
		return nil, err
	}
	r := sync.Request{
		User: c.User, Device: c.Device, Since: in.Since, Filter: filter, FullState: in.FullState,
		Timeout: milliseconds(in.Timeout),
	}
	switch {
	case in.StateAfter:
		r.StateAfter = "state_after"
	case in.OldStateAfter:
		r.StateAfter = "org.matrix.msc4222.state_after"
	}
	done, err := a.Presence.Sync(ctx, c.User, c.Device, state)
	if err != nil {
		return nil, err
	}
	defer done()
	answer, err := a.Sync.Sync(ctx, r)
	return rawJSON(answer), err
}

// presenceOf reads set_presence (SYNC-8, SLIDE-2).
func presenceOf(set string) (presence.State, error) {
	state, ok := presence.ParseState(cmp.Or(set, "online"))
	if !ok {
		return state, mxerr.InvalidParam("set_presence", "must be online, offline or unavailable")
	}
	return state, nil
}

// resolveFilter reads a filter that is given inline or by its ID (FILT-3, FILT-4).
func (a *API) resolveFilter(ctx context.Context, user events.UserID, text string) (*events.Filter, error) {
	if text == "" {
		return nil, nil
	}
	if strings.HasPrefix(text, "{") {
		return events.ParseFilter([]byte(text))
	}
	filter, err := a.Accounts.ParsedFilter(ctx, user, text)
	if e, ok := err.(*mxerr.Error); ok && e.Code == mxerr.MNotFound {
		return nil, mxerr.InvalidParam("filter", "is not the ID of a filter")
	}
	return filter, err
}
