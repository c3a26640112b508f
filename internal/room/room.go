// Package room is the service for what is done in rooms: creating them, changing
// who is in them, sending and redacting events, setting state, naming and listing
// them, and serving what they hold to those who may see it (package reader
// decides that).
//
// Its methods are called by the HTTP handlers and by the host's Go code alike.
// They return *mxerr.Error, or an error of package events, for what the
// specification wants refused; any other error is a fault. All of them may be
// called at once and from any goroutine.
//
// # How an event is made
//
// Everything that can be done without knowing the room's state is done first:
// decoding, canonical JSON, looking at the shape of the content. The rest happens
// inside one closure of [live.Memory.Update]: the room is read as the transaction
// sees it, the event is linked to the newest one and to those that authorise it,
// the authorisation rules of its room version are asked, and it is appended
// ([Service.append]). So each room has one linear history (EVT-20), and nothing can
// change between the check and the write.
//
// Checks come before the first write of a closure wherever possible: a refusal
// after a write makes the store undo and repeat the work of its neighbours.
//
// # How rooms end
//
// A room stays when everybody has left it. Only if the host wants it is one deleted that
// all have forgotten (deletion.go): first it is not there any more, in one transaction,
// and then what was said in it goes bit by bit.
package room

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/appservice"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// Config is what the service needs. All fields are required but the last three.
type Config struct {
	Memory *live.Memory
	Reader *reader.Reader
	Server events.ServerName
	Now    func() time.Time
	// DefaultVersion is the version of new rooms (CREATE-2, RVER-2).
	DefaultVersion *events.RoomVersion
	Typing         Typing
	RoomRules      RoomRules
	// Reports takes what users report to whoever looks at it. An error goes to
	// the reporter: nobody has heard them (REP-6).
	Reports func(context.Context, Report) error
	// Notices is who notices of the server come from, empty if there are none,
	// and NoticesName what the rooms for them are called.
	Notices     events.UserID
	NoticesName string
	// InviteKeys knows the keys of third-party invites; nil: none that somebody
	// would have to be asked about is valid.
	InviteKeys InviteKeys
	// Forgetting is what becomes of rooms that people have left; the zero value: what
	// they do about it.
	Forgetting Forgetting
	// Services are the application services; nil: there are none.
	Services *appservice.Registry
}

// Typing knows who is typing.
type Typing interface {
	// Stop ends a user's typing in a room, if they do.
	Stop(tx *live.Tx, d *live.Draft, user events.UserID) error
}

// Service is the service for rooms.
type Service struct{ Config }

// New makes the service. It starts nothing that would have to be stopped.
func New(cfg Config) *Service { return &Service{cfg} }

// Actor is a user who does something, and by which means.
type Actor struct {
	User      events.UserID
	Device    string // sees its own transaction IDs; "" for the host
	Guest     bool
	Suspended bool
	// Service is the ID of the application service that does it, if any: such choose
	// origin_server_ts (STATE-15), and have aliases of their own (ASC-7).
	Service string
}

// time returns the origin_server_ts of what the actor sends, in milliseconds, where
// the client has asked for ts; 0: now.
func (a Actor) time(ts int64) (int64, error) {
	if a.Service == "" {
		return 0, nil
	}
	if ts < 0 || ts > maxTime {
		return 0, mxerr.InvalidParam("ts", "is not a time") // ASC-6
	}
	return ts, nil
}

// maxTime is the largest integer of canonical JSON.
const maxTime = 1<<53 - 1

// mayWrite refuses what suspended users must not do (SEND-11).
func (a Actor) mayWrite() error {
	if a.Suspended {
		return mxerr.UserSuspended("your account is suspended")
	}
	return nil
}

// version returns the version of a room that a user wants to write to, which
// never changes. Rooms that do not exist are refused like those the user is not in
// (SEND-3).
func (s *Service) version(ctx context.Context, user events.UserID, id events.RoomID) (*events.RoomVersion, error) {
	r, err := s.Memory.Room(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notInRoom(user, id)
	}
	if err != nil {
		return nil, err
	}
	return r.Version, nil
}

// draft opens a room inside a transaction; see version.
func draft(tx *live.Tx, user events.UserID, id events.RoomID) (*live.Draft, error) {
	d, err := tx.Room(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notInRoom(user, id)
	}
	return d, err
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

func notInRoom(user events.UserID, id events.RoomID) error {
	return mxerr.Forbidden("%s is not in room %s", user, id)
}

// proposal is an event that somebody wants to be added to a room.
type proposal struct {
	sender   events.UserID
	typ      string
	stateKey *string
	content  []byte         // canonical JSON object
	redacts  events.EventID // of a redaction
	ts       int64          // milliseconds; 0: now
	txn      store.Txn
}

// append makes the next event of a room and adds it if the authorisation rules
// allow.
func (s *Service) append(tx *live.Tx, d *live.Draft, p proposal) (*live.Event, error) {
	e, err := s.next(d, p)
	if err != nil {
		return nil, err
	}
	return s.add(tx, d, e, p.txn)
}

// add adds an event to a room, and keeps true what else is known of it.
func (s *Service) add(tx *live.Tx, d *live.Draft, e *events.Event, txn store.Txn) (*live.Event, error) {
	related, err := relation(tx, d, e)
	if err != nil {
		return nil, err
	}
	added, err := tx.Append(d, e, txn)
	if err != nil {
		return nil, err
	}
	if related != nil {
		related.Pos = added.Pos
		if err := tx.Relate(d, *related); err != nil {
			return nil, err
		}
	}
	if err := reopen(tx, d, added); err != nil {
		return nil, err
	}
	if err := relist(tx, d, added); err != nil {
		return nil, err
	}
	if text, ok := indexed(d, added); ok {
		if err := tx.PutText(text); err != nil {
			return nil, err
		}
	}
	return added, s.stopTyping(tx, d, e)
}

// stopTyping ends the typing of who has sent a message or left (TYP-4, SEND-10).
func (s *Service) stopTyping(tx *live.Tx, d *live.Draft, e *events.Event) error {
	switch {
	case !e.IsState():
		return s.Typing.Stop(tx, d, e.Sender)
	case e.Type == events.TypeMember && e.Membership() != events.MembershipJoin:
		return s.Typing.Stop(tx, d, events.UserID(*e.StateKey))
	}
	return nil
}

// next makes the next event of a room if the authorisation rules allow it, without
// adding it.
func (s *Service) next(d *live.Draft, p proposal) (*events.Event, error) {
	e, err := s.build(d, p)
	if err != nil {
		return nil, err
	}
	return e, events.Check(e, d)
}

// build makes the next event of a room (EVT-17 to EVT-20).
func (s *Service) build(d *live.Draft, p proposal) (*events.Event, error) {
	draft := events.Draft{
		Room: d.ID, Sender: p.sender, Type: p.typ, StateKey: p.stateKey, Content: p.content,
		TS: p.ts, Depth: 1, Redacts: p.redacts,
	}
	if draft.TS == 0 {
		draft.TS = s.Now().UnixMilli()
	}
	if tip := d.Tip(); tip != nil {
		draft.Depth = d.Version.NextDepth(tip.Depth)
		draft.PrevEvents = []events.Ref{ref(tip.Event)}
	} else if d.Version.HashRoomID {
		draft.Room = ""
	}
	for _, key := range events.AuthKeys(d.Version, p.typ, p.sender, p.stateKey, p.content) {
		if e := d.Event(key.Type, key.Key); e != nil {
			draft.AuthEvents = append(draft.AuthEvents, ref(e))
		}
	}
	return d.Version.Build(draft, s.Server, rand.Text)
}

func ref(e *events.Event) events.Ref {
	r := events.Ref{ID: e.ID}
	if e.Version.EventIDFormat == events.IDOpaque {
		r.Hash = e.ReferenceHash()
	}
	return r
}
