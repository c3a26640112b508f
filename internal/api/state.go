package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/room"
)

// state serves the state of rooms.
func (a *API) state() []route {
	const all, one = "/rooms/{roomId}/state", "/rooms/{roomId}/state/{eventType}"
	return []route{
		get(all, byUser, a.getState).guests(),
		get(one+"/{stateKey}", byUser, a.getStateEvent).also(one, one+"/").guests(), // STATE-3
		put(one+"/{stateKey}", byUser, a.putState).also(one, one+"/").guests().showsActivity().limit(ratelimit.Messages),
	}
}

type readStateIn struct {
	Room events.RoomID `path:"roomId"`
}

type stateEventIn struct {
	Room   events.RoomID `path:"roomId"`
	Type   string        `path:"eventType"`
	Key    string        `path:"stateKey"`
	Format string        `query:"format"`
}

type putStateIn struct {
	Room    events.RoomID   `path:"roomId"`
	Type    string          `path:"eventType"`
	Key     string          `path:"stateKey"`
	TS      int64           `query:"ts"`
	Content json.RawMessage `body:"" required:"true"`
}

func (a *API) getState(ctx context.Context, c *caller, in readStateIn) (rawJSON, error) {
	list, scope, err := a.Rooms.State(ctx, actor(c), in.Room)
	if err != nil {
		return nil, err
	}
	return a.Reader.Form(c.Device).AppendList(nil, scope, list), nil
}

func (a *API) getStateEvent(ctx context.Context, c *caller, in stateEventIn) (rawJSON, error) {
	if in.Format != "" && in.Format != "content" && in.Format != "event" { // STATE-2
		return nil, mxerr.InvalidParam("format", "must be content or event")
	}
	e, scope, err := a.Rooms.StateEvent(ctx, actor(c), in.Room, in.Type, in.Key)
	if err != nil {
		return nil, err
	}
	if in.Format == "event" {
		return a.Reader.Form(c.Device).Append(nil, scope, e), nil
	}
	return rawJSON(e.Content), nil
}

func (a *API) putState(ctx context.Context, c *caller, in putStateIn) (eventIDOut, error) {
	id, err := a.Rooms.SetState(ctx, actor(c), room.StateChange{Room: in.Room, Type: in.Type, Key: in.Key, Content: in.Content, TS: in.TS})
	return eventIDOut{id}, err
}
