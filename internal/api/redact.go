package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
)

// redact serves redactions.
func (a *API) redact() []route {
	const path = "/rooms/{roomId}/redact/{eventId}"
	return []route{
		put(path+"/{txnId}", byUser, a.redactEvent).showsActivity().limit(ratelimit.Messages),
		post(path, byUser, a.redactAnew).showsActivity().limit(ratelimit.Messages), // LEG-10
	}
}

type redactionIn struct {
	Room    events.RoomID   `path:"roomId"`
	Event   events.EventID  `path:"eventId"`
	Content json.RawMessage `body:""`
}

type redactIn struct {
	redactionIn
	Txn string `path:"txnId"`
}

func (a *API) redactEvent(ctx context.Context, c *caller, in redactIn) (eventIDOut, error) {
	id, err := a.Rooms.Redact(ctx, actor(c), in.Room, in.Event, in.Txn, in.Content)
	return eventIDOut{id}, err
}

// redactAnew is redactEvent without protection against repetition.
func (a *API) redactAnew(ctx context.Context, c *caller, in redactionIn) (eventIDOut, error) {
	return a.redactEvent(ctx, c, redactIn{redactionIn: in})
}
