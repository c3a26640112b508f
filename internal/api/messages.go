package api

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/room"
)

// messages serves the history of rooms.
func (a *API) messages() []route {
	return []route{get("/rooms/{roomId}/messages", byUser, a.getMessages).guests()}
}

type messagesIn struct {
	Room   events.RoomID `path:"roomId"`
	Dir    string        `query:"dir" required:"true"`
	From   string        `query:"from"`
	To     string        `query:"to"`
	Limit  *int          `query:"limit"`
	Filter string        `query:"filter"`
}

func (a *API) getMessages(ctx context.Context, c *caller, in messagesIn) (rawJSON, error) {
	if in.Dir != "b" && in.Dir != "f" {
		return nil, mxerr.InvalidParam("dir", "must be b or f")
	}
	filter, err := roomEventFilter(in.Filter)
	if err != nil {
		return nil, err
	}
	h, err := a.Rooms.Messages(ctx, actor(c), room.HistoryRequest{
		Room: in.Room, Backwards: in.Dir == "b", From: in.From, To: in.To, Limit: in.Limit, Filter: filter,
	})
	if err != nil {
		return nil, err
	}
	form := a.Reader.Form(c.Device)
	if err := form.Bundle(ctx, h.Scope, h.Events...); err != nil {
		return nil, err
	}
	out := form.AppendList([]byte(`{"chunk":`), h.Scope, h.Events)
	if h.End != "" {
		out = events.AppendString(append(out, `,"end":`...), h.End)
	}
	out = events.AppendString(append(out, `,"start":`...), h.Start)
	if h.State != nil {
		out = form.AppendList(append(out, `,"state":`...), h.Scope, h.State)
	}
	return append(out, '}'), nil
}

// roomEventFilter reads a filter that is given inline (FILT-3).
func roomEventFilter(text string) (*events.RoomEventFilter, error) {
	if text == "" {
		return nil, nil
	}
	return events.ParseRoomEventFilter([]byte(text))
}
