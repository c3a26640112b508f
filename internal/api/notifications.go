package api

import (
	"context"
	"strconv"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/unread"
)

// notifications serves what users were notified of.
func (a *API) notifications() []route {
	return []route{get("/notifications", byUser, a.getNotifications)}
}

type notificationsIn struct {
	From  string `query:"from"`
	Limit int    `query:"limit"`
	Only  string `query:"only"`
}

func (a *API) getNotifications(ctx context.Context, c *caller, in notificationsIn) (rawJSON, error) {
	list, next, err := a.Unread.Notifications(ctx, c.User, unread.NotificationsRequest{
		From: in.From, Limit: in.Limit, Highlights: in.Only == "highlight",
	})
	if err != nil {
		return nil, err
	}
	form := a.Reader.Form(c.Device)
	form.OmitRoomID = true
	out := []byte(`{"notifications":[`)
	for i, n := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, `{"actions":`...), n.Actions...)
		out = form.Append(append(out, `,"event":`...), n.Scope, n.Event)
		out = strconv.AppendBool(append(out, `,"profile_tag":"","read":`...), n.Read)
		out = events.AppendString(append(out, `,"room_id":`...), string(n.Scope.Room.ID))
		out = strconv.AppendInt(append(out, `,"ts":`...), n.Event.TS, 10)
		out = append(out, '}')
	}
	out = append(out, ']')
	if next != "" {
		out = events.AppendString(append(out, `,"next_token":`...), next)
	}
	return append(out, '}'), nil
}
