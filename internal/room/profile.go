package room

import (
	"context"
	"errors"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// ProfileChanged writes fields of a user's profile into the member event of every
// room they are in (PROF-11, MEMB-42). After an error it may be called again for the
// rooms that are left.
func (s *Service) ProfileChanged(ctx context.Context, user events.UserID, names ...string) error {
	return s.acrossRooms(ctx, user, []string{events.MembershipJoin}, func(tx *live.Tx, d *live.Draft) error {
		now := d.Member(user)
		if now.Membership() != events.MembershipJoin {
			return nil
		}
		profile, err := tx.Profile(user) // as it is by now, so that the last change wins everywhere
		if err != nil {
			return err
		}
		over := []field{{keyAuthorisedVia, nil}, {keyReason, nil}} // MEMB-15; the reason was that of joining
		for _, name := range names {
			f := field{name, nil}
			if i := slices.IndexFunc(profile, func(p store.ProfileField) bool { return p.Name == name }); i >= 0 {
				f.value = profile[i].Value
			}
			over = append(over, f)
		}
		content, err := d.Version.Canonical(overlay(now.Content, over...))
		if err != nil {
			return err
		}
		e, err := s.next(d, proposal{sender: user, typ: events.TypeMember, stateKey: now.StateKey, content: content})
		if err != nil || repeats(e, now) {
			return ignoreImpossible(err)
		}
		_, err = s.add(tx, d, e, store.Txn{})
		return err
	})
}

// LeaveAll makes a user leave every room, rejects their invites, takes back their
// knocks (DEACT-3), and forgets it all for them (MEMB-35). After an error it may be called again for what is left.
func (s *Service) LeaveAll(ctx context.Context, user events.UserID) error {
	present := []string{events.MembershipJoin, events.MembershipInvite, events.MembershipKnock}
	err := s.acrossRooms(ctx, user, present, func(tx *live.Tx, d *live.Draft) error {
		if !slices.Contains(present, d.Membership(user)) {
			return nil
		}
		_, err := s.setMember(tx, d, Actor{User: user}, memberChange{target: user, membership: events.MembershipLeave})
		return ignoreRefusal(err)
	})
	if err != nil {
		return err
	}
	return s.Memory.Update(ctx, func(tx *live.Tx) error {
		list, err := tx.RoomsOf(user)
		for _, m := range list {
			if err == nil && !m.Forgotten && !slices.Contains(present, m.Membership) {
				err = tx.Tx.ForgetRoom(user, m.Room)
			}
		}
		return err
	})
}

// ignoreRefusal drops the error of an event that the rules of its room refuse, for
// what is done in many rooms as far as possible.
func ignoreRefusal(err error) error {
	if _, refused := errors.AsType[*events.AuthError](err); refused {
		return nil
	}
	return err
}

// roomsAtOnce bounds how much of acrossRooms is one transaction: little enough that
// others need not wait for long.
const roomsAtOnce = 16

// acrossRooms runs change on all rooms in which a user has one of the memberships,
// or had when it began. Rooms of a version that this library does not implement are
// left as they are.
func (s *Service) acrossRooms(ctx context.Context, user events.UserID, memberships []string, change func(*live.Tx, *live.Draft) error) error {
	var rooms []events.RoomID
	err := s.Memory.View(ctx, func(v store.View) error {
		list, err := v.RoomsOf(user)
		for _, m := range list {
			if slices.Contains(memberships, m.Membership) {
				rooms = append(rooms, m.RoomID)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(rooms, roomsAtOnce) {
		known := make([]events.RoomID, 0, len(batch))
		for _, id := range batch {
			_, err := s.Memory.Room(ctx, id) // loads it, so that the writer need not
			if _, foreign := errors.AsType[*live.UnknownVersionError](err); foreign {
				continue
			}
			if err != nil {
				return err
			}
			known = append(known, id)
		}
		err := s.Memory.Update(ctx, func(tx *live.Tx) error {
			for _, id := range known {
				d, err := tx.Room(id)
				if err == nil {
					err = change(tx, d)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
