package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// The rows of state events are those with a type. An event is the state at a
// position if pos <= at and at < ends, and a key has exactly one of them or
// none, since intervals of a key do not overlap: the one that ends first after
// the position, if it has begun.

// StateAt implements store.State.
func (v *view) StateAt(room store.RoomNum, at store.Pos, members bool) ([]store.Event, error) {
	// The + keeps SQLite from walking all state there ever was, by position.
	return all(v, scanEvent, selectEvent+`WHERE type IS NOT NULL AND room = ? AND member IN (0, ?) AND ends > ? AND +pos <= ?`,
		int64(room), integer(members), bound(at), bound(at))
}

// bound makes a position comparable with ends, which is MaxPos for ever.
func bound(at store.Pos) int64 { return int64(min(at, store.MaxPos-1)) }

// StateEventAt implements store.State.
func (v *view) StateEventAt(room store.RoomNum, at store.Pos, key events.StateKey) (store.Event, error) {
	ev, err := one(v, scanEvent, selectEvent+`WHERE room = ? AND type = ? AND state_key = ? AND ends > ? ORDER BY ends LIMIT 1`,
		int64(room), key.Type, key.Key, bound(at))
	if err == nil && ev.Pos > at {
		return store.Event{}, store.ErrNotFound
	}
	return ev, err
}

// StateEventsAt implements store.State.
func (v *view) StateEventsAt(room store.RoomNum, at store.Pos, keys []events.StateKey) ([]store.Event, error) {
	state := make([]store.Event, 0, len(keys))
	for pairs, args := range pairChunks(keys) {
		args = append(args, int64(room), bound(at), bound(at))
		err := v.query(`WITH k (type, state_key) AS (`+pairs+`)
			SELECT e.pos, e.room, e.id, e.json, e.device, e.txn, e.replaces, e.redacted_by FROM k CROSS JOIN hs_events e
			ON e.pos = (SELECT s.pos FROM hs_events s WHERE s.room = ? AND s.type = k.type AND s.state_key = k.state_key AND s.ends > ?
				ORDER BY s.ends LIMIT 1) AND e.pos <= ?`,
			func(r row) { state = append(state, scanEvent(r)) }, args...)
		if err != nil {
			return nil, err
		}
	}
	return state, nil
}

// StateChanges implements store.State.
func (v *view) StateChanges(room store.RoomNum, from, until store.Pos) ([]store.Event, error) {
	return all(v, scanEvent, selectEvent+`WHERE room = ? AND type IS NOT NULL AND pos > ? AND pos <= ? AND ends > ? ORDER BY pos`,
		int64(room), int64(from), bound(until), bound(until))
}

// StateHistory implements store.State.
func (v *view) StateHistory(room store.RoomNum, key events.StateKey) ([]store.Interval, error) {
	return all(v, func(r row) store.Interval {
		ev := scanEvent(r)
		return store.Interval{From: ev.Pos, To: store.Pos(r.int(8)), Event: ev}
	}, `SELECT pos, room, id, json, device, txn, replaces, redacted_by, ends FROM hs_events
		WHERE room = ? AND type = ? AND state_key = ? ORDER BY ends`, int64(room), key.Type, key.Key)
}
