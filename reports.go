package homeserver

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/ca4c8834/homeserver/events"
)

// Report is something that a user wants the people behind the server to look at:
// an event, a room or a user.
type Report struct {
	Reporter events.UserID
	// Room is where the reported event is, or the room that is reported itself.
	// Empty if a user is reported.
	Room events.RoomID
	// Event is the reported event, and Content what the reporter sees of it: JSON
	// in the format of the client-server API. Empty for rooms and users.
	Event   events.EventID
	Content json.RawMessage
	User    events.UserID // who is reported; empty for events and rooms
	Reason  string        // in the reporter's words; may be empty
}

// WithReports passes on what users report. take runs while the reporter waits, for
// any number of reports at once; ctx ends with the request. If it returns an error
// the report has not arrived, and the reporter is told so: an [*Error] as it is,
// any other as an internal error.
//
// Default: each report is logged as a warning, without its reason and content.
func WithReports(take func(ctx context.Context, r Report) error) Option {
	return func(c *config) {
		if c.reports = take; take == nil {
			c.fault("WithReports: the function is nil")
		}
	}
}

func logReports(logger *slog.Logger) func(context.Context, Report) error {
	return func(ctx context.Context, r Report) error {
		logger.WarnContext(ctx, "something was reported", "reporter", r.Reporter, "room_id", r.Room, "event_id", r.Event, "user_id", r.User)
		return nil
	}
}
