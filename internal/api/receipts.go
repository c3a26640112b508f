package api

import (
	"context"
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/receipts"
)

// receipts serves how far users have read.
func (a *API) receipts() []route {
	return []route{
		post("/rooms/{roomId}/receipt/{receiptType}/{eventId}", byUser, a.postReceipt).showsActivity().limit(ratelimit.Messages),
		post("/rooms/{roomId}/read_markers", byUser, a.postReadMarkers).showsActivity().limit(ratelimit.Messages),
	}
}

type receiptIn struct {
	Room   events.RoomID   `path:"roomId"`
	Type   string          `path:"receiptType"`
	Event  events.EventID  `path:"eventId"`
	Thread json.RawMessage `json:"thread_id"`
}

type readMarkersIn struct {
	Room      events.RoomID  `path:"roomId"`
	FullyRead events.EventID `json:"m.fully_read"`
	Read      events.EventID `json:"m.read"`
	Private   events.EventID `json:"m.read.private"`
}

func (a *API) postReceipt(ctx context.Context, c *caller, in receiptIn) (empty, error) {
	r := receipts.Receipt{Type: in.Type, Event: in.Event}
	if in.Thread != nil {
		thread := gjson.ParseBytes(in.Thread)
		if thread.Type != gjson.String { // RCPT-5
			return empty{}, mxerr.InvalidParam("thread_id", "must be a string")
		}
		r.Thread = &thread.Str
	}
	return empty{}, a.Receipts.Set(ctx, c.User, in.Room, r)
}

func (a *API) postReadMarkers(ctx context.Context, c *caller, in readMarkersIn) (empty, error) {
	var list []receipts.Receipt
	for _, r := range []receipts.Receipt{
		{Type: receipts.FullyRead, Event: in.FullyRead}, {Type: receipts.Read, Event: in.Read}, {Type: receipts.Private, Event: in.Private},
	} {
		if r.Event != "" {
			list = append(list, r)
		}
	}
	return empty{}, a.Receipts.Set(ctx, c.User, in.Room, list...)
}
