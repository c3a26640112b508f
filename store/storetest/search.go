package storetest

import (
	"github.com/ca4c8834/homeserver/store"
)

func search() []rule {
	put := func(f *fixture, t store.Text) store.Pos {
		f.Helper()
		f.update(func(tx store.Tx) error {
			t.Pos = tx.Next()
			return tx.PutText(t)
		})
		return t.Pos
	}
	find := func(f *fixture, q store.TextQuery) (found []store.Pos) {
		f.Helper()
		if q.Before == 0 {
			q.Before = store.MaxPos
		}
		if q.Limit == 0 {
			q.Limit = 10
		}
		f.view(func(v store.View) (err error) { found, err = v.SearchText(q); return err })
		return found
	}
	return []rule{
		{"SearchText returns the positions of the newest events that match, newest first", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			one := put(f, store.Text{Room: room, Body: "tea and cake"})
			two := put(f, store.Text{Room: room, Body: "more cake"})
			foreign := put(f, store.Text{Room: other, Body: "cake"})
			put(f, store.Text{Room: room, Body: "cakes"})
			q := store.TextQuery{Rooms: []store.RoomNum{room}, Words: []string{"cake"}, Body: true}
			equal(f, find(f, q), []store.Pos{two, one})
			q.Limit = 1
			equal(f, find(f, q), []store.Pos{two})
			q.Before = two
			equal(f, find(f, q), []store.Pos{one})
			q = store.TextQuery{Rooms: []store.RoomNum{room, other}, Words: []string{"cake"}, Body: true}
			equal(f, find(f, q), []store.Pos{foreign, two, one})
			equal(f, len(find(f, store.TextQuery{Words: []string{"cake"}, Body: true})), 0)
			equal(f, len(find(f, store.TextQuery{Rooms: []store.RoomNum{room}, Body: true})), 0)
		}},
		{"words must all occur in one of the fields asked for; letter case and accents don't matter", func(f *fixture) {
			room := f.room("r")
			body := put(f, store.Text{Room: room, Body: "Ein schöner TAG im Café"})
			name := put(f, store.Text{Room: room, Name: "Café"})
			topic := put(f, store.Text{Room: room, Topic: "All about cafe"})
			q := store.TextQuery{Rooms: []store.RoomNum{room}, Words: []string{"CAFE"}, Body: true, Name: true, Topic: true}
			equal(f, find(f, q), []store.Pos{topic, name, body})
			q.Name, q.Topic = false, false
			equal(f, find(f, q), []store.Pos{body})
			q.Words = []string{"café", "tag"}
			equal(f, find(f, q), []store.Pos{body})
			q.Words = []string{"café", "nacht"}
			equal(f, len(find(f, q)), 0)
		}},
		{"what looks like a query language is text", func(f *fixture) {
			room := f.room("r")
			want := put(f, store.Text{Room: room, Body: `say "yes" OR (no) NEAR* body:x`})
			for _, word := range []string{`"yes"`, "OR", "(no)", "NEAR*", "body:x", "yes*"} {
				equal(f, find(f, store.TextQuery{Rooms: []store.RoomNum{room}, Words: []string{word}, Body: true}), []store.Pos{want})
			}
			for _, word := range []string{`"`, "*", `") OR (body : "said`, "ye*", "r2"} {
				equal(f, len(find(f, store.TextQuery{Rooms: []store.RoomNum{room}, Words: []string{word}, Body: true})), 0)
			}
		}},
		{"DeleteText makes an event found no more; one that was not found is no error", func(f *fixture) {
			room := f.room("r")
			pos := put(f, store.Text{Room: room, Body: "secret"})
			f.update(func(tx store.Tx) error { return tx.DeleteText(pos) })
			f.update(func(tx store.Tx) error { return tx.DeleteText(pos) })
			equal(f, len(find(f, store.TextQuery{Rooms: []store.RoomNum{room}, Words: []string{"secret"}, Body: true})), 0)
		}},
	}
}
