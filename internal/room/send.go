package room

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/tidwall/gjson"
)

// Message is an event without state key that a user sends.
type Message struct {
	Room    events.RoomID
	Type    string
	Content json.RawMessage // object
	TxnID   string          // "": not to be repeated
	TS      int64           // origin_server_ts of those who may choose it; 0: now
}

// Send adds a message to a room and returns its ID; the ID of the first time if
// the device sends the same transaction again (SEND-2).
func (s *Service) Send(ctx context.Context, a Actor, m Message) (events.EventID, error) {
	if m.Type == events.TypeRedaction { // SEND-4
		target := gjson.GetBytes(m.Content, "redacts")
		if target.Type != gjson.String {
			return "", mxerr.MissingParam("redacts")
		}
		p, err := s.message(a, m, "send")
		if err != nil {
			return "", err
		}
		return s.redact(ctx, a, p, m, events.EventID(target.Str))
	}
	if m.Type == events.TypeCreate {
		return "", errCreated()
	}
	if err := m.check(); err != nil {
		return "", err
	}
	if err := s.maySend(ctx, a, m.Room); err != nil {
		return "", err
	}
	version, err := s.version(ctx, a.User, m.Room)
	if err != nil {
		return "", err
	}
	p, err := s.message(a, m, "send")
	if err != nil {
		return "", err
	}
	if p.content, err = version.Canonical(m.Content); err != nil {
		return "", err
	}
	return s.once(ctx, m.Room, p, func(tx *live.Tx, d *live.Draft) (*live.Event, error) {
		return s.append(tx, d, p)
	})
}

// check refuses what no client could show (IM-1). Of no other type is the content
// looked at.
func (m Message) check() error {
	if m.Type != typeMessage {
		return nil
	}
	for _, key := range []string{"msgtype", "body"} {
		if gjson.GetBytes(m.Content, key).Type != gjson.String {
			return mxerr.BadJSON("%s must be a string", key)
		}
	}
	return nil
}

// maySend refuses messages of suspended users, but where they can talk to
// administrators of the server (SEND-11, ADM-10).
func (s *Service) maySend(ctx context.Context, a Actor, id events.RoomID) error {
	refused := a.mayWrite()
	if refused == nil {
		return nil
	}
	r, err := s.Memory.Room(ctx, id)
	if err != nil {
		return refused
	}
	return s.Memory.View(ctx, func(v store.View) error {
		admins, err := v.AdminUsers()
		if err != nil {
			return err
		}
		if slices.ContainsFunc(admins, func(admin events.UserID) bool { return r.Membership(admin) == events.MembershipJoin }) {
			return nil
		}
		return refused
	})
}

// message is the proposal for a message, its content still to be set. path says
// what besides room and type tells transactions apart.
func (s *Service) message(a Actor, m Message, path string) (p proposal, err error) {
	p = proposal{sender: a.User, typ: m.Type}
	if a.Device == "" && a.Service != "" {
		path = "service/" + a.Service + "/" + path // TXN-4: no device tells two services of one user apart
	}
	if m.TxnID != "" {
		p.txn = store.Txn{Device: a.Device, ID: m.TxnID, Path: strings.Join([]string{path, string(m.Room), m.Type}, "/")}
	}
	p.ts, err = a.time(m.TS)
	return p, err
}

// once runs add unless the proposal's transaction has been sent before (TXN-1).
func (s *Service) once(ctx context.Context, room events.RoomID, p proposal, add func(*live.Tx, *live.Draft) (*live.Event, error)) (id events.EventID, err error) {
	err = s.Memory.Update(ctx, func(tx *live.Tx) error {
		if p.txn.ID != "" {
			sent, err := tx.SentBy(p.sender, p.txn)
			if id = sent; !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		d, err := draft(tx, p.sender, room)
		if err != nil {
			return err
		}
		e, err := add(tx, d)
		if err != nil {
			return err
		}
		id = e.ID
		return nil
	})
	return id, err
}
