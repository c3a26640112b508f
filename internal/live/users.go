package live

import (
	"container/list"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Users who have not synced for idleTime are forgotten, sooner if more than
// idleMax are idle at once.
const (
	idleTime = 10 * time.Minute
	idleMax  = 10_000
)

// users are those who sync. All but the map and the list of the idle belongs to
// the writer: it is touched only while the store commits.
type users struct {
	byRoom  map[store.RoomNum][]*User // the joined ones
	changed []*User                   // those with a change that is not announced
	stirred []*watch                  // of rooms with one

	mu      sync.Mutex
	active  map[events.UserID]*User
	watched map[events.RoomID]*watch // those that somebody waits for
	idle    list.List                // of *User without connections, the longest idle in front
}

// watch is for those who wait for the next event of a room.
type watch struct {
	done    chan struct{} // closed by that event
	waiting int           // how many there are
}

func (us *users) init() {
	us.byRoom = map[store.RoomNum][]*User{}
	us.active = map[events.UserID]*User{}
	us.watched = map[events.RoomID]*watch{}
}

// Connect returns a user for the time of a request that syncs; Disconnect must
// follow. since is the position from which on the request will look for what has
// changed, 0 if it tells of everything anyway.
func (m *Memory) Connect(ctx context.Context, id events.UserID, since store.Pos) (*User, error) {
	u, err := m.connect(ctx, id)
	if err != nil || since == 0 || since >= u.From {
		return u, err
	}
	if err := m.readReceipts(ctx, u); err != nil {
		m.Disconnect(u)
		return nil, err
	}
	return u, nil
}

// connect returns a user with one more connection. The first one after a while reads
// the user's rooms from the store, between two transactions, so that no change can slip
// by.
func (m *Memory) connect(ctx context.Context, id events.UserID) (*User, error) {
	if u := m.users.connect(id); u != nil {
		return u, nil
	}
	var u *User
	err := m.store.Update(ctx, func(tx store.Tx) error {
		rooms, err := tx.RoomsOf(id)
		if err != nil {
			return err
		}
		newest, err := tx.NewestEvents(id)
		if err != nil {
			return err
		}
		// A position that nobody announces is none to wait for.
		tx.OnCommit(func() { u = m.users.add(id, rooms, newest, m.Position(), m.now()) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// readReceipts lets a user's rooms change with the receipts in them from before memory
// followed the user. They take long to find in many rooms, and who begins anew does not
// need them.
func (m *Memory) readReceipts(ctx context.Context, u *User) error {
	if u.hasReceipts() {
		return nil
	}
	return m.store.View(ctx, func(v store.View) error {
		newest, err := v.NewestReceipts(u.ID)
		if err == nil {
			u.addReceipts(newest)
		}
		return err
	})
}

// Disconnect ends what Connect began.
func (m *Memory) Disconnect(u *User) {
	m.users.mu.Lock()
	defer m.users.mu.Unlock()
	if u.connections--; u.connections == 0 {
		u.idleSince = m.now()
		u.idle = m.users.idle.PushBack(u)
	}
}

// connect returns an active user with one more connection, or nil.
func (us *users) connect(id events.UserID) *User {
	us.mu.Lock()
	defer us.mu.Unlock()
	u := us.active[id]
	if u == nil {
		return nil
	}
	if u.idle != nil {
		us.idle.Remove(u.idle)
		u.idle = nil
	}
	u.connections++
	return u
}

// add registers a user with the rooms they have, connected once.
func (us *users) add(id events.UserID, rooms []store.Member, newest map[store.RoomNum]store.Pos, pos store.Pos, now time.Time) *User {
	if u := us.connect(id); u != nil { // somebody was faster
		return u
	}
	us.expire(now)
	u := &User{ID: id, From: pos, rooms: make(map[store.RoomNum]*place, len(rooms)), changed: pos, own: pos, devices: pos, presence: presenceNews{newest: pos, announced: pos}, connections: 1}
	places := make([]place, len(rooms))
	order := make([]*place, len(rooms))
	for i, r := range rooms {
		p := &places[i]
		p.RoomChange = RoomChange{
			Num: r.Room, ID: r.RoomID, Pos: r.Pos, Event: r.Pos, Membership: r.Membership, Removed: r.Removed,
			Forgotten: r.Forgotten, RoomType: r.RoomType, Encrypted: r.Encrypted,
		}
		p.been = r.Been
		u.rooms[r.Room], order[i] = p, p
		if r.Membership == events.MembershipJoin {
			p.Event = max(p.Event, newest[r.Room])
			p.Pos = p.Event
			us.join(u, r.Room)
		}
	}
	u.arrange(order)
	us.mu.Lock()
	defer us.mu.Unlock()
	us.active[id] = u
	return u
}

// expire forgets users who have been idle for too long.
func (us *users) expire(now time.Time) {
	us.mu.Lock()
	var gone []*User
	for el := us.idle.Front(); el != nil; el = us.idle.Front() {
		u := el.Value.(*User)
		if us.idle.Len() <= idleMax && now.Sub(u.idleSince) < idleTime {
			break
		}
		us.idle.Remove(el)
		delete(us.active, u.ID)
		gone = append(gone, u)
	}
	us.mu.Unlock()
	for _, u := range gone {
		for num := range u.rooms {
			us.leave(u, num)
		}
	}
}

func (us *users) join(u *User, num store.RoomNum) {
	if p := u.rooms[num]; !p.joined {
		p.joined = true
		us.byRoom[num] = append(us.byRoom[num], u)
	}
}

func (us *users) leave(u *User, num store.RoomNum) {
	p := u.rooms[num]
	if p == nil || !p.joined {
		return
	}
	p.joined = false
	list := us.byRoom[num]
	i := slices.Index(list, u)
	list[i] = list[len(list)-1]
	list[len(list)-1] = nil
	if list = list[:len(list)-1]; len(list) == 0 {
		delete(us.byRoom, num)
	} else {
		us.byRoom[num] = list
	}
}

// find returns an active user, or nil.
func (us *users) find(id events.UserID) *User {
	us.mu.Lock()
	defer us.mu.Unlock()
	return us.active[id]
}

// eventAdded notes a new event for those it concerns: the members who are
// active, and whoever it is about.
func (us *users) eventAdded(r *Room, e *Event) {
	c := RoomChange{Num: r.Num, ID: r.ID, Pos: e.Pos}
	encrypts := e.IsState() && e.Type == events.TypeEncryption && *e.StateKey == ""
	renew := func(p *place) {
		p.Event = e.Pos
		p.Encrypted = p.Encrypted || encrypts
	}
	for _, u := range us.byRoom[r.Num] {
		us.note(u, e.Pos)
		u.move(c, renew)
	}
	us.stir(r.ID)
	if e.Type != events.TypeMember || !e.IsState() {
		return
	}
	u := us.find(events.UserID(*e.StateKey))
	if u == nil {
		return
	}
	us.note(u, e.Pos)
	u.move(c, func(p *place) { p.become(r, e) })
	if e.Membership() == events.MembershipJoin {
		us.join(u, r.Num)
	} else {
		us.leave(u, r.Num)
	}
}

// become is what the user's own member event makes of a place.
func (p *place) become(r *Room, e *Event) {
	p.Event, p.Membership, p.Forgotten = e.Pos, e.Membership(), false
	p.been = p.been || p.Membership == events.MembershipJoin
	p.Removed = p.been && string(e.Sender) != *e.StateKey &&
		(p.Membership == events.MembershipLeave || p.Membership == events.MembershipBan)
	if create := r.StateEvent(events.TypeCreate, ""); create != nil {
		p.RoomType = create.RoomType()
	}
	p.Encrypted = r.StateEvent(events.TypeEncryption, "") != nil
}

// roomChanged notes a change that is no event for the active members of a room, or
// for one of them alone.
func (us *users) roomChanged(c RoomChange, alone events.UserID) {
	if alone != "" {
		if u := us.find(alone); u != nil && u.rooms[c.Num] != nil {
			us.note(u, c.Pos)
			u.move(c, nil)
		}
		return
	}
	for _, u := range us.byRoom[c.Num] {
		us.note(u, c.Pos)
		u.move(c, nil)
	}
}

// stir notes a new event for those who watch its room without being in it.
func (us *users) stir(id events.RoomID) {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.stirLocked(id)
}

func (us *users) stirLocked(id events.RoomID) {
	if w, ok := us.watched[id]; ok {
		us.stirred = append(us.stirred, w)
		delete(us.watched, id)
	}
}

// watch returns what waits for the next event of a room; unwatch must follow.
func (us *users) watch(id events.RoomID) *watch {
	us.mu.Lock()
	defer us.mu.Unlock()
	w, ok := us.watched[id]
	if !ok {
		w = &watch{done: make(chan struct{})}
		us.watched[id] = w
	}
	w.waiting++
	return w
}

// unwatch ends what watch began.
func (us *users) unwatch(id events.RoomID, w *watch) {
	us.mu.Lock()
	defer us.mu.Unlock()
	if w.waiting--; w.waiting == 0 && us.watched[id] == w {
		delete(us.watched, id)
	}
}

// userChanged notes a change for one user.
func (us *users) userChanged(id events.UserID, pos store.Pos) {
	if u := us.find(id); u != nil {
		us.note(u, pos)
		u.mu.Lock()
		u.own = max(u.own, pos)
		u.mu.Unlock()
	}
}

// presenceChanged notes the presence of a user for those in their rooms.
func (us *users) presenceChanged(id events.UserID, rooms []store.RoomNum, pos store.Pos) {
	concerned := func(u *User) {
		us.stale(u)
		u.presence.dirty = max(u.presence.dirty, pos)
		u.mu.Lock()
		u.presence.newest = max(u.presence.newest, pos)
		u.mu.Unlock()
	}
	for _, num := range rooms {
		for _, u := range us.byRoom[num] {
			concerned(u)
		}
	}
	if u := us.find(id); u != nil {
		concerned(u)
	}
}

func (us *users) roomForgotten(id events.UserID, num store.RoomNum) {
	if u := us.find(id); u != nil {
		u.forget(num)
	}
}

func (us *users) note(u *User, pos store.Pos) {
	us.stale(u)
	u.dirty = max(u.dirty, pos)
}

// stale remembers a user for whom something is about to be noted.
func (us *users) stale(u *User) {
	if u.dirty == 0 && u.presence.dirty == 0 {
		us.changed = append(us.changed, u)
	}
}

// announce wakes those for whom something was noted.
func (us *users) announce() {
	for _, u := range us.changed {
		u.announce()
	}
	clear(us.changed)
	us.changed = us.changed[:0]
	for _, w := range us.stirred {
		close(w.done)
	}
	clear(us.stirred)
	us.stirred = us.stirred[:0]
}
