package room

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// ResolveAlias returns the room that an alias names. M_NOT_FOUND, also for the
// aliases of other servers (ALIAS-4, ALIAS-9).
func (s *Service) ResolveAlias(ctx context.Context, alias events.RoomAlias) (events.RoomID, error) {
	var found store.Alias
	err := s.Memory.View(ctx, func(v store.View) (err error) {
		found, err = v.Alias(alias)
		return err
	})
	if isNotFound(err) {
		return "", noAlias(alias)
	}
	return found.Room, err
}

func noAlias(alias events.RoomAlias) error { return mxerr.NotFound("there is no room alias %s", alias) }

// SetAlias gives a room another name. Members may, whatever their power level;
// 409 M_UNKNOWN if the alias is taken, also by this room (ALIAS-1 to ALIAS-3).
func (s *Service) SetAlias(ctx context.Context, a Actor, alias events.RoomAlias, room events.RoomID) error {
	if err := a.mayWrite(); err != nil {
		return err
	}
	if err := s.checkNewAlias(a, "roomAlias", alias); err != nil {
		return err
	}
	return s.Memory.Update(ctx, func(tx *live.Tx) error {
		d, err := tx.Room(room)
		switch {
		case isNotFound(err):
			return mxerr.InvalidParam("room_id", "is not a room of this server")
		case err != nil:
			return err
		case d.Membership(a.User) != events.MembershipJoin:
			return notInRoom(a.User, room)
		}
		err = tx.CreateAlias(store.Alias{Alias: alias, Room: room, Creator: a.User})
		if errors.Is(err, store.ErrExists) {
			return mxerr.New(http.StatusConflict, mxerr.MUnknown, "the room alias %s is taken", alias)
		}
		return err
	})
}

// checkNewAlias refuses aliases that cannot be made here, or not by the actor (ASC-7,
// ASC-8), which came in the named parameter. White space is allowed
// in an alias (ID-7) but not in one of ours: nobody could tell two of them apart
// (CREATE-26).
func (s *Service) checkNewAlias(a Actor, parameter string, alias events.RoomAlias) error {
	switch {
	case alias.Server() != s.Server:
		return mxerr.InvalidParam(parameter, "is not an alias of this server")
	case strings.ContainsFunc(alias.Localpart(), unicode.IsSpace):
		return mxerr.InvalidParam(parameter, "has white space in it")
	case !s.Services.MayCreateAlias(a.Service, alias):
		return errExclusive(alias)
	}
	return nil
}

func errExclusive(alias events.RoomAlias) error {
	return mxerr.Exclusive("%s is in a namespace that is not yours", alias)
}

// DeleteAlias takes a name from a room, and out of its m.room.canonical_alias if
// the user may send that. The creator of the alias may delete it, administrators
// of the server, and those who may set the canonical alias (ALIAS-5 to ALIAS-7).
func (s *Service) DeleteAlias(ctx context.Context, a Actor, alias events.RoomAlias) error {
	if err := a.mayWrite(); err != nil {
		return err
	}
	if !s.Services.MayDeleteAlias(a.Service, alias) {
		return errExclusive(alias)
	}
	return s.Memory.Update(ctx, func(tx *live.Tx) error {
		row, err := tx.Alias(alias)
		if isNotFound(err) {
			return noAlias(alias)
		}
		if err != nil {
			return err
		}
		d, err := tx.Room(row.Room)
		if err != nil {
			return err
		}
		if row.Creator != a.User && !maySetCanonicalAlias(d, a.User) {
			account, err := tx.User(a.User)
			if err != nil && !isNotFound(err) {
				return err
			}
			if !account.Admin {
				return mxerr.Forbidden("you may not delete the room alias %s", alias)
			}
		}
		if content, named := withoutAlias(d, alias); named {
			_, err := s.append(tx, d, proposal{sender: a.User, typ: typeCanonicalAlias, stateKey: new(string), content: content})
			if _, refused := errors.AsType[*events.AuthError](err); err != nil && !refused {
				return err
			}
		}
		return tx.DeleteAlias(alias)
	})
}

// maySetCanonicalAlias reports whether a user is a member with the power to set
// the canonical alias, which is also what deciding over the room's place in the
// directory takes (RDIR-3).
func maySetCanonicalAlias(d *live.Draft, user events.UserID) bool {
	levels := d.Version.PowerLevels(d)
	return d.Membership(user) == events.MembershipJoin && levels.User(user) >= levels.Required(typeCanonicalAlias, true)
}

// withoutAlias returns the content of the room's m.room.canonical_alias without an
// alias, and whether it was there.
func withoutAlias(d *live.Draft, alias events.RoomAlias) (content []byte, named bool) {
	e := d.StateEvent(typeCanonicalAlias, "")
	if e == nil {
		return nil, false
	}
	content = e.Content
	if gjson.GetBytes(content, "alias").Str == string(alias) {
		content, _ = sjson.DeleteBytes(content, "alias")
		named = true
	}
	kept := []json.RawMessage{}
	others := gjson.GetBytes(content, "alt_aliases")
	for _, other := range aliasList(others) {
		if other.Str != string(alias) {
			kept = append(kept, json.RawMessage(other.Raw))
		}
	}
	if len(kept) < len(aliasList(others)) {
		list, _ := json.Marshal(kept)
		content, _ = sjson.SetRawBytes(content, "alt_aliases", list)
		named = true
	}
	return content, named
}

// checkCanonicalAlias refuses the content of an m.room.canonical_alias with an
// alias that is new in it and does not name the room (STATE-10, STATE-11).
func checkCanonicalAlias(tx *live.Tx, d *live.Draft, content []byte) error {
	known := map[string]bool{}
	if e := d.StateEvent(typeCanonicalAlias, ""); e != nil {
		for _, alias := range aliasesIn(e.Content) {
			known[alias] = true
		}
	}
	for _, text := range aliasesIn(content) {
		if known[text] {
			continue
		}
		alias, err := events.ParseRoomAlias(text)
		if err != nil {
			return mxerr.InvalidParam("content", "has an alias that is none: %v", err)
		}
		row, err := tx.Alias(alias)
		if isNotFound(err) || err == nil && row.Room != d.ID {
			return mxerr.BadAlias("%s is not an alias of this room", alias)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// aliasesIn returns the aliases in the content of an m.room.canonical_alias: any
// text, if the content is not what it should be.
func aliasesIn(content []byte) (list []string) {
	if main := gjson.GetBytes(content, "alias").String(); main != "" {
		list = append(list, main)
	}
	for _, other := range aliasList(gjson.GetBytes(content, "alt_aliases")) {
		list = append(list, other.String())
	}
	return list
}

// aliasList is the array of alt_aliases; anything else counts as empty (EVT-12).
func aliasList(value gjson.Result) []gjson.Result {
	if !value.IsArray() {
		return nil
	}
	return value.Array()
}

// Aliases returns the aliases of a room for its members, and for everybody if the
// room is world-readable (ALIAS-8).
func (s *Service) Aliases(ctx context.Context, a Actor, room events.RoomID) ([]events.RoomAlias, error) {
	access, err := s.Reader.Enter(ctx, a.User, room)
	if err != nil {
		return nil, err
	}
	if !access.Joined() && !access.WorldReadable() {
		return nil, notInRoom(a.User, room)
	}
	var list []events.RoomAlias
	err = s.Memory.View(ctx, func(v store.View) (err error) {
		list, err = v.AliasesOf(room)
		return err
	})
	return list, err
}
