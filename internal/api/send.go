package api

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/room"
)

// send serves the sending of messages.
func (a *API) send() []route {
	const path = "/rooms/{roomId}/send/{eventType}"
	return []route{
		put(path+"/{txnId}", byUser, a.sendMessage).guests().limit(ratelimit.Messages),
		post(path, byUser, a.sendMessage).guests().limit(ratelimit.Messages), // LEG-10
	}
}

type sendIn struct {
	Room    events.RoomID   `path:"roomId"`
	Type    string          `path:"eventType"`
	Txn     string          `path:"txnId"` // empty: not to be repeated
	TS      int64           `query:"ts"`
	Content json.RawMessage `body:"" required:"true"`
}

type eventIDOut struct {
	ID events.EventID `json:"event_id"`
}

func (a *API) sendMessage(ctx context.Context, c *caller, in sendIn) (eventIDOut, error) {
	id, err := a.Rooms.Send(ctx, actor(c), room.Message{Room: in.Room, Type: in.Type, Content: in.Content, TxnID: in.Txn, TS: in.TS})
	return eventIDOut{id}, err
}

// actor is the caller as package room knows them.
func actor(c *caller) room.Actor {
	return room.Actor{User: c.User, Device: c.Device, Guest: c.Guest, Suspended: c.Suspended, SetsTime: c.Service != ""}
}
