package live

import (
	"context"
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Tx is a transaction of the store that keeps memory in step. Events must be
// appended through it and not through the store's own methods.
type Tx struct {
	store.Tx
	memory  *Memory
	drafts  []*Draft // of the rooms asked for
	changes []change // in the order made
}

// change is one thing to apply to memory after the commit.
type change struct {
	pos       store.Pos
	room      *Room
	event     *Event          // appended to room
	redacted  *Event          // pruned in room
	undo      undo            // of the room's draft
	user      events.UserID   // has something new
	forgotten bool            // the user has forgotten room
	deleted   bool            // room is not there any more
	receipts  bool            // room has new receipts, for the user or all
	related   bool            // an event of room is related to another one
	typing    func()          // makes who types in room what it is now
	presence  func()          // makes the presence of user what it is now
	rooms     []store.RoomNum // of the user; with presence
}

// Update runs fn as store.Update does, and applies to memory what it did.
func (m *Memory) Update(ctx context.Context, fn func(*Tx) error) error {
	return m.store.Update(ctx, func(stx store.Tx) error {
		tx := &Tx{Tx: stx, memory: m}
		defer func() { m.close(tx.drafts) }()
		return fn(tx)
	})
}

// note remembers a change for the commit.
func (tx *Tx) note(c change) {
	if len(tx.changes) == 0 {
		tx.OnCommit(func() { tx.memory.apply(tx.changes) })
		tx.OnRollback(func() { tx.memory.discard(tx.changes) })
	}
	tx.changes = append(tx.changes, c)
}

// UserChanged announces a change that concerns one user alone, such as their
// account data, at a position taken in this transaction.
func (tx *Tx) UserChanged(user events.UserID, pos store.Pos) {
	tx.note(change{user: user, pos: pos})
}

// ReceiptsChanged announces new receipts in a room, at a position taken in this
// transaction: to its members, or to one user alone.
func (tx *Tx) ReceiptsChanged(d *Draft, pos store.Pos, alone events.UserID) {
	tx.note(change{room: d.Room, user: alone, pos: pos, receipts: true})
}

// TypingChanged announces to the members of a room that it has changed who types
// there, at a position taken in this transaction. apply makes the change, together
// with the others of the transaction; it must be quick.
func (tx *Tx) TypingChanged(d *Draft, pos store.Pos, apply func()) {
	tx.note(change{room: d.Room, pos: pos, typing: apply})
}

// JoinedRooms returns the rooms that a user is in, from memory if they sync.
func (tx *Tx) JoinedRooms(user events.UserID) ([]store.RoomNum, error) {
	if u := tx.memory.users.find(user); u != nil {
		return u.joined(), nil
	}
	members, err := tx.RoomsOf(user)
	var rooms []store.RoomNum
	for _, m := range members {
		if m.Membership == events.MembershipJoin {
			rooms = append(rooms, m.Room)
		}
	}
	return rooms, err
}

// PresenceChanged announces a user's presence to the user and to the members of
// rooms, at a position taken in this transaction. apply makes the change; it must be
// quick.
func (tx *Tx) PresenceChanged(user events.UserID, rooms []store.RoomNum, pos store.Pos, apply func()) {
	tx.note(change{user: user, rooms: rooms, pos: pos, presence: apply})
}

// ForgetRoom marks a room as forgotten by a user. store.ErrNotFound if they
// never were in it.
func (tx *Tx) ForgetRoom(user events.UserID, d *Draft) error {
	if err := tx.Tx.ForgetRoom(user, d.Num); err != nil {
		return err
	}
	tx.note(change{room: d.Room, user: user, forgotten: true})
	return nil
}

// Room returns a room as this transaction sees it. store.ErrNotFound.
func (tx *Tx) Room(id events.RoomID) (*Draft, error) {
	d, err := tx.memory.draft(tx.Tx, id)
	if err != nil {
		return nil, err
	}
	tx.drafts = append(tx.drafts, d)
	if d.tip == nil {
		return nil, store.ErrNotFound
	}
	return d, nil
}

// CreateRoom adds an empty room, which exists from its first event on.
// store.ErrExists.
func (tx *Tx) CreateRoom(id events.RoomID, v *events.RoomVersion) (*Draft, error) {
	num, err := tx.Tx.CreateRoom(store.Room{ID: id, Version: v.ID})
	if err != nil {
		return nil, err
	}
	d := tx.memory.put(newRoom(num, id, v))
	tx.drafts = append(tx.drafts, d)
	return d, nil
}

// Append adds an event to a room and returns it with its position.
func (tx *Tx) Append(d *Draft, ev *events.Event, txn store.Txn) (*Event, error) {
	e := &Event{Event: ev, Txn: txn}
	if ev.IsState() {
		if old := d.StateEvent(ev.Type, *ev.StateKey); old != nil {
			e.Replaces, e.Prev = old.Pos, old.alone()
		}
	}
	e.Pos = tx.Next()
	err := tx.Tx.Append(store.Append{Pos: e.Pos, Room: d.Num, Event: ev, Txn: txn, Replaces: e.Replaces})
	if err != nil {
		return nil, err
	}
	tx.note(change{room: d.Room, event: e, pos: e.Pos, undo: d.append(e)})
	return e, nil
}

// Relate adds the relation of an event that this transaction has appended to d.
func (tx *Tx) Relate(d *Draft, r store.Relation) error {
	if err := tx.PutRelation(r); err != nil {
		return err
	}
	if r.Type != events.RelAnnotation {
		tx.note(change{room: d.Room, related: true, pos: r.Pos})
	}
	return nil
}

// Redact prunes an event of a room on behalf of a redaction that was appended
// before, and its relation with it (REDACT-12).
func (tx *Tx) Redact(d *Draft, target, redaction *Event) error {
	pruned, err := target.Redacted()
	if err != nil {
		return err
	}
	if err := tx.Tx.Redact(target.Pos, pruned, redaction.Pos); err != nil {
		return err
	}
	if err := tx.DeleteRelation(target.Pos); err != nil {
		return err
	}
	e := *target
	e.Event, e.RedactedBy, e.Because = pruned, redaction.Pos, redaction.alone()
	tx.note(change{room: d.Room, redacted: &e, pos: redaction.Pos, undo: d.redact(&e)})
	return nil
}

// ErrOtherRoom says that an event is not in the room where it was looked for.
var ErrOtherRoom = fmt.Errorf("event of another room: %w", store.ErrNotFound)

// Event returns an event of the room that the draft is of, by its ID.
// store.ErrNotFound; ErrOtherRoom, which is one too.
func (tx *Tx) Event(d *Draft, id events.EventID) (*Event, error) {
	row, err := tx.Tx.Event(id)
	if err != nil {
		return nil, err
	}
	if row.Room != d.Num {
		return nil, ErrOtherRoom
	}
	return Parse(d.Version, row)
}
