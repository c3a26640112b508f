package sqlstore

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectEvent = `SELECT pos, room, id, json, device, txn, replaces, redacted_by FROM hs_events `

func scanEvent(r row) store.Event {
	return store.Event{
		Pos:        store.Pos(r.int(0)),
		Room:       store.RoomNum(r.int(1)),
		ID:         events.EventID(r.text(2)),
		JSON:       r.blob(3),
		Txn:        store.Txn{Device: r.text(4), ID: r.text(5)},
		Replaces:   store.Pos(r.int(6)),
		RedactedBy: store.Pos(r.int(7)),
	}
}

// Event implements store.Timeline.
func (v *view) Event(id events.EventID) (store.Event, error) {
	return one(v, scanEvent, selectEvent+`WHERE id = ?`, string(id))
}

// EventsAt implements store.Timeline.
func (v *view) EventsAt(positions []store.Pos) ([]store.Event, error) {
	sorted := slices.Clone(positions)
	slices.Sort(sorted)
	evs := make([]store.Event, 0, len(sorted))
	for args := range chunks(slices.Compact(sorted), func(p store.Pos) any { return int64(p) }) {
		err := v.query(selectEvent+`WHERE pos IN `+inChunk+` ORDER BY pos`,
			func(r row) { evs = append(evs, scanEvent(r)) }, args...)
		if err != nil {
			return nil, err
		}
	}
	return evs, nil
}

// TimelineBefore implements store.Timeline.
func (v *view) TimelineBefore(room store.RoomNum, from, after store.Pos, limit int) ([]store.Event, error) {
	return all(v, scanEvent, selectEvent+`WHERE room = ? AND pos <= ? AND pos > ? ORDER BY pos DESC LIMIT ?`,
		int64(room), int64(from), int64(after), int64(max(limit, 0)))
}

// TimelineAfter implements store.Timeline.
func (v *view) TimelineAfter(room store.RoomNum, from, until store.Pos, limit int) ([]store.Event, error) {
	return all(v, scanEvent, selectEvent+`WHERE room = ? AND pos > ? AND pos <= ? ORDER BY pos LIMIT ?`,
		int64(room), int64(from), int64(until), int64(max(limit, 0)))
}

// RoomsSince implements store.Timeline.
func (v *view) RoomsSince(pos store.Pos) ([]store.Room, error) {
	return all(v, scanRoom, selectRoom+`WHERE num IN (SELECT room FROM hs_events WHERE pos > ?) ORDER BY num`, int64(pos))
}

func scanMoment(r row) store.Moment { return store.Moment{TS: r.int(0), Pos: store.Pos(r.int(1))} }

// MomentsBefore implements store.Timeline.
func (v *view) MomentsBefore(room store.RoomNum, m store.Moment, limit int) ([]store.Moment, error) {
	return all(v, scanMoment, `SELECT ts, pos FROM hs_events WHERE room = ? AND (ts, pos) < (?, ?) ORDER BY ts DESC, pos DESC LIMIT ?`,
		int64(room), m.TS, int64(m.Pos), int64(max(limit, 0)))
}

// MomentsAfter implements store.Timeline.
func (v *view) MomentsAfter(room store.RoomNum, m store.Moment, limit int) ([]store.Moment, error) {
	return all(v, scanMoment, `SELECT ts, pos FROM hs_events WHERE room = ? AND (ts, pos) > (?, ?) ORDER BY ts, pos LIMIT ?`,
		int64(room), m.TS, int64(m.Pos), int64(max(limit, 0)))
}

// SentBy implements store.Timeline.
func (v *view) SentBy(user events.UserID, txn store.Txn) (events.EventID, error) {
	return one(v, text[events.EventID], `SELECT id FROM hs_events WHERE txn_key = ? AND device = ? AND txn = ?`,
		txnKey(user, txn), txn.Device, txn.ID)
}

// txnKey is what requests are found by: a hash, so that sender and path need
// not be stored and the index is small. Whoever finds two requests of their
// own that collide gets the answer to the other one.
func txnKey(user events.UserID, txn store.Txn) int64 {
	buf := make([]byte, 0, 256)
	for _, s := range [...]string{string(user), txn.Device, txn.Path, txn.ID} {
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		buf = append(buf, s...)
	}
	sum := sha256.Sum256(buf)
	return int64(binary.BigEndian.Uint64(sum[:])) //nolint:gosec // any 64 bits will do
}

var errReplaces = errors.New("the event to be replaced is not the current state of the key")

// Append implements store.TimelineWriter.
func (t *tx) Append(a store.Append) error {
	ev := a.Event
	var device, txn, key, replaces, typ, stateKey, member, ends any
	if a.Txn != (store.Txn{}) {
		device, txn, key = a.Txn.Device, a.Txn.ID, txnKey(ev.Sender, a.Txn)
	}
	if ev.StateKey != nil {
		typ, stateKey, member, ends = ev.Type, *ev.StateKey, integer(ev.Type == events.TypeMember), int64(store.MaxPos)
		if a.Replaces != 0 {
			replaces = int64(a.Replaces)
			if err := t.endState(a); err != nil {
				return err
			}
		}
	}
	_, err := t.exec(`INSERT INTO hs_events (pos, room, id, ts, device, txn, txn_key, type, state_key, member, replaces, ends, json)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(a.Pos), int64(a.Room), string(ev.ID), ev.TS, device, txn, key, typ, stateKey, member, replaces, ends, ev.Raw)
	if err != nil || ev.StateKey == nil {
		return err
	}
	switch ev.Type {
	case events.TypeMember:
		return t.putMember(a)
	case events.TypeCreate, events.TypeEncryption:
		return t.putKind(a)
	}
	return nil
}

// endState ends the interval of the state event that a takes the place of.
func (t *tx) endState(a store.Append) error {
	n, err := t.exec(`UPDATE hs_events SET ends = ? WHERE pos = ? AND room = ? AND type = ? AND state_key = ? AND ends = ?`,
		int64(a.Pos), int64(a.Replaces), int64(a.Room), a.Event.Type, *a.Event.StateKey, int64(store.MaxPos))
	if err == nil && n != 1 {
		t.c.fault = errReplaces
		return errReplaces
	}
	return err
}

// Redact implements store.TimelineWriter.
func (t *tx) Redact(pos store.Pos, redacted *events.Event, by store.Pos) error {
	return t.mustChange(`UPDATE hs_events SET json = ?, redacted_by = ? WHERE pos = ?`,
		redacted.Raw, int64(by), int64(pos))
}
