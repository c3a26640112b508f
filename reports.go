package homeserver

import (
	"context"
	"log/slog"

	"github.com/ca4c8834/homeserver/internal/room"
)

// Report is something that a user wants the people behind the server to look at:
// an event (Room, Event and Content are set), a room (Room) or a user (User).
type Report = room.Report

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
