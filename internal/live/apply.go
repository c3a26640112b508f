package live

import (
	"cmp"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// append adds a committed event to the room and returns by how many bytes it
// grew.
func (r *Room) append(e *Event) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.size
	r.newest = e.Pos
	if len(r.tail) == tailMax {
		half := tailMax / 2
		for _, old := range r.tail[:half] {
			r.size -= old.weight()
		}
		r.tailFrom = r.tail[half-1].Pos
		r.tail = slices.Clone(r.tail[half:])
	}
	r.tail = append(r.tail, e)
	r.size += e.weight()
	if Bumps(e.Type) {
		r.bump = e.Pos
	}
	if e.IsState() {
		r.setState(e)
	}
	return r.size - before
}

// setState makes e the current state of its key. r.mu is held, or r is not
// shared yet.
func (r *Room) setState(e *Event) {
	key := *e.StateKey
	if old := r.stateEvent(e.Type, key); old != nil {
		r.size -= old.weight()
		if e.Type == events.TypeMember {
			r.count[old.Membership()]--
		}
	}
	r.size += e.weight()
	r.changed = max(r.changed, e.Pos)
	if e.Type == events.TypeMember {
		r.members[key] = e
		r.regrouped = max(r.regrouped, e.Pos)
		r.count[e.Membership()]++
		r.heroes = nil
		return
	}
	r.state[events.StateKey{Type: e.Type, Key: key}] = e
	if e.Type == events.TypeHistoryVisibility && key == "" {
		r.visibility = append(r.visibility[:len(r.visibility):len(r.visibility)],
			VisibilitySince{Pos: e.Pos, Value: e.Visibility()})
	}
}

// redact puts the pruned form of an event wherever the room holds the whole
// one (REDACT-9).
func (r *Room) redact(pruned *Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	swap := func(e *Event) *Event {
		switch {
		case e.Pos == pruned.Pos:
			c := *pruned
			c.Prev = e.Prev
			return &c
		case e.Prev != nil && e.Prev.Pos == pruned.Pos:
			return e.Linked(pruned, nil)
		case e.Because != nil && e.Because.Pos == pruned.Pos: // its reason goes (REDACT-11)
			return e.Linked(nil, pruned)
		}
		return e
	}
	for i, e := range r.tail {
		r.tail[i] = swap(e)
	}
	if pruned.Type == events.TypeRedaction { // seldom enough to look everywhere
		for k, e := range r.state {
			r.state[k] = swap(e)
		}
		for k, e := range r.members {
			r.members[k] = swap(e)
		}
	}
	if !pruned.IsState() {
		return
	}
	r.changed = max(r.changed, pruned.RedactedBy)
	key := *pruned.StateKey
	if pruned.Type == events.TypeMember {
		if e := r.members[key]; e != nil {
			r.members[key] = swap(e)
			r.heroes = nil
		}
		return
	}
	k := events.StateKey{Type: pruned.Type, Key: key}
	if e := r.state[k]; e != nil {
		r.state[k] = swap(e)
	}
}

// load reads a room from the store.
func load(v store.View, row store.Room) (*Room, error) {
	r, err := loadBut(v, row, tailLoad)
	if err != nil {
		return nil, err
	}
	return r, r.loadState(v, true)
}

// loadBut reads all of a room but the state, with so many of the newest events.
func loadBut(v store.View, row store.Room, tail int) (*Room, error) {
	version, ok := events.LookupVersion(row.Version)
	if !ok {
		return nil, &UnknownVersionError{Room: row.ID, Version: row.Version}
	}
	r := newRoom(row.Num, row.ID, version)
	if err := r.loadTail(v, tail); err != nil {
		return nil, err
	}
	var err error
	if r.receipts, err = v.ReceiptsChanged(row.Num); err != nil {
		return nil, err
	}
	r.related, err = v.NewestRelation(row.Num)
	return r, err
}

func (r *Room) loadTail(v store.View, limit int) error {
	rows, err := v.TimelineBefore(r.Num, store.MaxPos, 0, limit)
	if err != nil {
		return err
	}
	slices.Reverse(rows)
	if r.tail, err = ParseAll(r.Version, rows); err != nil {
		return err
	}
	if err := Link(v, r.Version, r.tail); err != nil {
		return err
	}
	for _, e := range r.tail {
		r.size += e.weight()
		if Bumps(e.Type) {
			r.bump = e.Pos
		}
	}
	if n := len(r.tail); n > 0 {
		r.newest = r.tail[n-1].Pos
		if n == limit {
			r.tailFrom = r.tail[0].Pos - 1
		}
	}
	return nil
}

// loadState reads the current state, with the members or without, and how the
// visibility became what it is. What is in the tail too is the same copy there.
func (r *Room) loadState(v store.View, members bool) error {
	rows, err := v.StateAt(r.Num, store.MaxPos, members)
	if err != nil {
		return err
	}
	r.members = make(map[string]*Event, len(rows))
	var rest []*Event
	for _, row := range rows {
		e := r.inTail(row.Pos)
		if e == nil {
			if e, err = Parse(r.Version, row); err != nil {
				return err
			}
		}
		// Members are linked when they are asked for: they are many, and what they
		// replaced is seldom of interest.
		if e.Type == events.TypeMember {
			r.setState(e)
		} else {
			rest = append(rest, e)
		}
	}
	if err := Link(v, r.Version, rest); err != nil {
		return err
	}
	for _, e := range rest {
		r.setState(e)
	}
	return r.loadVisibility(v)
}

// inTail returns the event of the tail at a position, or nil.
func (r *Room) inTail(pos store.Pos) *Event {
	i, ok := slices.BinarySearchFunc(r.tail, pos, func(e *Event, p store.Pos) int { return cmp.Compare(e.Pos, p) })
	if !ok {
		return nil
	}
	return r.tail[i]
}

// loadVisibility reads how the visibility changed before it became what setState has
// found, if it did.
func (r *Room) loadVisibility(v store.View) error {
	current := r.stateEvent(events.TypeHistoryVisibility, "")
	if current == nil || current.Replaces == 0 {
		return nil
	}
	history, err := v.StateHistory(r.Num, events.StateKey{Type: events.TypeHistoryVisibility})
	if err != nil {
		return err
	}
	r.visibility = r.visibility[:1:1]
	for _, interval := range history {
		e, err := Parse(r.Version, interval.Event)
		if err != nil {
			return err
		}
		r.visibility = append(r.visibility, VisibilitySince{Pos: interval.From, Value: e.Visibility()})
	}
	return nil
}

// UnknownVersionError says that the store has a room of a version that this
// library does not implement (RVER-5).
type UnknownVersionError struct {
	Room    events.RoomID
	Version string
}

// Error implements error.
func (e *UnknownVersionError) Error() string {
	return "room " + string(e.Room) + " has unsupported version " + e.Version
}
