package pushers

import (
	"sync"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/bounded"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// maxAudience bounds how many members of rooms are remembered, with the rooms.
const maxAudience = 500_000

// audience knows who has pushers, in which rooms that matters, and where something
// has happened that they may have to be told of.
type audience struct {
	usersMu sync.RWMutex
	users   map[events.UserID]struct{} // those with pushers, and perhaps some who had
	added   int                        // counts the pushers that were added

	mu      sync.Mutex
	rooms   *bounded.Map[store.RoomNum, members]
	stirred map[events.RoomID]struct{} // with new events
	readers map[events.UserID]struct{} // who have read something
	spare   stir                       // the maps that are not in use
	working bool                       // somebody takes what there is
	closed  bool
}

// members are those of a room who have pushers.
type members struct {
	users []events.UserID
	asOf  store.Pos // of the room's newest member event
	added int       // as in audience
}

// stir is what has happened since it was looked at last.
type stir struct {
	rooms   map[events.RoomID]struct{}
	readers map[events.UserID]struct{}
}

func newStir() stir {
	return stir{map[events.RoomID]struct{}{}, map[events.UserID]struct{}{}}
}

func newAudience(users []events.UserID) *audience {
	a := &audience{users: make(map[events.UserID]struct{}, len(users)), spare: newStir()}
	a.rooms = bounded.New[store.RoomNum](maxAudience, func(m members) int { return 1 + len(m.users) })
	for _, u := range users {
		a.users[u] = struct{}{}
	}
	first := newStir()
	a.stirred, a.readers = first.rooms, first.readers
	return a
}

// has reports whether a user may have pushers.
func (a *audience) has(user events.UserID) bool {
	a.usersMu.RLock()
	defer a.usersMu.RUnlock()
	_, ok := a.users[user]
	return ok
}

// empty reports whether nobody has pushers.
func (a *audience) empty() bool {
	a.usersMu.RLock()
	defer a.usersMu.RUnlock()
	return len(a.users) == 0
}

// count returns how many pushers were added so far.
func (a *audience) count() int {
	a.usersMu.RLock()
	defer a.usersMu.RUnlock()
	return a.added
}

// add says that a user has one more pusher.
func (a *audience) add(user events.UserID) {
	a.usersMu.Lock()
	defer a.usersMu.Unlock()
	a.added++
	a.users[user] = struct{}{}
}

// remove says that users had no pushers when the count was what is given.
func (a *audience) remove(users []events.UserID, count int) {
	a.usersMu.Lock()
	defer a.usersMu.Unlock()
	if a.added == count {
		for _, u := range users {
			delete(a.users, u)
		}
	}
}

// note remembers that a room has a new event, unless it is known to concern nobody.
func (a *audience) note(r *live.Room, e *live.Event) {
	if a.empty() {
		return
	}
	if !a.concerns(r) && !(e.Type == events.TypeMember && e.IsState() && a.has(events.UserID(*e.StateKey))) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stirred[r.ID] = struct{}{}
}

// noteReader remembers that a user has read something.
func (a *audience) noteReader(user events.UserID) {
	if a.has(user) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.readers[user] = struct{}{}
	}
}

// concerns reports whether somebody in the room has pushers, or that is not known.
func (a *audience) concerns(r *live.Room) bool {
	known, ok := a.known(r)
	return !ok || len(known) > 0
}

// known returns those in a room who have pushers, if that is remembered.
func (a *audience) known(r *live.Room) ([]events.UserID, bool) {
	asOf, added := r.MembersChanged(), a.count()
	a.mu.Lock()
	defer a.mu.Unlock()
	m, ok := a.rooms.Get(r.Num)
	return m.users, ok && m.asOf == asOf && m.added == added
}

// of returns those in a room who have pushers.
func (a *audience) of(r *live.Room) []events.UserID {
	if users, ok := a.known(r); ok {
		return users
	}
	m := members{asOf: r.MembersChanged(), added: a.count()} // before it is looked at
	joined := r.Members(events.MembershipJoin)
	a.usersMu.RLock()
	for _, e := range joined {
		if _, ok := a.users[events.UserID(*e.StateKey)]; ok {
			m.users = append(m.users, events.UserID(*e.StateKey))
		}
	}
	a.usersMu.RUnlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rooms.Put(r.Num, m)
	return m.users
}

// begin reports whether there is something to take and nobody at it; the caller is
// from then on.
func (a *audience) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.working || len(a.stirred)+len(a.readers) == 0 {
		return false
	}
	a.working = true
	return true
}

// take returns what has happened; false if nothing has, and the caller is not at
// it any more. It is valid until the next call.
func (a *audience) take() (stir, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || len(a.stirred)+len(a.readers) == 0 {
		a.working = false
		return stir{}, false
	}
	taken := stir{a.stirred, a.readers}
	clear(a.spare.rooms)
	clear(a.spare.readers)
	a.stirred, a.readers = a.spare.rooms, a.spare.readers
	a.spare = taken
	return taken, true
}

// again notes once more what was taken.
func (a *audience) again(t stir) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range t.rooms {
		a.stirred[id] = struct{}{}
	}
	for id := range t.readers {
		a.readers[id] = struct{}{}
	}
}

// rest lets somebody else take what there is.
func (a *audience) rest() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.working = false
}

// close ends all of it.
func (a *audience) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
}
