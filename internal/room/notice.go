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

const (
	typeMessage = "m.room.message"
	typePinned  = "m.room.pinned_events"
	typeTag     = "m.tag"
)

// Notice is something that the server has to say to a user (NOTICE-2).
type Notice struct {
	Body string // text
	Type string // server_notice_type: the specification's or a namespaced one
	// AdminContact and LimitType are what notices of a usage limit tell; empty:
	// nothing.
	AdminContact string
	LimitType    string
	// Pin keeps the notice in view, as long as it is in force.
	Pin bool
}

// content is the content of the message.
func (n Notice) content() []byte {
	var fields []field
	add := func(key, value string) {
		if value != "" {
			fields = append(fields, field{key, text(value)})
		}
	}
	add("admin_contact", n.AdminContact)
	add("body", n.Body)
	add("limit_type", n.LimitType)
	add("msgtype", "m.server_notice")
	add("server_notice_type", n.Type)
	return overlay(nil, fields...)
}

// Notify sends a notice to a user, in the one room that is there for this. They are
// invited to it with the first notice, and again if they have left (NOTICE-1).
// M_NOT_FOUND for users who do not exist, M_INVITE_BLOCKED for those who want no
// invites.
func (s *Service) Notify(ctx context.Context, user events.UserID, n Notice) (id events.EventID, err error) {
	sender := Actor{User: s.Notices}
	plan, err := s.plan(sender, NewRoom{
		Name: s.NoticesName, Preset: "private_chat", Invite: []events.UserID{user},
		PowerLevels: json.RawMessage(`{"users_default":-10}`), // to read and not to answer
	})
	if err != nil {
		return "", err
	}
	content, err := s.DefaultVersion.Canonical(n.content())
	if err != nil {
		return "", err
	}
	err = s.Memory.Update(ctx, func(tx *live.Tx) error {
		d, err := s.noticesRoom(tx, user)
		switch {
		case err != nil:
			return err
		case d == nil:
			if d, err = s.begin(tx, sender, plan); err == nil {
				err = tagNotices(tx, user, d.ID)
			}
		case d.Membership(user) == events.MembershipLeave:
			_, err = s.setMember(tx, d, sender, memberChange{target: user, membership: events.MembershipInvite})
		}
		if err != nil {
			return err
		}
		e, err := s.append(tx, d, proposal{sender: s.Notices, typ: typeMessage, content: content})
		if err != nil {
			return err
		}
		id = e.ID
		if !n.Pin {
			return nil
		}
		return s.pin(tx, d, append(pinned(d), string(id)))
	})
	return id, err
}

// UnpinNotice lets a notice to a user that is not in force any more out of view.
// One that is not pinned is no error.
func (s *Service) UnpinNotice(ctx context.Context, user events.UserID, id events.EventID) error {
	return s.Memory.Update(ctx, func(tx *live.Tx) error {
		d, err := s.noticesRoom(tx, user)
		if err != nil || d == nil {
			return err
		}
		var kept []string
		for _, other := range pinned(d) {
			if other != string(id) {
				kept = append(kept, other)
			}
		}
		if len(kept) == len(pinned(d)) {
			return nil
		}
		return s.pin(tx, d, kept)
	})
}

// noticesRoom returns the room for notices to a user, nil if there is none yet.
func (s *Service) noticesRoom(tx *live.Tx, user events.UserID) (*live.Draft, error) {
	rooms, err := tx.RoomsOf(user)
	if err != nil {
		return nil, err
	}
	for _, m := range rooms {
		_, err := tx.Member(s.Notices, m.Room)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		d, err := tx.Room(m.RoomID)
		if err != nil || s.forNotices(d) {
			return d, err
		}
	}
	return nil, nil
}

// forNotices reports whether a room is one for notices.
func (s *Service) forNotices(d *live.Draft) bool {
	create := d.StateEvent(events.TypeCreate, "")
	return s.Notices != "" && create != nil && create.Sender == s.Notices
}

// tagNotices marks the room for its user as what it is (NOTICE-1).
func tagNotices(tx *live.Tx, user events.UserID, room events.RoomID) error {
	pos := tx.Next()
	tx.UserChanged(user, pos)
	return tx.PutAccountDatum(user, store.AccountDatum{
		Room: room, Type: typeTag, Content: []byte(`{"tags":{"m.server_notice":{}}}`), Pos: pos,
	})
}

func pinned(d *live.Draft) (ids []string) {
	if e := d.StateEvent(typePinned, ""); e != nil {
		for _, id := range gjson.GetBytes(e.Content, "pinned").Array() {
			ids = append(ids, id.String())
		}
	}
	return ids
}

// maxPinned bounds how many notices are pinned; the oldest gives way.
const maxPinned = 20

func (s *Service) pin(tx *live.Tx, d *live.Draft, ids []string) error {
	list := []byte{'['}
	for i, id := range ids[max(0, len(ids)-maxPinned):] {
		if i > 0 {
			list = append(list, ',')
		}
		list = events.AppendString(list, id)
	}
	content := overlay(nil, field{"pinned", append(list, ']')})
	_, err := s.append(tx, d, proposal{sender: s.Notices, typ: typePinned, stateKey: new(string), content: content})
	return err
}

// mayLeave refuses to reject the invite to notices, but not the end of the account
// (NOTICE-3, MEMB-30).
func (s *Service) mayLeave(d *live.Draft, a Actor, was string) error {
	if was == events.MembershipInvite && a.Device != "" && s.forNotices(d) {
		return mxerr.CannotLeaveServerNoticeRoom("this room is for notices of the server")
	}
	return nil
}
