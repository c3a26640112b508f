package storetest

import (
	"cmp"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func threads() []rule {
	before := func(f *fixture, room store.RoomNum, from store.Pos, user events.UserID, limit int, want ...store.Thread) {
		f.Helper()
		f.view(func(v store.View) error {
			got, err := v.ThreadsBefore(room, from, user, limit)
			equal(f, got, want)
			return err
		})
	}
	participants := func(f *fixture, root store.Event, want ...store.ThreadParticipant) {
		f.Helper()
		f.view(func(v store.View) error {
			got, err := v.ThreadParticipants([]store.Pos{root.Pos})
			slices.SortFunc(got, func(a, b store.ThreadParticipant) int { return cmp.Compare(a.User, b.User) })
			for i := range want {
				want[i].Root = root.Pos
			}
			equal(f, got, want)
			return err
		})
	}
	return []rule{
		{"ThreadsBefore returns up to limit threads of a room whose newest event is not after from, the one with the newest first", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			rows := f.add(room, message("one"), message("two"))
			elsewhere := f.add(other, message("three"))[0]
			f.relate("a", alice, room, rows[0], "m.thread")
			b := f.relate("b", bob, room, rows[1], "m.thread")
			c := f.relate("c", alice, room, rows[0], "m.thread")
			f.relate("d", alice, other, elsewhere, "m.thread")
			f.relate("e", alice, room, rows[1], "m.reference")
			one, two := store.Thread{Root: rows[0].Pos, Latest: c.Pos}, store.Thread{Root: rows[1].Pos, Latest: b.Pos}
			before(f, room, store.MaxPos, "", 5, one, two)
			before(f, room, store.MaxPos, "", 1, one)
			before(f, room, c.Pos-1, "", 5, two)
			before(f, room, store.MaxPos, bob, 5, two)
			before(f, room, store.MaxPos, alice, 5, one, two) // who has started both
		}},
		{"a thread without events is none, and its newest event is one that is left", func(f *fixture) {
			room := f.room("r")
			root := f.add(room, message("root"))[0]
			a := f.relate("a", bob, room, root, "m.thread")
			b := f.relate("b", alice, room, root, "m.thread")
			c := f.relate("c", bob, room, root, "m.thread")
			participants(f, root, store.ThreadParticipant{User: alice, Events: 1, Latest: b.Pos}, store.ThreadParticipant{User: bob, Events: 2, Latest: c.Pos})
			f.unrelate(c.Pos)
			before(f, room, store.MaxPos, "", 5, store.Thread{Root: root.Pos, Latest: b.Pos})
			participants(f, root, store.ThreadParticipant{User: alice, Events: 1, Latest: b.Pos}, store.ThreadParticipant{User: bob, Events: 1, Latest: a.Pos})
			f.unrelate(a.Pos)
			before(f, room, store.MaxPos, bob, 5)
			participants(f, root, store.ThreadParticipant{User: alice, Events: 1, Latest: b.Pos})
			f.unrelate(b.Pos)
			before(f, room, store.MaxPos, "", 5)
			participants(f, root, store.ThreadParticipant{User: alice})
		}},
	}
}
