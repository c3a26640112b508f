package live

import (
	"github.com/ca4c8834/homeserver/events"
)

// Draft is a room as the transaction under way sees it: the committed room
// with what earlier closures of the transaction, and this one, have added. It
// is only valid inside the closure. It implements events.State.
type Draft struct {
	*Room
	tip     *Event
	state   map[events.StateKey]*Event // changed by the transaction
	pending int                        // changes that are neither applied nor discarded
}

// openDraft returns the draft of the transaction under way, beginning it if
// need be. Memory.mu is held.
func (r *Room) openDraft() *Draft {
	if r.draft == nil {
		r.draft = &Draft{Room: r}
		if n := len(r.tail); n > 0 {
			r.draft.tip = r.tail[n-1]
		}
	}
	return r.draft
}

// Tip is the newest event; nil in a room just made.
func (d *Draft) Tip() *Event { return d.tip }

// StateEvent returns the state event of a key, or nil.
func (d *Draft) StateEvent(typ, key string) *Event {
	if e, ok := d.state[events.StateKey{Type: typ, Key: key}]; ok {
		return e
	}
	return d.stateEvent(typ, key)
}

// Event implements events.State.
func (d *Draft) Event(typ, key string) *events.Event {
	if e := d.StateEvent(typ, key); e != nil {
		return e.Event
	}
	return nil
}

// Member returns a user's member event, or nil.
func (d *Draft) Member(user events.UserID) *Event {
	return d.StateEvent(events.TypeMember, string(user))
}

// Membership returns a user's membership; "leave" if there is no member event.
func (d *Draft) Membership(user events.UserID) string {
	if e := d.Member(user); e != nil {
		return e.Membership()
	}
	return events.MembershipLeave
}

// State returns the current state, in no particular order and without members if
// members is false.
func (d *Draft) State(members bool) []*Event {
	out := d.allState(members)
	for i, e := range out {
		if changed, ok := d.state[events.StateKey{Type: e.Type, Key: *e.StateKey}]; ok {
			out[i] = changed
		}
	}
	for key, e := range d.state {
		if d.stateEvent(key.Type, key.Key) == nil && (members || key.Type != events.TypeMember) {
			out = append(out, e)
		}
	}
	return out
}

// Count returns how many members have a membership.
func (d *Draft) Count(membership string) int {
	n := d.Room.Count(membership)
	for key, e := range d.state {
		if key.Type != events.TypeMember {
			continue
		}
		if was := d.members[key.Key]; was != nil && was.Membership() == membership {
			n--
		}
		if e.Membership() == membership {
			n++
		}
	}
	return n
}

// Joined calls f for every joined member, in no particular order, until it
// returns false.
func (d *Draft) Joined(f func(*Event) bool) {
	for key, e := range d.members {
		if changed, ok := d.state[events.StateKey{Type: events.TypeMember, Key: key}]; ok {
			e = changed
		}
		if e.Membership() == events.MembershipJoin && !f(e) {
			return
		}
	}
	for key, e := range d.state {
		if _, before := d.members[key.Key]; key.Type == events.TypeMember && !before &&
			e.Membership() == events.MembershipJoin && !f(e) {
			return
		}
	}
}

// undo is how the draft was before a change.
type undo struct {
	tip   *Event
	key   events.StateKey // set by the change; zero: none
	state *Event          // what the draft had there; nil: nothing
}

func (d *Draft) append(e *Event) undo {
	u := undo{tip: d.tip}
	d.tip = e
	if e.IsState() {
		d.set(e, &u)
	}
	d.pending++
	return u
}

func (d *Draft) set(e *Event, u *undo) {
	if d.state == nil {
		d.state = map[events.StateKey]*Event{}
	}
	u.key = events.StateKey{Type: e.Type, Key: *e.StateKey}
	u.state = d.state[u.key]
	d.state[u.key] = e
}

// redact puts the pruned form where the draft would show the whole one.
func (d *Draft) redact(pruned *Event) undo {
	u := undo{tip: d.tip}
	d.pending++
	if d.tip.Pos == pruned.Pos {
		d.tip = pruned
	}
	if !pruned.IsState() {
		return u
	}
	current := d.StateEvent(pruned.Type, *pruned.StateKey)
	switch {
	case current == nil:
	case current.Pos == pruned.Pos:
		c := *pruned
		c.Prev = current.Prev
		d.set(&c, &u)
	case current.Prev != nil && current.Prev.Pos == pruned.Pos:
		d.set(current.Linked(pruned, nil), &u)
	}
	return u
}

// undo takes the newest change back.
func (d *Draft) undo(u undo) {
	d.tip = u.tip
	switch {
	case u.key == events.StateKey{}:
	case u.state == nil:
		delete(d.state, u.key)
	default:
		d.state[u.key] = u.state
	}
	d.pending--
}
