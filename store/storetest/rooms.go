package storetest

import (
	"github.com/ca4c8834/homeserver/store"
)

func rooms() []rule {
	create := func(f *fixture, r store.Room) store.Room {
		f.Helper()
		f.update(func(tx store.Tx) (err error) { r.Num, err = tx.CreateRoom(r); return err })
		return r
	}
	return []rule{
		{"CreateRoom adds a room and returns its number; r.Num is ignored", func(f *fixture) {
			one := create(f, store.Room{Num: 7, ID: "!one:x", Version: "10", Open: true})
			two := create(f, store.Room{Num: 7, ID: "!two:x", Version: "12"})
			if one.Num == two.Num {
				f.Errorf("both have number %d", one.Num)
			}
			f.view(func(v store.View) error {
				for _, want := range []store.Room{one, two} {
					got, err := v.Room(want.ID)
					f.is(err, nil)
					equal(f, got, want)
					got, err = v.RoomByNum(want.Num)
					f.is(err, nil)
					equal(f, got, want)
				}
				return nil
			})
		}},
		{"CreateRoom: ErrExists if the ID is taken", func(f *fixture) {
			create(f, store.Room{ID: "!one:x"})
			f.refused(store.ErrExists, func(tx store.Tx) error { _, err := tx.CreateRoom(store.Room{ID: "!one:x"}); return err })
		}},
		{"Room and RoomByNum: ErrNotFound", func(f *fixture) {
			one := create(f, store.Room{ID: "!one:x"})
			f.missing(func(v store.View) error { _, err := v.Room("!other:x"); return err })
			f.missing(func(v store.View) error { _, err := v.RoomByNum(one.Num + 1); return err })
		}},
		{"SetRoomOpen opens or closes a room. ErrNotFound", func(f *fixture) {
			one, two := create(f, store.Room{ID: "!one:x"}), create(f, store.Room{ID: "!two:x"})
			for _, open := range []bool{true, false} {
				one.Open = open
				f.update(func(tx store.Tx) error { return tx.SetRoomOpen(one.Num, open) })
				f.view(func(v store.View) error {
					for _, want := range []store.Room{one, two} {
						got, err := v.Room(want.ID)
						f.is(err, nil)
						equal(f, got, want)
					}
					return nil
				})
			}
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.SetRoomOpen(99, true) })
		}},
	}
}
