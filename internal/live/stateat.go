package live

import (
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// StateAt returns the state as it was right after a position, in no particular
// order and without members if members is false. It is false if memory does not
// reach back so far.
func (r *Room) StateAt(at store.Pos, members bool) ([]*Event, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.sketch && members {
		return nil, false
	}
	if at >= r.changed {
		return r.allState(members), true
	}
	if at < r.tailFrom {
		return nil, false
	}
	was := map[events.StateKey]*Event{} // nil: there was none
	for i := len(r.tail) - 1; i >= 0 && r.tail[i].Pos > at; i-- {
		e := r.tail[i]
		if !e.IsState() || e.Type == events.TypeMember && !members {
			continue
		}
		if e.Replaces != 0 && e.Prev == nil {
			return nil, false
		}
		was[events.StateKey{Type: e.Type, Key: *e.StateKey}] = e.Prev
	}
	out := r.allState(members)
	kept := out[:0]
	for _, e := range out {
		if old, ok := was[events.StateKey{Type: e.Type, Key: *e.StateKey}]; ok {
			e = old
		}
		if e != nil {
			kept = append(kept, e)
		}
	}
	return kept, true
}

// StateEventAt returns the state event of a key as it was right after a
// position, or nil. It is false if memory does not reach back so far.
func (r *Room) StateEventAt(at store.Pos, typ, key string) (*Event, bool) {
	e := r.StateEvent(typ, key)
	if e == nil && r.sketch && typ == events.TypeMember {
		return nil, false
	}
	for e != nil && e.Pos > at {
		if e.Replaces != 0 && e.Prev == nil {
			return nil, false
		}
		e = e.Prev
	}
	return e, true
}

// StateChanges returns for each key whose state changed with from < Pos <= until
// the last such change, oldest first. It is false if memory does not reach back so
// far.
func (r *Room) StateChanges(from, until store.Pos) ([]*Event, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.changed <= from && !r.sketch {
		return nil, true
	}
	if from < r.tailFrom {
		return nil, false
	}
	var out []*Event
	seen := map[events.StateKey]bool{}
	for i := len(r.tail) - 1; i >= 0 && r.tail[i].Pos > from; i-- {
		e := r.tail[i]
		if e.Pos > until || !e.IsState() {
			continue
		}
		if key := (events.StateKey{Type: e.Type, Key: *e.StateKey}); !seen[key] {
			seen[key] = true
			out = append(out, e)
		}
	}
	slices.Reverse(out)
	return out, true
}
