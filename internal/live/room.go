package live

import (
	"sort"
	"sync"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// tailMax is how many of its newest events a room keeps, tailLoad how many are
// read when it is loaded: enough for the timelines that clients ask for.
const (
	tailMax  = 64
	tailLoad = 24
)

// Room is the committed truth about one room. Its methods are safe for
// concurrent use; what they return is immutable.
type Room struct {
	Num     store.RoomNum
	ID      events.RoomID
	Version *events.RoomVersion

	mu         sync.RWMutex
	state      map[events.StateKey]*Event // without members
	members    map[string]*Event          // m.room.member by state key
	count      map[string]int             // members by membership
	heroes     []*Event                   // nil: not known; see Heroes
	visibility []VisibilitySince
	tail       []*Event  // the newest events, oldest first
	tailFrom   store.Pos // tail has every event after this position
	newest     store.Pos // position of the newest event; 0: not committed yet
	changed    store.Pos // position of the newest state event or redaction of one
	regrouped  store.Pos // position of the newest member event
	receipts   store.Pos // position of the newest receipt
	related    store.Pos // position of the newest event with a relation
	bump       store.Pos // see Bump; 0: not known
	size       int       // rough bytes, maintained by the writer
	sketch     bool      // only some of the members are here; see Memory.Sketch

	draft *Draft // of the transaction under way; its content is the writer's own, the field of Memory.mu
}

// VisibilitySince says what m.room.history_visibility became at a position.
type VisibilitySince struct {
	Pos   store.Pos
	Value events.Visibility
}

// newRoom makes an empty room: one without history, visible as "shared"
// (VIS-2).
func newRoom(num store.RoomNum, id events.RoomID, v *events.RoomVersion) *Room {
	return &Room{
		Num: num, ID: id, Version: v,
		state:      map[events.StateKey]*Event{},
		members:    map[string]*Event{},
		count:      map[string]int{},
		visibility: []VisibilitySince{{Value: events.VisibilityShared}},
		size:       1000,
	}
}

// Newest is the position of the newest event.
func (r *Room) Newest() store.Pos {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.newest
}

// StateChanged is the position of the newest change of the state. A reader who
// wants the state as of an earlier position has to ask the store.
func (r *Room) StateChanged() store.Pos {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.changed
}

// MembersChanged is the position of the newest member event.
func (r *Room) MembersChanged() store.Pos {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.regrouped
}

// ReceiptsChanged is the position of the newest receipt; 0 if there is none.
func (r *Room) ReceiptsChanged() store.Pos {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.receipts
}

func (r *Room) receiptsAdded(pos store.Pos) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.receipts = max(r.receipts, pos)
}

// Related is the position of the newest event that is related to an earlier one by
// anything but an annotation; 0 if there is none. No event from there on has
// anything to be told of with it.
func (r *Room) Related() store.Pos {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.related
}

func (r *Room) relationAdded(pos store.Pos) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.related = max(r.related, pos)
}

// StateEvent returns the current state event of a key, or nil.
func (r *Room) StateEvent(typ, key string) *Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.stateEvent(typ, key)
}

func (r *Room) stateEvent(typ, key string) *Event {
	if typ == events.TypeMember {
		return r.members[key]
	}
	return r.state[events.StateKey{Type: typ, Key: key}]
}

// Event is StateEvent in the form that package events wants (events.State).
func (r *Room) Event(typ, key string) *events.Event {
	if e := r.StateEvent(typ, key); e != nil {
		return e.Event
	}
	return nil
}

// Member returns a user's member event, or nil if they never had one.
func (r *Room) Member(user events.UserID) *Event {
	return r.StateEvent(events.TypeMember, string(user))
}

// Membership returns a user's membership; "leave" if there is no member event.
func (r *Room) Membership(user events.UserID) string {
	if e := r.Member(user); e != nil {
		return e.Membership()
	}
	return events.MembershipLeave
}

// State returns the current state, in no particular order and without members
// if members is false.
func (r *Room) State(members bool) []*Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.allState(members)
}

func (r *Room) allState(members bool) []*Event {
	n := len(r.state)
	if members {
		n += len(r.members)
	}
	out := make([]*Event, 0, n)
	for _, e := range r.state {
		out = append(out, e)
	}
	if members {
		for _, e := range r.members {
			out = append(out, e)
		}
	}
	return out
}

// Members returns the member events whose membership is one of those given, in
// no particular order.
func (r *Room) Members(memberships ...string) []*Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := 0
	for _, m := range memberships {
		n += r.count[m]
	}
	out := make([]*Event, 0, n)
	for _, e := range r.members {
		for _, m := range memberships {
			if e.Membership() == m {
				out = append(out, e)
				break
			}
		}
	}
	return out
}

// Count returns how many members have a membership.
func (r *Room) Count(membership string) int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.count[membership]
}

// heroesMax is one more than a summary shows, for the reader who is not among
// their own heroes.
const heroesMax = 6

// Heroes returns the first joined or invited members in the order of their
// member events, or the first who left or are banned if there is nobody else:
// at most five, without the user asking (SYNC-35).
func (r *Room) Heroes(without events.UserID) []*Event {
	r.mu.RLock()
	heroes := r.heroes
	r.mu.RUnlock()
	if heroes == nil {
		heroes = r.findHeroes()
	}
	present, gone := make([]*Event, 0, heroesMax), make([]*Event, 0, heroesMax)
	for _, e := range heroes {
		if *e.StateKey == string(without) {
			continue
		}
		switch e.Membership() {
		case events.MembershipJoin, events.MembershipInvite:
			present = append(present, e)
		default:
			gone = append(gone, e)
		}
	}
	if len(present) == 0 {
		present = gone
	}
	return present[:min(len(present), heroesMax-1)]
}

// findHeroes picks the candidates for Heroes: the first of those present and
// the first of those gone.
func (r *Room) findHeroes() []*Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	present, gone := []*Event{}, []*Event{}
	for _, e := range r.members {
		switch e.Membership() {
		case events.MembershipJoin, events.MembershipInvite:
			present = firstEvents(present, e)
		case events.MembershipLeave, events.MembershipBan:
			gone = firstEvents(gone, e)
		}
	}
	r.heroes = append(present, gone...)
	return r.heroes
}

// firstEvents inserts e into a list ordered by position that keeps the first
// heroesMax.
func firstEvents(list []*Event, e *Event) []*Event {
	i := sort.Search(len(list), func(i int) bool { return list[i].Pos > e.Pos })
	if i >= heroesMax {
		return list
	}
	list = append(list, nil)
	copy(list[i+1:], list[i:])
	list[i] = e
	return list[:min(len(list), heroesMax)]
}

// Visibility returns how the history visibility changed, oldest first; the
// first entry has position 0.
func (r *Room) Visibility() []VisibilitySince {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.visibility[:len(r.visibility):len(r.visibility)]
}

// Tail returns the newest events with after < Pos <= until, at most limit,
// oldest first. It is false if memory does not reach back far enough to answer.
func (r *Room) Tail(after, until store.Pos, limit int) ([]*Event, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	hi := sort.Search(len(r.tail), func(i int) bool { return r.tail[i].Pos > until })
	lo := sort.Search(hi, func(i int) bool { return r.tail[i].Pos > after })
	if hi-lo > limit {
		lo = hi - limit
	} else if hi-lo < limit && after < r.tailFrom {
		return nil, false
	}
	return append([]*Event(nil), r.tail[lo:hi]...), true
}

// TailAfter returns the oldest events with after < Pos <= until, at most limit,
// oldest first. It is false if memory does not reach back far enough to answer.
func (r *Room) TailAfter(after, until store.Pos, limit int) ([]*Event, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if after < r.tailFrom {
		return nil, false
	}
	lo := sort.Search(len(r.tail), func(i int) bool { return r.tail[i].Pos > after })
	hi := sort.Search(len(r.tail), func(i int) bool { return r.tail[i].Pos > until })
	return append([]*Event(nil), r.tail[lo:max(lo, min(hi, lo+limit))]...), true
}
