package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func receipts() []rule {
	put := func(f *fixture, r store.Receipt) store.Receipt {
		f.Helper()
		f.update(func(tx store.Tx) error {
			r.Pos = tx.Next()
			return tx.PutReceipt(r)
		})
		return r
	}
	since := func(f *fixture, room store.RoomNum, pos store.Pos) (got []store.Receipt) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.ReceiptsSince(room, pos); return err })
		return got
	}
	return []rule{
		{"ReceiptsSince returns the receipts of a room that changed after a position, ordered by it", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			one := put(f, store.Receipt{Room: room, User: bob, Type: "m.read", Event: "$1", EventPos: 7, TS: 1000})
			two := put(f, store.Receipt{Room: room, User: alice, Type: "m.read", Thread: "main", Event: "$2", EventPos: 8, TS: 2000})
			put(f, store.Receipt{Room: other, User: alice, Type: "m.read", Event: "$3", EventPos: 9, TS: 3000})
			equal(f, since(f, room, 0), []store.Receipt{one, two})
			equal(f, since(f, room, one.Pos), []store.Receipt{two})
			equal(f, len(since(f, room, two.Pos)), 0)
		}},
		{"there is one for each user, type and thread of a room", func(f *fixture) {
			room := f.room("r")
			r := store.Receipt{Room: room, User: alice, Type: "m.read", Event: "$1", EventPos: 1, TS: 1}
			put(f, r)
			r.Event, r.EventPos, r.TS = "$2", 2, 2
			want := []store.Receipt{put(f, r)}
			r.Thread = "$root"
			want = append(want, put(f, r))
			r.Type = "m.read.private"
			want = append(want, put(f, r))
			equal(f, since(f, room, 0), want)
		}},
		{"ReceiptsOf returns a user's receipts in a room, ordered by position", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			b := put(f, store.Receipt{Room: room, User: alice, Type: "m.read", Thread: "$b", Event: "$1"})
			a := put(f, store.Receipt{Room: room, User: alice, Type: "m.read", Thread: "$a", Event: "$2"})
			put(f, store.Receipt{Room: room, User: bob, Type: "m.read", Event: "$1"})
			put(f, store.Receipt{Room: other, User: alice, Type: "m.read", Event: "$1"})
			f.view(func(v store.View) error {
				got, err := v.ReceiptsOf(alice, room)
				equal(f, got, []store.Receipt{b, a})
				return err
			})
		}},
		{"ReceiptsChanged returns the position of the newest receipt of a room; 0 if there is none", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			put(f, store.Receipt{Room: room, User: alice, Type: "m.read", Event: "$1"})
			last := put(f, store.Receipt{Room: room, User: bob, Type: "m.read", Event: "$1"})
			f.view(func(v store.View) error {
				got, err := v.ReceiptsChanged(room)
				equal(f, got, last.Pos)
				f.is(err, nil)
				got, err = v.ReceiptsChanged(other)
				equal(f, got, 0)
				return err
			})
		}},
	}
}

func typing() []rule {
	return []rule{
		{"TypingRooms returns the rooms for which it was set, in order", func(f *fixture) {
			for _, change := range []struct {
				room   events.RoomID
				typing bool
			}{{"!b:x", true}, {"!a:x", true}, {"!a:x", true}, {"!c:x", true}, {"!c:x", false}, {"!d:x", false}} {
				f.update(func(tx store.Tx) error { return tx.SetTyping(change.room, change.typing) })
			}
			f.view(func(v store.View) error {
				got, err := v.TypingRooms()
				equal(f, got, []events.RoomID{"!a:x", "!b:x"})
				return err
			})
		}},
	}
}
