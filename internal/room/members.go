package room

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
)

// MembersRequest asks who is in a room.
type MembersRequest struct {
	Room events.RoomID
	At   string // a token; "": now
	// Membership keeps members with it, NotMembership those with another one; with
	// both, whoever passes either. "" is not asked for.
	Membership, NotMembership string
}

// Members returns the member events of a room as it is or was, for members and, as
// of their leaving, for those who have left (READ-19 to READ-21).
func (s *Service) Members(ctx context.Context, a Actor, r MembersRequest) ([]*live.Event, *reader.Scope, error) {
	for parameter, value := range map[string]string{"membership": r.Membership, "not_membership": r.NotMembership} {
		switch value {
		case "", events.MembershipJoin, events.MembershipInvite, events.MembershipKnock, events.MembershipLeave, events.MembershipBan:
		default:
			return nil, nil, mxerr.InvalidParam(parameter, "is not a membership")
		}
	}
	access, err := s.Reader.Enter(ctx, a.User, r.Room)
	if err != nil {
		return nil, nil, err
	}
	at := access.AsMember()
	if at == 0 {
		return nil, nil, notInRoom(a.User, r.Room)
	}
	if r.At != "" {
		pos, err := reader.Position("at", r.At, s.Memory.Position())
		if err != nil {
			return nil, nil, err
		}
		at = min(at, pos)
	}
	list, err := s.Reader.AllMembersAt(ctx, access.Room, at, func(e *live.Event) bool {
		m := e.Membership()
		return r.Membership == "" && r.NotMembership == "" ||
			r.Membership != "" && m == r.Membership || r.NotMembership != "" && m != r.NotMembership
	})
	return list, access.Scope, err
}

// JoinedMembers returns the member events of those who are in a room, for one of
// them (READ-22).
func (s *Service) JoinedMembers(ctx context.Context, a Actor, room events.RoomID) ([]*live.Event, error) {
	access, err := s.Reader.Enter(ctx, a.User, room)
	if err != nil {
		return nil, err
	}
	if !access.Joined() {
		return nil, notInRoom(a.User, room)
	}
	return access.Room.Members(events.MembershipJoin), nil
}
