package room

import (
	"context"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// typeInvitePermission is the account data that says whose invites a user wants.
const typeInvitePermission = "m.invite_permission_config"

// Invite invites a user to a room, or accepts their knock (MEMB-16, MEMB-17).
func (s *Service) Invite(ctx context.Context, a Actor, room events.RoomID, target events.UserID, why *string) error {
	return s.changeMember(ctx, a, room, memberChange{
		target: target, membership: events.MembershipInvite, content: reason(why), lazy: true,
	}, nil)
}

// mayBeInvited refuses to invite those who do not exist (MEMB-19) and those who do
// not want it (INVP-1, INVP-2).
func mayBeInvited(v store.View, target events.UserID) error {
	account, err := v.User(target)
	if isNotFound(err) || err == nil && account.Deactivated {
		return mxerr.NotFound("there is no user %s", target)
	}
	if err != nil {
		return err
	}
	datum, err := v.AccountDatum(target, "", typeInvitePermission)
	switch {
	case isNotFound(err):
		return nil
	case err != nil:
		return err
	case gjson.GetBytes(datum.Content, "default_action").Str == "block":
		return mxerr.InviteBlocked("%s does not want to be invited", target)
	}
	return nil
}
