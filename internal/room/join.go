package room

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Resolve returns the ID of a room that is named by its ID or by an alias.
// M_NOT_FOUND for aliases that do not exist, M_INVALID_PARAM for what is neither
// (MEMB-4, MEMB-7). A room ID is not looked up.
func (s *Service) Resolve(ctx context.Context, idOrAlias string) (events.RoomID, error) {
	if !strings.HasPrefix(idOrAlias, "#") {
		return events.ParseRoomID(idOrAlias)
	}
	alias, err := events.ParseRoomAlias(idOrAlias)
	if err != nil {
		return "", err
	}
	return s.ResolveAlias(ctx, alias)
}

// Join is a request to join a room.
type Join struct {
	Room   events.RoomID
	Reason *string
	// Content is what else the member event shall contain: JSON object, or nil
	// (MEMB-9).
	Content json.RawMessage
	// ThirdParty is the proof that an invite to an address is for the actor: JSON
	// object, or nil (MEMB-23).
	ThirdParty json.RawMessage
}

// Join makes the actor join a room (MEMB-4 to MEMB-12).
func (s *Service) Join(ctx context.Context, a Actor, in Join) error {
	content := overlay(in.Content, field{keyMembership, nil}, field{keyReason, nil}, field{keyThirdParty, nil})
	c := memberChange{target: a.User, membership: events.MembershipJoin, content: content, lazy: len(content) == len(`{}`)}
	if in.Reason != nil {
		c.content = overlay(content, field{keyReason, text(*in.Reason)})
	}
	if in.ThirdParty != nil {
		if err := s.checkThirdParty(ctx, in.Room, in.ThirdParty); err != nil {
			return err
		}
	}
	return s.inRoom(ctx, in.Room, noSuchRoom(in.Room), func(tx *live.Tx, d *live.Draft) error {
		if in.ThirdParty != nil {
			if err := s.claimInvite(tx, d, a, in.ThirdParty); err != nil {
				return err
			}
		}
		_, err := s.setMember(tx, d, a, c)
		return err
	})
}

// admit decides what the authorisation rules leave open about somebody who wants to
// join: guests must be welcome (MEMB-41), and where membership of another room lets
// people in, a member has to be found who vouches for them. It returns that member
// as a JSON string, nil if none is needed. was is the membership until now.
func (s *Service) admit(tx *live.Tx, d *live.Draft, a Actor, was string) ([]byte, error) {
	if a.Guest && !guestsMayJoin(d) {
		return nil, mxerr.GuestAccessForbidden("guests may not join this room") // GUEST-5
	}
	rules := d.StateEvent(events.TypeJoinRules, "")
	if rules == nil || was == events.MembershipInvite || was == events.MembershipBan {
		return nil, nil
	}
	switch gjson.GetBytes(rules.Content, "join_rule").Str {
	case "restricted", "knock_restricted": // versions that don't know them refuse the join anyway
	default:
		return nil, nil
	}
	met, err := meetsCondition(tx.Tx, a.User, rules.Content)
	if err != nil {
		return nil, err
	}
	if !met {
		return nil, mxerr.Forbidden("you are neither invited nor in any of the rooms that would let you in")
	}
	levels := d.Version.PowerLevels(d)
	var via []byte
	d.Joined(func(e *live.Event) bool {
		if levels.User(events.UserID(*e.StateKey)) >= levels.Invite() {
			via = text(*e.StateKey)
		}
		return via == nil
	})
	if via == nil { // MEMB-12
		return nil, mxerr.Forbidden("nobody in the room could invite you")
	}
	return via, nil
}

// meetsCondition reports whether a user is in one of the rooms that the content of
// an m.room.join_rules event names (MEMB-11).
func meetsCondition(v store.View, user events.UserID, joinRules []byte) (bool, error) {
	for _, id := range conditions(joinRules) {
		if met, err := joined(v, user, id); met || err != nil {
			return met, err
		}
	}
	return false, nil
}

// conditions lists the rooms that the content of an m.room.join_rules event names,
// each once. What is malformed counts as absent (MEMB-13).
func conditions(joinRules []byte) (rooms []events.RoomID) {
	allow := gjson.GetBytes(joinRules, "allow")
	if !allow.IsArray() {
		return nil
	}
	allow.ForEach(func(_, entry gjson.Result) bool {
		if entry.IsObject() && entry.Get("type").Str == "m.room_membership" {
			id, err := events.ParseRoomID(entry.Get("room_id").Str)
			if err == nil && !slices.Contains(rooms, id) {
				rooms = append(rooms, id)
			}
		}
		return true
	})
	return rooms
}

// joined reports whether a user is in a room, without loading that.
func joined(v store.View, user events.UserID, id events.RoomID) (bool, error) {
	room, err := v.Room(id)
	if err == nil {
		var m store.Member
		m, err = v.Member(user, room.Num)
		if err == nil {
			return m.Membership == events.MembershipJoin, nil
		}
	}
	if isNotFound(err) {
		err = nil
	}
	return false, err
}

// JoinedRooms returns the rooms that a user is in (MEMB-40).
func (s *Service) JoinedRooms(ctx context.Context, user events.UserID) ([]events.RoomID, error) {
	rooms := []events.RoomID{}
	err := s.Memory.View(ctx, func(v store.View) error {
		list, err := v.RoomsOf(user)
		for _, m := range list {
			if m.Membership == events.MembershipJoin {
				rooms = append(rooms, m.RoomID)
			}
		}
		return err
	})
	return rooms, err
}
