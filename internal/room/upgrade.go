package room

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const typeServerACL = "m.room.server_acl"

// replacedBody is what clients show that don't know tombstones.
const replacedBody = "This room has been replaced."

// Upgrade is a request to replace a room by one of another version.
type Upgrade struct {
	Room    events.RoomID
	Version string
	// Creators are additional creators of the new room, where its version knows such:
	// a JSON array of user IDs, or nil (UPGR-7).
	Creators json.RawMessage
}

// Upgrade replaces a room by a new one, with its state, its bans, its aliases and its
// place in the directory, and returns the ID of the new room: all of it or nothing
// (UPGR-1 to UPGR-15). Who may send the tombstone of the old room may upgrade it.
// M_NOT_FOUND, M_UNSUPPORTED_ROOM_VERSION.
func (s *Service) Upgrade(ctx context.Context, a Actor, in Upgrade) (id events.RoomID, err error) {
	if err := a.mayWrite(); err != nil {
		return "", err
	}
	version, err := lookupVersion(in.Version)
	if err != nil {
		return "", err
	}
	creators, err := moreCreators(version, in.Creators)
	if err != nil {
		return "", err
	}
	err = s.inRoom(ctx, in.Room, noSuchRoom(in.Room), func(tx *live.Tx, old *live.Draft) error {
		d, err := s.upgrade(tx, old, a, version, creators)
		if err == nil {
			id = d.ID
		}
		return err
	})
	return id, err
}

// moreCreators reads additional creators, of whom versions without such know nothing.
func moreCreators(v *events.RoomVersion, list json.RawMessage) (creators []events.UserID, err error) {
	given := gjson.ParseBytes(list)
	if !v.PrivilegedCreators || given.Type == gjson.Null {
		return nil, nil
	}
	if !given.IsArray() {
		return nil, mxerr.BadJSON("additional_creators must be an array")
	}
	for _, entry := range given.Array() {
		user, err := events.ParseUserID(entry.Str)
		if err != nil {
			return nil, mxerr.InvalidParam("additional_creators", "has an entry that is no user ID")
		}
		creators = append(creators, user)
	}
	return creators, nil
}

// upgrade takes the steps of an upgrade inside a transaction, in the order of UPGR-4.
// The power levels come last into the new room: until then its creator may do
// everything, even if they have little power afterwards.
func (s *Service) upgrade(tx *live.Tx, old *live.Draft, a Actor, v *events.RoomVersion, creators []events.UserID) (*live.Draft, error) {
	b := s.start(v)
	end, err := s.tombstone(old, a, b.id) // where the ID is not known yet, only to see whether they may
	if err != nil {
		return nil, err
	}
	predecessor := []field{{"room_id", text(old.ID)}}
	if b.id != "" { // UPGR-6
		predecessor = append(predecessor, field{"event_id", text(end.ID)})
	}
	if b.create, err = successorContent(old, v, a.User, creators, overlay(nil, predecessor...)); err != nil {
		return nil, err
	}
	d, err := s.begin(tx, a, b)
	if err != nil {
		return nil, err
	}
	if err := s.copyState(tx, old, d, a); err != nil {
		return nil, err
	}
	if err := s.moveNames(tx, old, d, a); err != nil {
		return nil, err
	}
	if levels := copiedLevels(old, d, a.User); levels != nil {
		if err := s.copyEvent(tx, d, a, events.TypePowerLevels, "", levels); err != nil {
			return nil, err
		}
	}
	if b.id == "" {
		if end, err = s.tombstone(old, a, d.ID); err != nil {
			return nil, err
		}
	}
	if _, err := s.add(tx, old, end, store.Txn{}); err != nil {
		return nil, err
	}
	if err := s.retire(tx, old, a); err != nil {
		return nil, err
	}
	return d, s.inherit(tx, d, a.User)
}

// tombstone makes the event that says what has replaced a room, if the actor may send
// it (UPGR-13).
func (s *Service) tombstone(old *live.Draft, a Actor, replacement events.RoomID) (*events.Event, error) {
	content := overlay(nil, field{"body", text(replacedBody)}, field{"replacement_room", text(replacement)})
	return s.next(old, proposal{sender: a.User, typ: typeTombstone, stateKey: new(string), content: content})
}

// successorContent is the content of the create event of a room that replaces another
// one (UPGR-5, UPGR-7).
func successorContent(old *live.Draft, v *events.RoomVersion, creator events.UserID, more []events.UserID, predecessor []byte) ([]byte, error) {
	var fields []field
	if create := old.StateEvent(events.TypeCreate, ""); create != nil {
		for _, key := range []string{"m.federate", "type"} {
			if value := gjson.GetBytes(create.Content, gjson.Escape(key)); value.Exists() {
				fields = append(fields, field{key, []byte(value.Raw)})
			}
		}
	}
	fields = append(fields, field{"predecessor", predecessor})
	return createContent(v, creator, overlay(nil, fields...), more)
}

// copiedTypes is the state that goes along (UPGR-8), beside the power levels, the
// canonical alias and the children of a space.
func copiedTypes() []string {
	return []string{
		events.TypeJoinRules, events.TypeHistoryVisibility, typeGuestAccess, typeEncryption, typeServerACL,
		typeName, typeTopic, typeAvatar,
	}
}

// copyState copies state and bans, in the order in which they came where that may
// matter. Nobody else comes along (UPGR-9).
func (s *Service) copyState(tx *live.Tx, old, d *live.Draft, a Actor) error {
	for _, typ := range copiedTypes() {
		e := old.StateEvent(typ, "")
		if e == nil {
			continue
		}
		content := e.Content
		if typ == events.TypeJoinRules {
			content = knownJoinRule(d.Version, content)
		}
		if err := s.copyEvent(tx, d, a, typ, "", content); err != nil {
			return err
		}
	}
	all := old.State(true)
	slices.SortFunc(all, func(x, y *live.Event) int { return cmp.Compare(x.Pos, y.Pos) })
	space := textOf(old, events.TypeCreate, "type") == typeSpace
	for _, e := range all {
		var err error
		switch {
		case e.Type == typeSpaceChild && space && string(e.Content) != "{}":
			err = s.copyEvent(tx, d, a, e.Type, *e.StateKey, e.Content)
		case e.Type == events.TypeMember && e.Membership() == events.MembershipBan:
			ban := memberChange{target: events.UserID(*e.StateKey), membership: events.MembershipBan}
			if why := gjson.GetBytes(e.Content, keyReason); why.Type == gjson.String {
				ban.content = reason(&why.Str)
			}
			_, err = s.setMember(tx, d, a, ban)
			err = ignoreImpossible(err) // such as the ban of a creator of the new room
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copyEvent sets state in the new room. What a room of its version cannot have, or
// nobody but its first sender, stays behind: nothing that is in a room may keep it
// from being upgraded (UPGR-3).
func (s *Service) copyEvent(tx *live.Tx, d *live.Draft, a Actor, typ, key string, content []byte) error {
	p := proposal{sender: a.User, typ: typ, stateKey: &key, content: canonicalPart(d.Version, content)}
	e, err := s.next(d, p)
	if err != nil {
		return ignoreImpossible(err)
	}
	_, err = s.add(tx, d, e, store.Txn{})
	return err
}

// ignoreImpossible drops the error of an event that a room cannot have.
func ignoreImpossible(err error) error {
	if errors.Is(err, events.ErrTooLarge) {
		return nil
	}
	return ignoreRefusal(err)
}

// canonicalPart returns the content of an event of another version without the
// members that this one has no form for, such as fractions.
func canonicalPart(v *events.RoomVersion, content []byte) []byte {
	if whole, err := v.Canonical(content); err == nil {
		return whole
	}
	var fields []field
	gjson.ParseBytes(content).ForEach(func(key, value gjson.Result) bool {
		if part, err := v.Canonical([]byte(value.Raw)); err == nil {
			fields = append(fields, field{key.Str, part})
		}
		return true
	})
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.key, b.key) })
	return overlay(nil, fields...)
}

// knownJoinRule returns the content of a join rule with the nearest one that a
// version knows: with others, not even those who are invited could come in.
func knownJoinRule(v *events.RoomVersion, content []byte) []byte {
	was := stringAt(content, "join_rule")
	rule := was
	if rule == "knock_restricted" && !v.KnockRestricted {
		rule = "knock"
		if v.Restricted {
			rule = "restricted"
		}
	}
	if rule == "restricted" && !v.Restricted || rule == "knock" && !v.Knock {
		rule = "invite"
	}
	if rule == was {
		return content
	}
	return overlay(content, field{"join_rule", text(rule)})
}

// moveNames makes the aliases and the entries in the directory those of the new room,
// and lets the canonical alias follow (UPGR-15).
func (s *Service) moveNames(tx *live.Tx, old, d *live.Draft, a Actor) error {
	aliases, err := tx.AliasesOf(old.ID)
	if err != nil {
		return err
	}
	for _, alias := range aliases {
		row, err := tx.Alias(alias)
		if err != nil {
			return err
		}
		row.Room = d.ID
		if err := errors.Join(tx.DeleteAlias(alias), tx.CreateAlias(row)); err != nil {
			return err
		}
	}
	if e := old.StateEvent(typeCanonicalAlias, ""); e != nil && len(aliasesIn(e.Content)) > 0 {
		if err := s.copyEvent(tx, d, a, typeCanonicalAlias, "", e.Content); err != nil {
			return err
		}
	}
	lists, err := tx.ListsOf(old.Num)
	if err != nil {
		return err
	}
	for _, list := range lists {
		if err := errors.Join(tx.DeleteListing(list, old.Num), tx.PutListing(list, listing(d))); err != nil {
			return err
		}
	}
	return nil
}

// retire takes from the old room the names it has lost, and lets only its moderators
// speak and invite there. Both are left undone if the actor may not (UPGR-14).
func (s *Service) retire(tx *live.Tx, old *live.Draft, a Actor) error {
	if e := old.StateEvent(typeCanonicalAlias, ""); e != nil && len(aliasesIn(e.Content)) > 0 {
		p := proposal{sender: a.User, typ: typeCanonicalAlias, stateKey: new(string), content: []byte(`{}`)}
		if _, err := s.append(tx, old, p); ignoreImpossible(err) != nil {
			return err
		}
	}
	content, changed := retiredLevels(old)
	if !changed {
		return nil
	}
	_, err := s.append(tx, old, proposal{sender: a.User, typ: events.TypePowerLevels, stateKey: new(string), content: content})
	return ignoreImpossible(err)
}
