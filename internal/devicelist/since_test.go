package devicelist_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/devicelist"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

const (
	alice = events.UserID("@alice:test")
	bob   = events.UserID("@bob:test")
	carl  = events.UserID("@carl:test")
	dora  = events.UserID("@dora:test")
)

// world is a store with rooms that people come to and leave.
type world struct {
	testing.TB
	st    store.Store
	lists *devicelist.Lists
	woken []woken
	n     int
}

type woken struct {
	User  events.UserID
	Rooms []store.RoomNum
	Pos   store.Pos
}

// UserChanged implements devicelist.Waker.
func (w *world) UserChanged(user events.UserID, pos store.Pos) {
	w.woken = append(w.woken, woken{User: user, Pos: pos})
}

// DevicesChanged implements devicelist.Waker.
func (w *world) DevicesChanged(user events.UserID, rooms []store.RoomNum, pos store.Pos) {
	w.woken = append(w.woken, woken{user, rooms, pos})
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	st, err := sqlite.Memory()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	w := &world{TB: tb, st: st}
	w.lists = devicelist.New(w)
	return w
}

func (w *world) update(fn func(tx store.Tx) error) {
	w.Helper()
	if err := w.st.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

// room makes a room that users have joined.
func (w *world) room(joined ...events.UserID) (num store.RoomNum) {
	w.Helper()
	w.n++
	w.update(func(tx store.Tx) (err error) {
		num, err = tx.CreateRoom(store.Room{ID: events.RoomID(fmt.Sprintf("!r%d:test", w.n)), Version: "12"})
		return err
	})
	for _, user := range joined {
		w.member(num, user, "join")
	}
	return num
}

// member appends a member event.
func (w *world) member(room store.RoomNum, user events.UserID, membership string) {
	w.Helper()
	w.n++
	key := string(user)
	content := fmt.Appendf(nil, `{"membership":%q}`, membership)
	ev := &events.Event{
		ID: events.EventID(fmt.Sprint("$", w.n)), Type: events.TypeMember, StateKey: &key, Content: content,
		Raw: fmt.Appendf(nil, `{"content":%s,"state_key":%q,"type":%q}`, content, key, events.TypeMember),
	}
	w.update(func(tx store.Tx) error {
		old, err := tx.StateEventAt(room, store.MaxPos, events.StateKey{Type: ev.Type, Key: key})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return tx.Append(store.Append{Pos: tx.Next(), Room: room, Event: ev, Replaces: old.Pos})
	})
}

// changed notes a change of a user's devices.
func (w *world) changed(user events.UserID) {
	w.Helper()
	w.update(func(tx store.Tx) error { return w.lists.Changed(tx, user) })
}

// wants checks what has changed for a user since a position, for a sync that
// knows the rooms and for a caller who does not.
func (w *world) wants(user events.UserID, since store.Pos, changed, left []events.UserID) {
	w.Helper()
	err := w.st.View(w.Context(), func(v store.View) error {
		rooms, err := devicelist.Rooms(v, user, since)
		if err != nil {
			return err
		}
		got, err := devicelist.Since(v, user, since, rooms)
		want := devicelist.Changes{Changed: changed, Left: left}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			w.Errorf("for %s since %d (-want +got):\n%s", user, since, diff)
		}
		return err
	})
	if err != nil {
		w.Error(err)
	}
}

type users = []events.UserID

// The rules of who is in changed and who in left, seen by several users.
func TestSince(t *testing.T) {
	t.Parallel()
	type expected struct {
		user          events.UserID
		changed, left users
	}
	for name, test := range map[string]struct {
		before func(w *world) store.RoomNum
		then   func(w *world, room store.RoomNum)
		want   []expected
	}{
		"DL-1 nothing changed": {
			before: func(w *world) store.RoomNum { return w.room(alice, bob) },
			then:   func(*world, store.RoomNum) {},
			want:   []expected{{user: alice}, {user: bob}},
		},
		"DL-2 DL-11 a user's devices, for those who share a room and the user": {
			before: func(w *world) store.RoomNum { w.room(dora); return w.room(alice, bob, carl) },
			then:   func(w *world, _ store.RoomNum) { w.changed(bob) },
			want: []expected{
				{user: alice, changed: users{bob}}, {user: bob, changed: users{bob}}, {user: carl, changed: users{bob}}, {user: dora},
			},
		},
		"DL-2 the user's own devices without any room": {
			before: func(*world) store.RoomNum { return 0 },
			then:   func(w *world, _ store.RoomNum) { w.changed(alice) },
			want:   []expected{{user: alice, changed: users{alice}}, {user: bob}},
		},
		"DL-7 DL-8 a change for one user alone, without any room": {
			before: func(w *world) store.RoomNum { return w.room(alice, carl) },
			then: func(w *world, _ store.RoomNum) {
				w.update(func(tx store.Tx) error {
					return errors.Join(w.lists.ChangedFor(tx, alice, alice), w.lists.ChangedFor(tx, bob, alice))
				})
			},
			want: []expected{{user: alice, changed: users{alice, bob}}, {user: bob}, {user: carl}},
		},
		"DL-2 invited users share no room": {
			before: func(w *world) store.RoomNum { r := w.room(alice); w.member(r, bob, "invite"); return r },
			then:   func(w *world, _ store.RoomNum) { w.changed(alice); w.changed(bob) },
			want:   []expected{{user: alice, changed: users{alice}}, {user: bob, changed: users{bob}}},
		},
		"DL-9 DL-15 on joining, the members for the joiner and the joiner for them": {
			before: func(w *world) store.RoomNum { return w.room(alice, bob) },
			then:   func(w *world, r store.RoomNum) { w.member(r, carl, "join") },
			want: []expected{
				{user: alice, changed: users{carl}}, {user: bob, changed: users{carl}}, {user: carl, changed: users{alice, bob}},
			},
		},
		"DL-9 on joining, not those who left": {
			before: func(w *world) store.RoomNum { r := w.room(alice, bob, dora); w.member(r, bob, "leave"); return r },
			then:   func(w *world, r store.RoomNum) { w.member(r, carl, "join") },
			want:   []expected{{user: alice, changed: users{carl}}, {user: bob}, {user: carl, changed: users{alice, dora}}},
		},
		"DL-9 a new profile is no news": {
			before: func(w *world) store.RoomNum { return w.room(alice, bob) },
			then:   func(w *world, r store.RoomNum) { w.member(r, bob, "join") },
			want:   []expected{{user: alice}, {user: bob}},
		},
		"DL-10 newly invited users": {
			before: func(w *world) store.RoomNum { return w.room(alice, bob) },
			then:   func(w *world, r store.RoomNum) { w.member(r, carl, "invite") },
			want:   []expected{{user: alice, changed: users{carl}}, {user: bob, changed: users{carl}}, {user: carl}},
		},
		"DL-10 invited users, for somebody who joins": {
			before: func(w *world) store.RoomNum { r := w.room(alice); w.member(r, bob, "invite"); return r },
			then:   func(w *world, r store.RoomNum) { w.member(r, carl, "join") },
			want:   []expected{{user: alice, changed: users{carl}}, {user: carl, changed: users{alice, bob}}},
		},
		"DL-10 an invite that was refused": {
			before: func(w *world) store.RoomNum { r := w.room(alice); w.member(r, bob, "invite"); return r },
			then:   func(w *world, r store.RoomNum) { w.member(r, bob, "leave") },
			want:   []expected{{user: alice}, {user: bob}},
		},
		"DL-12 both sides see who leaves": {
			before: func(w *world) store.RoomNum { return w.room(alice, bob, carl) },
			then:   func(w *world, r store.RoomNum) { w.member(r, bob, "leave") },
			want:   []expected{{user: alice, left: users{bob}}, {user: bob, left: users{alice, carl}}, {user: carl, left: users{bob}}},
		},
		"DL-12 a ban": {
			before: func(w *world) store.RoomNum { return w.room(alice, bob) },
			then:   func(w *world, r store.RoomNum) { w.member(r, bob, "ban") },
			want:   []expected{{user: alice, left: users{bob}}, {user: bob, left: users{alice}}},
		},
		"DL-12 who still shares another room has not left": {
			before: func(w *world) store.RoomNum { w.room(alice, bob); return w.room(alice, bob, carl) },
			then:   func(w *world, r store.RoomNum) { w.member(r, bob, "leave") },
			want:   []expected{{user: alice}, {user: bob, left: users{carl}}, {user: carl, left: users{bob}}},
		},
		"DL-12 one who left for another room of mine": {
			before: func(w *world) store.RoomNum { return w.room(alice, bob) },
			then: func(w *world, r store.RoomNum) {
				other := w.room(alice)
				w.member(r, bob, "leave")
				w.member(other, bob, "join")
			},
			want: []expected{{user: alice, changed: users{bob}}, {user: bob, changed: users{alice}}},
		},
		"DL-13 who left is not followed": {
			before: func(w *world) store.RoomNum { r := w.room(alice, bob); w.member(r, bob, "leave"); return r },
			then:   func(w *world, _ store.RoomNum) { w.changed(bob) },
			want:   []expected{{user: alice}, {user: bob, changed: users{bob}}},
		},
		"DL-13 until they are back": {
			before: func(w *world) store.RoomNum {
				r := w.room(alice, bob)
				w.member(r, bob, "leave")
				w.changed(bob)
				return r
			},
			then: func(w *world, r store.RoomNum) { w.member(r, bob, "join") },
			want: []expected{{user: alice, changed: users{bob}}, {user: bob, changed: users{alice}}},
		},
		"DL-14 left and came back": {
			before: func(w *world) store.RoomNum { return w.room(alice, bob, carl) },
			then:   func(w *world, r store.RoomNum) { w.member(r, bob, "leave"); w.member(r, bob, "join") },
			want:   []expected{{user: alice, changed: users{bob}}, {user: bob, changed: users{alice, carl}}},
		},
		"DL-14 changed and left": {
			before: func(w *world) store.RoomNum { return w.room(alice, bob) },
			then:   func(w *world, r store.RoomNum) { w.changed(bob); w.member(r, bob, "leave") },
			want:   []expected{{user: alice, left: users{bob}}, {user: bob, changed: users{bob}, left: users{alice}}},
		},
		"DL-14 left and was invited again": {
			before: func(w *world) store.RoomNum { return w.room(alice, bob) },
			then:   func(w *world, r store.RoomNum) { w.member(r, bob, "leave"); w.member(r, bob, "invite") },
			want:   []expected{{user: alice, changed: users{bob}}, {user: bob, left: users{alice}}},
		},
		"came and left in between": {
			before: func(w *world) store.RoomNum { return w.room(alice) },
			then:   func(w *world, r store.RoomNum) { w.member(r, bob, "join"); w.member(r, bob, "leave") },
			want:   []expected{{user: alice}, {user: bob}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			room := test.before(w)
			since := w.st.Position()
			test.then(w, room)
			for range 2 { // DL-16: an old position finds it again
				for _, e := range test.want {
					w.wants(e.user, since, e.changed, e.left)
				}
			}
			for _, e := range test.want {
				w.wants(e.user, w.st.Position(), nil, nil)
			}
		})
	}
}

// DL-16: a change wakes those who are joined to a room with the user, and the
// user; one for a single user wakes nobody else.
func TestWakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.room(alice, bob), w.room(alice)
	left := w.room(alice, carl)
	w.member(left, alice, "leave")
	w.changed(alice)
	want := []woken{{alice, []store.RoomNum{one, two}, w.st.Position()}}
	w.update(func(tx store.Tx) error { return w.lists.ChangedFor(tx, bob, alice) })
	want = append(want, woken{User: alice, Pos: w.st.Position()})
	if diff := cmp.Diff(want, w.woken); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A change in a room of ten thousand members writes one row and reads the rooms
// of one user.
func BenchmarkChanged(b *testing.B) {
	w := newWorld(b)
	w.crowd(10_000)
	b.ReportAllocs()
	for b.Loop() {
		w.changed(alice)
	}
}

// What a member of the large room pays for one change when they sync.
func BenchmarkSince(b *testing.B) {
	w := newWorld(b)
	w.crowd(10_000)
	since := w.st.Position()
	w.changed(alice)
	b.ReportAllocs()
	for b.Loop() {
		w.wants("@u77:test", since, users{alice}, nil)
	}
}

// crowd makes a room of alice and many others.
func (w *world) crowd(n int) {
	w.Helper()
	room := w.room(alice)
	w.update(func(tx store.Tx) error {
		for i := range n {
			key := fmt.Sprintf("@u%d:test", i)
			content := []byte(`{"membership":"join"}`)
			err := tx.Append(store.Append{Pos: tx.Next(), Room: room, Event: &events.Event{
				ID: events.EventID("$" + key), Type: events.TypeMember, StateKey: &key, Content: content,
				Raw: fmt.Appendf(nil, `{"content":%s,"state_key":%q,"type":"m.room.member"}`, content, key),
			}})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
