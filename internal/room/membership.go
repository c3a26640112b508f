package room

import (
	"bytes"
	"context"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// The members of member events that this service writes.
const (
	keyAvatar        = "avatar_url"
	keyDisplayName   = "displayname"
	keyAuthorisedVia = "join_authorised_via_users_server"
	keyMembership    = "membership"
	keyReason        = "reason"
	keyThirdParty    = "third_party_signed"
)

// memberChange is a membership that an actor wants somebody to have.
type memberChange struct {
	target     events.UserID
	membership string
	content    []byte // what else the member event shall contain: JSON object, or nil
	// lazy says that the membership alone is asked for: no event is written if it
	// is that already.
	lazy bool
	ts   int64 // as in proposal
}

// reason is content that tells why (MEMB-3).
func reason(why *string) []byte {
	if why == nil {
		return nil
	}
	return overlay(nil, field{keyReason, text(*why)})
}

// setMember changes a membership by the table of memberships, the room version's
// rules and the wishes of those concerned. Every member event comes through here,
// whichever way it was asked for (MEMB-1, MEMB-43). It returns the member event,
// which is the one there was if nothing changes.
func (s *Service) setMember(tx *live.Tx, d *live.Draft, a Actor, c memberChange) (*live.Event, error) {
	now, was, self := d.Member(c.target), d.Membership(c.target), c.target == a.User
	if c.membership != events.MembershipLeave || !self { // SEND-11
		if err := a.mayWrite(); err != nil {
			return nil, err
		}
	}
	var via []byte // none unless the server says so (MEMB-15)
	switch same := was == c.membership; {
	case c.membership == events.MembershipJoin && same && c.lazy: // MEMB-8
		return now, nil
	case c.membership == events.MembershipJoin && !same && self:
		var err error
		if via, err = s.admit(tx, d, a, was); err != nil {
			return nil, err
		}
	case c.membership == events.MembershipLeave && same && self && now != nil: // MEMB-29
		return now, nil
	case c.membership == events.MembershipLeave && self:
		if err := s.mayLeave(d, a, was); err != nil {
			return nil, err
		}
	case c.membership == events.MembershipLeave && same && !self:
		return nil, mxerr.Forbidden("%s is not in the room", c.target)
	}
	content, err := memberContent(tx, d.Version, c, via)
	if err != nil {
		return nil, err
	}
	key := string(c.target)
	e, err := s.next(d, proposal{sender: a.User, typ: events.TypeMember, stateKey: &key, content: content, ts: c.ts})
	if err != nil {
		return nil, err
	}
	if c.membership == events.MembershipInvite {
		if err := mayBeInvited(tx.Tx, c.target); err != nil {
			return nil, err
		}
	}
	if now != nil && was == c.membership && (c.lazy || repeats(e, now)) { // MEMB-8, MEMB-16, MEMB-26
		return now, nil
	}
	added, err := s.add(tx, d, e, store.Txn{})
	if err == nil && s.Forgetting.UponLeave && (c.membership == events.MembershipLeave || c.membership == events.MembershipBan) {
		return added, tx.ForgetRoom(c.target, d) // MEMB-34
	}
	if err != nil || c.membership != events.MembershipJoin || was == events.MembershipJoin {
		return added, err
	}
	return added, s.inherit(tx, d, c.target)
}

// memberContent makes the content of a member event: what is asked for, with the
// profile of those who come in below it (MEMB-2, PROF-13).
func memberContent(tx *live.Tx, v *events.RoomVersion, c memberChange, via []byte) ([]byte, error) {
	fields := make([]field, 0, 4)
	switch c.membership {
	case events.MembershipJoin, events.MembershipInvite, events.MembershipKnock:
		profile, err := tx.Profile(c.target)
		if err != nil {
			return nil, err
		}
		for _, f := range profile {
			if (f.Name == keyDisplayName || f.Name == keyAvatar) && !gjson.GetBytes(c.content, f.Name).Exists() {
				fields = append(fields, field{f.Name, f.Value})
			}
		}
	}
	fields = append(fields, field{keyAuthorisedVia, via}, field{keyMembership, text(c.membership)})
	return v.Canonical(overlay(c.content, fields...))
}

// repeats reports whether a member event says what the current one does already.
func repeats(e *events.Event, now *live.Event) bool {
	content := now.Content
	if !gjson.GetBytes(e.Content, keyAuthorisedVia).Exists() {
		content = overlay(content, field{keyAuthorisedVia, nil})
	}
	return e.Sender == now.Sender && bytes.Equal(e.Content, content)
}

// Leave makes the actor leave a room, reject an invite or take a knock back
// (MEMB-28, MEMB-29). why is the reason, if there is one; so it is below.
func (s *Service) Leave(ctx context.Context, a Actor, room events.RoomID, why *string) error {
	return s.changeMember(ctx, a, room, memberChange{
		target: a.User, membership: events.MembershipLeave, content: reason(why),
	}, nil)
}

// Kick removes somebody who is in a room, invited or knocking (MEMB-36).
func (s *Service) Kick(ctx context.Context, a Actor, room events.RoomID, target events.UserID, why *string) error {
	return s.changeMember(ctx, a, room, memberChange{
		target: target, membership: events.MembershipLeave, content: reason(why),
	}, func(was string) error {
		if was == events.MembershipBan || was == events.MembershipLeave {
			return mxerr.Forbidden("%s is not in the room", target)
		}
		return nil
	})
}

// Ban bans somebody who is in a room or might come (MEMB-37).
func (s *Service) Ban(ctx context.Context, a Actor, room events.RoomID, target events.UserID, why *string) error {
	return s.changeMember(ctx, a, room, memberChange{
		target: target, membership: events.MembershipBan, content: reason(why),
	}, nil)
}

// Unban lifts a ban. 403 M_BAD_STATE if there is none (MEMB-38).
func (s *Service) Unban(ctx context.Context, a Actor, room events.RoomID, target events.UserID, why *string) error {
	return s.changeMember(ctx, a, room, memberChange{
		target: target, membership: events.MembershipLeave, content: reason(why),
	}, func(was string) error {
		if was != events.MembershipBan {
			return mxerr.BadState("%s is not banned", target)
		}
		return nil
	})
}

// changeMember changes a membership in a transaction of its own. With demand, the
// actor must be in the room, and demand agree to what the membership was.
func (s *Service) changeMember(ctx context.Context, a Actor, room events.RoomID, c memberChange, demand func(was string) error) error {
	return s.inRoom(ctx, room, notInRoom(a.User, room), func(tx *live.Tx, d *live.Draft) error {
		if demand != nil {
			if d.Membership(a.User) != events.MembershipJoin {
				return notInRoom(a.User, room)
			}
			if err := demand(d.Membership(c.target)); err != nil {
				return err
			}
		}
		_, err := s.setMember(tx, d, a, c)
		return err
	})
}

// putMember sets a member event with the content that a client wants (MEMB-43).
func (s *Service) putMember(tx *live.Tx, d *live.Draft, a Actor, p proposal) (*live.Event, error) {
	target, err := events.ParseUserID(*p.stateKey)
	if err != nil {
		return nil, err
	}
	return s.setMember(tx, d, a, memberChange{
		target: target, membership: gjson.GetBytes(p.content, keyMembership).Str, content: p.content, ts: p.ts,
	})
}

// inRoom runs change on a room in a transaction. missing is the error if there is
// no such room.
func (s *Service) inRoom(ctx context.Context, id events.RoomID, missing error, change func(*live.Tx, *live.Draft) error) error {
	if _, err := s.Memory.Room(ctx, id); err != nil { // loads it, so that the writer need not
		return roomError(err, missing)
	}
	return s.Memory.Update(ctx, func(tx *live.Tx) error {
		d, err := tx.Room(id)
		if err != nil {
			return roomError(err, missing)
		}
		return change(tx, d)
	})
}

// roomError tells of rooms that are missing and of those whose version this
// library does not implement (RVER-5).
func roomError(err, missing error) error {
	if isNotFound(err) {
		return missing
	}
	if e, ok := errors.AsType[*live.UnknownVersionError](err); ok {
		return mxerr.IncompatibleRoomVersion(e.Version).Because(err)
	}
	return err
}

func noSuchRoom(id events.RoomID) error { return mxerr.NotFound("there is no room %s", id) }
