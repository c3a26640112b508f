package room

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Report is something that a user wants the people behind the server to look at.
type Report struct {
	Reporter events.UserID
	// Room is where the reported event is, or the room that is reported itself.
	// Empty if a user is reported.
	Room events.RoomID
	// Event is the reported event, and Content what the reporter sees of it:
	// JSON in the format of the client-server API. Empty for rooms and users.
	Event   events.EventID
	Content json.RawMessage
	User    events.UserID // who is reported; empty for events and rooms
	Reason  string        // in the reporter's words; may be empty
}

// ReportEvent reports an event that the actor sees in a room that they are in;
// M_NOT_FOUND otherwise (REP-1).
func (s *Service) ReportEvent(ctx context.Context, a Actor, room events.RoomID, id events.EventID, reason string) error {
	access, err := s.Reader.Enter(ctx, a.User, room)
	if errors.Is(err, mxerr.MForbidden) || err == nil && !access.Joined() {
		return mxerr.NotFound("event %s is not in a room that you are in", id)
	}
	if err != nil {
		return err
	}
	e, err := s.Reader.Event(ctx, access.Scope, id)
	if err != nil {
		return err
	}
	return s.Reports(ctx, Report{
		Reporter: a.User, Room: room, Event: id, Content: s.Reader.Form("").Append(nil, access.Scope, e), Reason: reason,
	})
}

// ReportRoom reports a room, whether or not the actor is in it. M_NOT_FOUND
// (REP-3).
func (s *Service) ReportRoom(ctx context.Context, a Actor, room events.RoomID, reason string) error {
	err := s.Memory.View(ctx, func(v store.View) error { _, err := v.Room(room); return err })
	if isNotFound(err) {
		return noRoom(room)
	}
	if err != nil {
		return err
	}
	return s.Reports(ctx, Report{Reporter: a.User, Room: room, Reason: reason})
}

// ReportUser reports a user, whether or not the actor shares a room with them.
// M_NOT_FOUND (REP-4).
func (s *Service) ReportUser(ctx context.Context, a Actor, user events.UserID, reason string) error {
	err := s.Memory.View(ctx, func(v store.View) error { _, err := v.User(user); return err })
	if isNotFound(err) {
		return mxerr.NotFound("there is no user %s", user)
	}
	if err != nil {
		return err
	}
	return s.Reports(ctx, Report{Reporter: a.User, User: user, Reason: reason})
}
