package room

import (
	"errors"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// typeDirect is the account data that lists a user's direct chats.
const typeDirect = "m.direct"

// RoomRules knows what users want to be notified of in a room.
//
// Called from: joins of rooms that replace others, inside the transaction.
// Concurrency: one call at a time. Errors: an *mxerr.Error leaves the rules as they
// are. Ownership: nothing is kept.
type RoomRules interface {
	// CopyRoomRule gives the room that replaces another one the user's rule for that.
	CopyRoomRule(tx store.Tx, user events.UserID, from, to events.RoomID) error
}

// inherit gives a user who has joined a room what they have set for the one that it
// replaces, unless they have set it for this one: tags, being a direct chat, push
// rules (UPGR-16). That a room claims to replace another one is not enough, the other
// one has to know.
func (s *Service) inherit(tx *live.Tx, d *live.Draft, user events.UserID) error {
	from := events.RoomID(textOf(d, events.TypeCreate, "predecessor.room_id"))
	if from == "" {
		return nil
	}
	old, err := tx.Room(from)
	if _, foreign := errors.AsType[*live.UnknownVersionError](err); foreign || isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if textOf(old, typeTombstone, "replacement_room") != string(d.ID) {
		return nil
	}
	if err := inheritTags(tx, user, from, d.ID); err != nil {
		return err
	}
	if err := inheritDirect(tx, user, from, d.ID); err != nil {
		return err
	}
	err = s.RoomRules.CopyRoomRule(tx.Tx, user, from, d.ID)
	if _, refused := errors.AsType[*mxerr.Error](err); err != nil && !refused {
		return err
	}
	tx.UserChanged(user, tx.Next())
	return nil
}

func inheritTags(tx *live.Tx, user events.UserID, from, to events.RoomID) error {
	tags, err := tx.AccountDatum(user, from, typeTag)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := tx.AccountDatum(user, to, typeTag); !isNotFound(err) {
		return err
	}
	return tx.PutAccountDatum(user, store.AccountDatum{Room: to, Type: typeTag, Content: tags.Content, Pos: tx.Next()})
}

func inheritDirect(tx *live.Tx, user events.UserID, from, to events.RoomID) error {
	direct, err := tx.AccountDatum(user, "", typeDirect)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	content := withSuccessor(direct.Content, from, to)
	if content == nil {
		return nil
	}
	return tx.PutAccountDatum(user, store.AccountDatum{Type: typeDirect, Content: content, Pos: tx.Next()})
}

// withSuccessor returns the content of m.direct with a room wherever the one that it
// replaces is; nil if there is nothing to add.
func withSuccessor(content []byte, from, to events.RoomID) []byte {
	var changed []field
	gjson.ParseBytes(content).ForEach(func(user, rooms gjson.Result) bool {
		var was, is bool
		for _, id := range rooms.Array() {
			was = was || id.Str == string(from)
			is = is || id.Str == string(to)
		}
		if rooms.IsArray() && was && !is {
			end := len(rooms.Raw) - 1
			list := append([]byte(rooms.Raw[:end]), ',')
			changed = append(changed, field{user.Str, append(append(list, text(to)...), ']')})
		}
		return true
	})
	if changed == nil {
		return nil
	}
	return overlay(content, changed...)
}
