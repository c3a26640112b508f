package room

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// The types of state events that this service looks into.
const (
	typeName           = "m.room.name"
	typeTopic          = "m.room.topic"
	typeAvatar         = "m.room.avatar"
	typeCanonicalAlias = "m.room.canonical_alias"
	typeGuestAccess    = "m.room.guest_access"
	typeTombstone      = "m.room.tombstone"
	typeImagePack      = "m.room.image_pack"
)

// StateChange is a state event that a user wants to set.
type StateChange struct {
	Room      events.RoomID
	Type, Key string
	Content   json.RawMessage // object
	TS        int64           // origin_server_ts of those who may choose it; 0: now
}

// SetState sets a state event and returns its ID; that of the current one if it is
// the same already (STATE-6, STATE-8).
func (s *Service) SetState(ctx context.Context, a Actor, c StateChange) (id events.EventID, err error) {
	if err := a.mayWrite(); err != nil && c.Type != events.TypeMember { // whoever is suspended may still leave
		return "", err
	}
	version, err := s.version(ctx, a.User, c.Room)
	if err != nil {
		return "", err
	}
	if err := checkState(c); err != nil {
		return "", err
	}
	p := proposal{sender: a.User, typ: c.Type, stateKey: &c.Key}
	if p.content, err = version.Canonical(c.Content); err != nil {
		return "", err
	}
	if p.ts, err = a.time(c.TS); err != nil {
		return "", err
	}
	err = s.Memory.Update(ctx, func(tx *live.Tx) error {
		d, err := draft(tx, a.User, c.Room)
		if err != nil {
			return err
		}
		if c.Type == events.TypePowerLevels && c.Key == "" {
			if err := checkCreators(d, c.Content); err != nil {
				return err
			}
		}
		e, err := s.setState(tx, d, a, p)
		if err != nil {
			return err
		}
		id = e.ID
		return nil
	})
	return id, err
}

// setState adds a state event, and what it brings with it, unless it is the current
// one already.
func (s *Service) setState(tx *live.Tx, d *live.Draft, a Actor, p proposal) (*live.Event, error) {
	if p.typ == events.TypeMember {
		return s.putMember(tx, d, a, p)
	}
	if p.typ == typeCanonicalAlias && *p.stateKey == "" {
		if err := checkCanonicalAlias(tx, d, p.content); err != nil {
			return nil, err
		}
	}
	if now := d.StateEvent(p.typ, *p.stateKey); now != nil && now.Sender == p.sender && bytes.Equal(now.Content, p.content) &&
		d.Membership(p.sender) == events.MembershipJoin {
		return now, nil
	}
	open := p.typ == typeGuestAccess && guestsMayJoin(d)
	e, err := s.append(tx, d, p)
	if err == nil && open {
		err = s.expelGuests(tx, d)
	}
	return e, err
}

// checkCreators refuses power levels for those whose power no event changes
// (STATE-12, RVER-18).
func checkCreators(d *live.Draft, content []byte) error {
	create := d.Event(events.TypeCreate, "")
	if !d.Version.PrivilegedCreators || create == nil {
		return nil
	}
	users := gjson.GetBytes(content, "users")
	for _, creator := range d.Version.Creators(create) {
		if users.Get(gjson.Escape(string(creator))).Exists() {
			return mxerr.BadJSON("users must not name %s, who created the room", creator)
		}
	}
	return nil
}

// checkState refuses what can be seen to be wrong without knowing the room.
func checkState(c StateChange) error {
	switch c.Type {
	case events.TypeCreate:
		return errCreated()
	case events.TypePowerLevels: // STATE-12
		return events.ValidPowerLevels(c.Content)
	case events.TypeMember: // STATE-14
		if gjson.GetBytes(c.Content, "membership").Type != gjson.String {
			return mxerr.BadJSON("membership must be a string")
		}
	case typeTombstone: // STATE-13
		if gjson.GetBytes(c.Content, "replacement_room").Str == string(c.Room) {
			return mxerr.InvalidParam("replacement_room", "is the room itself")
		}
	case typeImagePack:
		return checkShortcodes(c.Content)
	}
	return nil
}

// maxShortcode bounds what an image of a pack is called by, in bytes.
const maxShortcode = 100

// checkShortcodes refuses image packs with shortcodes that cannot be written everywhere
// (PACK-2).
func checkShortcodes(pack []byte) (err error) {
	images := gjson.GetBytes(pack, "images")
	if !images.IsObject() {
		return nil
	}
	images.ForEach(func(shortcode, _ gjson.Result) bool {
		if n := len(shortcode.Str); n == 0 || n > maxShortcode || strings.ContainsFunc(shortcode.Str, notInShortcodes) {
			err = mxerr.BadJSON("images has the shortcode %.100q: it must be of 1 to %d of the characters a-z, A-Z, 0-9, - and _", shortcode.Str, maxShortcode)
		}
		return err == nil
	})
	return err
}

func notInShortcodes(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
}

// enterState decides whether a user may read the state of a room. Those who are
// invited or knock may not, even if they were members before (STATE-5).
func (s *Service) enterState(ctx context.Context, user events.UserID, room events.RoomID) (*reader.Access, error) {
	access, err := s.Reader.Enter(ctx, user, room)
	if err != nil {
		return nil, err
	}
	switch access.Membership() {
	case events.MembershipInvite, events.MembershipKnock:
		if !access.WorldReadable() {
			return nil, notInRoom(user, room)
		}
	}
	return access, nil
}

// errCreated refuses create events (STATE-9).
func errCreated() error { return mxerr.Forbidden("a room is created only once") }

// StateEvent returns one state event as the user may see it: the current one, or
// that of when they left. M_NOT_FOUND if there is none (STATE-2, STATE-4).
func (s *Service) StateEvent(ctx context.Context, a Actor, room events.RoomID, typ, key string) (*live.Event, *reader.Scope, error) {
	access, err := s.enterState(ctx, a.User, room)
	if err != nil {
		return nil, nil, err
	}
	e, ok := access.Room.StateEventAt(access.Until, typ, key)
	if !ok {
		err = s.Memory.View(ctx, func(v store.View) error {
			row, err := v.StateEventAt(access.Room.Num, access.Until, events.StateKey{Type: typ, Key: key})
			if err != nil {
				return err
			}
			e, err = live.Parse(access.Room.Version, row)
			return err
		})
		if err != nil && !isNotFound(err) {
			return nil, nil, err
		}
	}
	if e == nil {
		return nil, nil, mxerr.NotFound("the room has no %s with the state key %q", typ, key)
	}
	one := []*live.Event{e}
	if err := s.Reader.Link(ctx, access.Room, one); err != nil {
		return nil, nil, err
	}
	return one[0], access.Scope, nil
}

// State returns the whole state as the user may see it, in no particular order
// (STATE-1).
func (s *Service) State(ctx context.Context, a Actor, room events.RoomID) ([]*live.Event, *reader.Scope, error) {
	access, err := s.enterState(ctx, a.User, room)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.Reader.StateAt(ctx, access.Room, access.Until, true)
	return list, access.Scope, err
}
