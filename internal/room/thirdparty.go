package room

import (
	"context"
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// InviteKeys knows whether the keys of third-party invites are still valid.
//
// Called from: joins with such an invite. Concurrency: any number of calls at once.
// Context: ends with the client's request; may block on the network. Errors: any
// makes the key one that is not valid. Ownership: nothing is kept.
type InviteKeys interface {
	// Valid asks the URL that came with the key, which anybody may have written.
	Valid(ctx context.Context, url string, key []byte) (bool, error)
}

// checkThirdParty refuses a proof that is malformed or not made by a valid key of the
// pending invite that it names (MEMB-23, MEMB-24). It comes before the transaction,
// because it may take a while to find out; what can change meanwhile is asked again
// there.
func (s *Service) checkThirdParty(ctx context.Context, room events.RoomID, signed json.RawMessage) error {
	for _, key := range []string{"sender", "mxid", "token"} {
		if gjson.GetBytes(signed, key).Type != gjson.String {
			return mxerr.BadJSON("third_party_signed.%s must be a string", key)
		}
	}
	r, err := s.Memory.Room(ctx, room)
	if err != nil {
		return roomError(err, noSuchRoom(room))
	}
	pending := r.StateEvent(events.TypeThirdPartyInvite, gjson.GetBytes(signed, "token").Str)
	if pending == nil {
		return mxerr.Forbidden("there is no such third-party invite")
	}
	key := events.InviteSigner(signed, events.InviteKeys(pending.Content))
	switch {
	case key == nil:
		return mxerr.Forbidden("the third-party invite is not signed by any of its keys")
	case key.ValidityURL == "":
		return nil
	case s.InviteKeys != nil:
		if valid, err := s.InviteKeys.Valid(ctx, key.ValidityURL, key.Key); err == nil && valid {
			return nil
		}
	}
	return mxerr.Forbidden("the key of the third-party invite is not known to be valid")
}

// claimInvite turns a third-party invite into one of the actor, on behalf of its
// sender, unless they are invited or in the room anyway.
func (s *Service) claimInvite(tx *live.Tx, d *live.Draft, a Actor, signed json.RawMessage) error {
	if err := a.mayWrite(); err != nil {
		return err
	}
	switch d.Membership(a.User) {
	case events.MembershipJoin, events.MembershipInvite:
		return nil
	}
	invite := []field{{"signed", signed}}
	if pending := d.StateEvent(events.TypeThirdPartyInvite, gjson.GetBytes(signed, "token").Str); pending != nil {
		if name := gjson.GetBytes(pending.Content, "display_name"); name.Type == gjson.String {
			invite = append(invite, field{"display_name", []byte(name.Raw)})
		}
	}
	content, err := memberContent(tx, d.Version, memberChange{
		target: a.User, membership: events.MembershipInvite,
		content: overlay(nil, field{"third_party_invite", overlay(nil, invite...)}),
	}, nil)
	if err != nil {
		return err
	}
	key := string(a.User)
	e, err := s.next(d, proposal{
		sender: events.UserID(gjson.GetBytes(signed, "sender").Str), typ: events.TypeMember, stateKey: &key, content: content,
	})
	if err != nil {
		return err
	}
	_, err = s.add(tx, d, e, store.Txn{})
	return err
}
