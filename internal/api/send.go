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
		put(path+"/{txnId}", byUser, a.sendMessage).guests().showsActivity().limit(ratelimit.Messages),
		post(path, byUser, a.sendAnew).guests().showsActivity().limit(ratelimit.Messages), // LEG-10
	}
}

type messageIn struct {
	Room    events.RoomID   `path:"roomId"`
	Type    string          `path:"eventType"`
	TS      int64           `query:"ts"`
	Content json.RawMessage `body:"" required:"true"`
}

type sendIn struct {
	messageIn
	Txn string `path:"txnId"`
}

type eventIDOut struct {
	ID events.EventID `json:"event_id"`
}

func (a *API) sendMessage(ctx context.Context, c *caller, in sendIn) (eventIDOut, error) {
	id, err := a.Rooms.Send(ctx, actor(c), room.Message{Room: in.Room, Type: in.Type, Content: in.Content, TxnID: in.Txn, TS: in.TS})
	return eventIDOut{id}, err
}

// sendAnew is sendMessage without protection against repetition.
func (a *API) sendAnew(ctx context.Context, c *caller, in messageIn) (eventIDOut, error) {
	return a.sendMessage(ctx, c, sendIn{messageIn: in})
}

// actor is the caller as package room knows them.
func actor(c *caller) room.Actor {
	return room.Actor{User: c.User, Device: c.Device, Guest: c.Guest, Suspended: c.Suspended, Service: c.Service}
}
