package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func aliases() []rule {
	const room = events.RoomID("!r:example.org")
	create := func(f *fixture, a store.Alias) {
		f.Helper()
		f.update(func(tx store.Tx) error { return tx.CreateAlias(a) })
	}
	of := func(f *fixture, room events.RoomID) (got []events.RoomAlias) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.AliasesOf(room); return err })
		return got
	}
	return []rule{
		{"Alias returns an alias; comparison is exact", func(f *fixture) {
			want := store.Alias{Alias: "#Lobby:x", Room: room, Creator: alice}
			create(f, want)
			f.view(func(v store.View) error {
				got, err := v.Alias("#Lobby:x")
				equal(f, got, want)
				return err
			})
			f.missing(func(v store.View) error { _, err := v.Alias("#lobby:x"); return err })
		}},
		{"AliasesOf returns the aliases of a room in order", func(f *fixture) {
			for _, a := range []events.RoomAlias{"#c:x", "#a:x", "#b:x"} {
				create(f, store.Alias{Alias: a, Room: room, Creator: alice})
			}
			create(f, store.Alias{Alias: "#d:x", Room: "!other:x", Creator: alice})
			equal(f, of(f, room), []events.RoomAlias{"#a:x", "#b:x", "#c:x"})
			equal(f, len(of(f, "!none:x")), 0)
		}},
		{"CreateAlias: ErrExists, also for another room", func(f *fixture) {
			create(f, store.Alias{Alias: "#a:x", Room: room, Creator: alice})
			f.refused(store.ErrExists, func(tx store.Tx) error {
				return tx.CreateAlias(store.Alias{Alias: "#a:x", Room: "!other:x", Creator: bob})
			})
			equal(f, of(f, room), []events.RoomAlias{"#a:x"})
		}},
		{"DeleteAlias removes an alias. ErrNotFound", func(f *fixture) {
			create(f, store.Alias{Alias: "#a:x", Room: room, Creator: alice})
			f.update(func(tx store.Tx) error { return tx.DeleteAlias("#a:x") })
			equal(f, len(of(f, room)), 0)
			f.missing(func(v store.View) error { _, err := v.Alias("#a:x"); return err })
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteAlias("#a:x") })
		}},
	}
}
