package room

import (
	"context"
	"net/http"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// Forget hides a room that the actor has left, and what they have seen of it, until
// they have to do with it again (MEMB-31, MEMB-32).
func (s *Service) Forget(ctx context.Context, a Actor, room events.RoomID) error {
	return s.inRoom(ctx, room, notInRoom(a.User, room), func(tx *live.Tx, d *live.Draft) error {
		switch d.Membership(a.User) {
		case events.MembershipLeave, events.MembershipBan:
		default:
			return mxerr.New(http.StatusBadRequest, mxerr.MUnknown, "leave the room before forgetting it")
		}
		err := tx.ForgetRoom(a.User, d)
		if isNotFound(err) {
			return notInRoom(a.User, room)
		}
		return err
	})
}
