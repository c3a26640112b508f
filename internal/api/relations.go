package api

import (
	"context"
	"strconv"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/room"
)

// relations serves the events that are related to one.
func (a *API) relations() []route {
	paths := []string{
		"/rooms/{roomId}/relations/{eventId}/{relType}/{type}", "/rooms/{roomId}/relations/{eventId}/{relType}", "/rooms/{roomId}/relations/{eventId}",
	}
	return []route{
		// The unstable APIs of matrix-bot-sdk ask where relations were before they were specified.
		get(paths[0], byUser, a.getRelations).also(paths[1:]...).at("v1").unstable(paths...),
	}
}

type relationsIn struct {
	Room      events.RoomID  `path:"roomId"`
	Event     events.EventID `path:"eventId"`
	RelType   string         `path:"relType"`
	EventType string         `path:"type"`
	Dir       string         `query:"dir"`
	From      string         `query:"from"`
	To        string         `query:"to"`
	Limit     *int           `query:"limit"`
	Recurse   bool           `query:"recurse"`
}

func (a *API) getRelations(ctx context.Context, c *caller, in relationsIn) (rawJSON, error) {
	switch in.Dir {
	case "", "b", "f":
	default:
		return nil, mxerr.InvalidParam("dir", "must be b or f")
	}
	page, err := a.Rooms.Relations(ctx, actor(c), room.RelationsRequest{
		Room: in.Room, Event: in.Event, Type: in.RelType, EventType: in.EventType, Recurse: in.Recurse,
		Forwards: in.Dir == "f", From: in.From, To: in.To, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	out, err := a.appendRelated(ctx, c, page)
	if err != nil {
		return nil, err
	}
	if in.From != "" {
		out = events.AppendString(append(out, `,"prev_batch":`...), in.From)
	}
	if page.Depth > 0 {
		out = strconv.AppendInt(append(out, `,"recursion_depth":`...), int64(page.Depth), 10)
	}
	return append(out, '}'), nil
}

// appendRelated begins an answer with a page, whose object is still to be closed.
func (a *API) appendRelated(ctx context.Context, c *caller, page *room.Related) (rawJSON, error) {
	form := a.Reader.Form(c.Device)
	if err := form.Bundle(ctx, page.Scope, page.Events...); err != nil {
		return nil, err
	}
	out := form.AppendList([]byte(`{"chunk":`), page.Scope, page.Events)
	if page.Next != "" {
		out = events.AppendString(append(out, `,"next_batch":`...), page.Next)
	}
	return out, nil
}
