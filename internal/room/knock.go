package room

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
)

// Knock asks the members of a room to let the actor in (MEMB-25, MEMB-26).
func (s *Service) Knock(ctx context.Context, a Actor, room events.RoomID, why *string) error {
	return s.inRoom(ctx, room, noSuchRoom(room), func(tx *live.Tx, d *live.Draft) error {
		_, err := s.setMember(tx, d, a, memberChange{target: a.User, membership: events.MembershipKnock, content: reason(why)})
		return err
	})
}
