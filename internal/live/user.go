package live

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// User is someone who syncs. Its methods are safe for concurrent use.
type User struct {
	ID events.UserID
	// From is the position at which memory began to follow the user: what is no
	// change of a room or of the user's own is not known for before.
	From store.Pos

	mu      sync.Mutex
	rooms   map[store.RoomNum]*place
	newest  *place        // head of the list of places, the latest change first
	changed store.Pos     // newest change that has been announced, but for presence
	own     store.Pos     // newest change of what is the user's alone
	devices store.Pos     // newest change of the devices of those they share rooms with
	wake    chan struct{} // closed by the next announcement of one; nil while nobody waits

	forgets  int  // how often a room was forgotten
	receipts bool // receipts from before From count as changes

	dirty store.Pos // newest change that is not announced yet; the writer's own

	presence presenceNews

	memo    any       // what a reader has made of the user's own
	memoFor store.Pos // of when

	// Of users.mu.
	connections int
	idleSince   time.Time     // when the last connection went
	idle        *list.Element // nil: connected
}

// presenceNews is about the presence of those a user shares rooms with.
type presenceNews struct {
	newest    store.Pos
	announced store.Pos
	dirty     store.Pos     // newest that is not announced yet; the writer's own
	wake      chan struct{} // as User.wake
}

// place is a room that the user has something to do with.
type place struct {
	RoomChange
	joined     bool // in users.byRoom; the writer's own
	been       bool // the user was joined at some time; likewise
	prev, next *place
}

// RoomChange says when a room last changed for a user, and what it is to them.
type RoomChange struct {
	Num store.RoomNum
	ID  events.RoomID
	Pos store.Pos
	// Event is the position of the newest event that is for the user: in a room
	// that they are not in, of their own member event.
	Event      store.Pos
	Membership string
	// Removed says that the user was in the room and somebody else has put an
	// end to it.
	Removed bool
	// Forgotten says that the user has left the room and does not want to be
	// reminded of it.
	Forgotten bool
	// RoomType and Encrypted are the room's, as of when the user joined or was
	// asked in if they have not been in the room since.
	RoomType  string
	Encrypted bool
}

// RoomsSince returns the rooms that changed for the user after a position, the
// latest first. For a room the user has left, the leaving is the last change. The
// position is 0 or not before the one given to Connect.
func (u *User) RoomsSince(pos store.Pos) []RoomChange {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for p := u.newest; p != nil && p.Pos > pos; p = p.next {
		n++
	}
	if n == 0 {
		return nil
	}
	out := make([]RoomChange, 0, n)
	for p := u.newest; len(out) < n; p = p.next {
		out = append(out, p.RoomChange)
	}
	return out
}

// Shares reports whether a user is in a room with another one. It is not known of those
// who have not synced for some time.
func (m *Memory) Shares(u *User, other events.UserID) (shares, known bool) {
	o := m.users.find(other)
	if o == nil || o == u {
		return o == u, o != nil
	}
	first, second := u, o
	if second.ID < first.ID {
		first, second = second, first
	}
	first.mu.Lock()
	defer first.mu.Unlock()
	second.mu.Lock()
	defer second.mu.Unlock()
	few, many := u.rooms, o.rooms
	if len(many) < len(few) {
		few, many = many, few
	}
	for num, p := range few {
		if p.Membership != events.MembershipJoin {
			continue
		}
		if q := many[num]; q != nil && q.Membership == events.MembershipJoin {
			return true, true
		}
	}
	return false, true
}

// Place returns what a room is to the user; false if they never had to do with it.
func (u *User) Place(room store.RoomNum) (RoomChange, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.rooms[room]
	if p == nil {
		return RoomChange{}, false
	}
	return p.RoomChange, true
}

func (u *User) joined() []store.RoomNum {
	u.mu.Lock()
	defer u.mu.Unlock()
	var rooms []store.RoomNum
	for num, p := range u.rooms {
		if p.Membership == events.MembershipJoin {
			rooms = append(rooms, num)
		}
	}
	return rooms
}

// Own is the newest change that concerns the user alone, such as their account
// data. It may be later than the change itself, never earlier.
func (u *User) Own() store.Pos {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.own
}

// Presence is the newest change of the presence of people the user shares rooms
// with. It may be later than the change itself, never earlier.
func (u *User) Presence() store.Pos {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.presence.newest
}

// Devices is the newest change of the devices of people the user shares rooms with.
// It may be later than the change itself, never earlier.
func (u *User) Devices() store.Pos {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.devices
}

func (u *User) devicesChanged(pos store.Pos) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.devices = max(u.devices, pos)
}

// Memo returns what was last given to SetMemo, or nil if something of the user's
// own has changed since.
func (u *User) Memo() any {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.memoFor != u.own {
		return nil
	}
	return u.memo
}

// SetMemo keeps something that was derived from the user's account data, read after
// own was what Own returned. It must be immutable.
func (u *User) SetMemo(own store.Pos, memo any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.memo, u.memoFor = memo, own
}

// Forgets counts the rooms that the user has forgotten. It changes when one of those
// that RoomsSince returned becomes forgotten, which is no change of the room.
func (u *User) Forgets() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.forgets
}

// After returns a channel that is closed once something has changed for the user
// after a position, but for presence.
func (u *User) After(pos store.Pos) <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return after(u.changed, pos, &u.wake)
}

// AfterPresence is After for the presence of those whom the user shares rooms with.
func (u *User) AfterPresence(pos store.Pos) <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	return after(u.presence.announced, pos, &u.presence.wake)
}

func after(changed, pos store.Pos, wake *chan struct{}) <-chan struct{} {
	if changed > pos {
		now := make(chan struct{})
		close(now)
		return now
	}
	if *wake == nil {
		*wake = make(chan struct{})
	}
	return *wake
}

// announce lets the changes of a transaction be seen by those who wait.
func (u *User) announce() {
	u.mu.Lock()
	defer u.mu.Unlock()
	announce(&u.changed, &u.dirty, &u.wake)
	announce(&u.presence.announced, &u.presence.dirty, &u.presence.wake)
}

func announce(changed, dirty *store.Pos, wake *chan struct{}) {
	if *dirty == 0 {
		return
	}
	*changed, *dirty = max(*changed, *dirty), 0
	if *wake != nil {
		close(*wake)
		*wake = nil
	}
}

// move puts a room in front of the list of places, adding it if need be, and lets
// the change be made to it.
func (u *User) move(c RoomChange, change func(*place)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p := u.rooms[c.Num]
	if p == nil {
		p = &place{RoomChange: c}
		u.rooms[c.Num] = p
	} else {
		u.unlink(p)
	}
	p.Pos = c.Pos
	if change != nil {
		change(p)
	}
	p.next = u.newest
	if p.next != nil {
		p.next.prev = p
	}
	u.newest = p
}

// arrange makes the list of places. u.mu is held, or u is not known to others.
func (u *User) arrange(places []*place) {
	slices.SortFunc(places, func(a, b *place) int { return cmp.Compare(b.Pos, a.Pos) })
	u.newest = nil
	for _, p := range slices.Backward(places) {
		p.prev, p.next = nil, u.newest
		if p.next != nil {
			p.next.prev = p
		}
		u.newest = p
	}
}

func (u *User) hasReceipts() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.receipts
}

// addReceipts notes the newest receipts in the user's rooms, as of From or later: what
// is later has been noted already, or is about to be, so no place goes beyond From.
func (u *User) addReceipts(newest map[store.RoomNum]store.Pos) {
	u.mu.Lock()
	defer u.mu.Unlock()
	places := make([]*place, 0, len(u.rooms))
	for num, p := range u.rooms {
		if p.Membership == events.MembershipJoin {
			p.Pos = max(p.Pos, min(newest[num], u.From))
		}
		places = append(places, p)
	}
	u.arrange(places)
	u.receipts = true
}

// forget marks a room as forgotten. It keeps its place: that the user has left
// may still have to be told (MEMB-33).
func (u *User) forget(num store.RoomNum) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if p := u.rooms[num]; p != nil {
		p.Forgotten = true
		u.forgets++
	}
}

func (u *User) unlink(p *place) {
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		u.newest = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
}
