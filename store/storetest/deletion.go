package storetest

import (
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func deletion() []rule {
	member := func(user events.UserID, membership string) *events.Event {
		e := stateEvent(events.TypeMember, string(user), membership)
		e.ID += events.EventID(membership)
		return e
	}
	forgotten := func(f *fixture, after store.RoomNum, limit int) (nums []store.RoomNum) {
		f.Helper()
		f.view(func(v store.View) error {
			rooms, err := v.ForgottenRooms(after, limit)
			for _, r := range rooms {
				nums = append(nums, r.Num)
			}
			return err
		})
		return nums
	}
	forget := func(f *fixture, user events.UserID, room store.RoomNum) {
		f.Helper()
		f.update(func(tx store.Tx) error { return tx.ForgetRoom(user, room) })
	}
	abandoned := func(f *fixture, room store.RoomNum, want bool) {
		f.Helper()
		f.view(func(v store.View) error {
			got, err := v.Abandoned(room)
			equal(f, got, want)
			return err
		})
	}
	purge := func(f *fixture, limit int) (times int) {
		f.Helper()
		for more := true; more; times++ {
			f.update(func(tx store.Tx) (err error) { more, err = tx.PurgeRooms(limit); return err })
		}
		return times
	}
	return []rule{
		{"ForgottenRooms returns up to limit rooms with numbers after one, ordered by number, that somebody has forgotten and that were not kept since", func(f *fixture) {
			one, two, three := f.room("one"), f.room("two"), f.room("three")
			for i, room := range []store.RoomNum{two, one, three} {
				left := member(alice, "leave")
				left.ID += events.EventID(fmt.Sprint(i))
				f.add(room, left)
			}
			equal(f, len(forgotten(f, 0, 10)), 0)
			for _, room := range []store.RoomNum{two, one, two} {
				forget(f, alice, room)
			}
			equal(f, forgotten(f, 0, 10), []store.RoomNum{one, two})
			equal(f, forgotten(f, 0, 1), []store.RoomNum{one})
			equal(f, forgotten(f, one, 10), []store.RoomNum{two})
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.KeepRoom(two) })
			}
			equal(f, forgotten(f, 0, 10), []store.RoomNum{one})
			forget(f, alice, two)
			equal(f, forgotten(f, 0, 10), []store.RoomNum{one, two})
		}},
		{"Abandoned reports whether nobody is in a room, invited to it or knocking on it, and all who were ever in it have forgotten it", func(f *fixture) {
			room := f.room("r")
			f.add(room, member(alice, "join"))
			abandoned(f, room, false)
			f.add(room, member(bob, "invite"), member(alice, "leave"))
			forget(f, alice, room)
			abandoned(f, room, false)
			f.add(room, member(bob, "leave")) // who has never been in it need not forget it
			abandoned(f, room, true)
			f.add(room, member("@carl:example.org", "knock"))
			abandoned(f, room, false)
			f.add(room, member("@carl:example.org", "ban"), stateEvent("org.example", string(alice), "join"))
			abandoned(f, room, true)
			f.add(room, member(alice, "ban")) // is something new to forget
			abandoned(f, room, false)
			forget(f, alice, room)
			abandoned(f, room, true)
		}},
		{"DeleteRoom deletes a room with its aliases and its entries in directories: none of its members has it, and it cannot be found by its ID or theirs. ErrNotFound", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			f.add(room, member(alice, "leave"))
			forget(f, alice, room)
			f.update(func(tx store.Tx) error {
				for alias, id := range map[events.RoomAlias]events.RoomID{"#r:x": "!r:example.org", "#other:x": "!other:example.org"} {
					if err := tx.CreateAlias(store.Alias{Alias: alias, Room: id, Creator: alice}); err != nil {
						return err
					}
				}
				for _, num := range []store.RoomNum{room, other} {
					if err := tx.PutListing("", store.Listing{Room: num, Entry: []byte(`{}`)}); err != nil {
						return err
					}
				}
				return tx.DeleteRoom(room)
			})
			f.missing(func(v store.View) error { _, err := v.Room("!r:example.org"); return err })
			f.missing(func(v store.View) error { _, err := v.RoomByNum(room); return err })
			f.missing(func(v store.View) error { _, err := v.Alias("#r:x"); return err })
			f.view(func(v store.View) error {
				rooms, err := v.RoomsOf(alice)
				equal(f, len(rooms), 0)
				f.is(err, nil)
				n, err := v.CountListings("")
				equal(f, n, 1)
				f.is(err, nil)
				_, err = v.Alias("#other:x")
				return err
			})
			equal(f, len(forgotten(f, 0, 10)), 0)
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteRoom(room) })
			if again := f.room("again"); again == room {
				f.Error("the number is used again")
			}
		}},
		{"PurgeRooms removes what is left of deleted rooms, up to limit events at a time, and reports whether there is more", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			rows := f.add(room, member(alice, "join"), message("m1"), message("m2"), member(alice, "leave"))
			kept := f.add(other, member(bob, "join"), message("m3"))
			f.relate("reaction", bob, room, rows[1], events.RelAnnotation)
			reply := f.relate("reply", bob, room, rows[2], "m.thread")
			theirs := f.relate("theirs", bob, other, kept[1], "m.thread")
			f.update(func(tx store.Tx) error {
				for i, id := range []events.RoomID{"!r:example.org", "!other:example.org"} {
					num := []store.RoomNum{room, other}[i]
					if err := tx.PutAccountDatum(alice, store.AccountDatum{Room: id, Type: "m.tag", Content: []byte(`{}`), Pos: tx.Next()}); err != nil {
						return err
					}
					if err := tx.PutReceipt(store.Receipt{Room: num, User: alice, Type: "m.read", Event: rows[1].ID, EventPos: rows[1].Pos, Pos: tx.Next()}); err != nil {
						return err
					}
					if err := tx.PutText(store.Text{Pos: []store.Pos{rows[1].Pos, kept[1].Pos}[i], Room: num, Body: "word"}); err != nil {
						return err
					}
				}
				return nil
			})
			equal(f, purge(f, 2), 1) // nothing to do
			f.update(func(tx store.Tx) error { return tx.DeleteRoom(room) })
			equal(f, purge(f, 2), 5) // six events, the end of the room, and of all
			for _, row := range append(rows, reply) {
				f.missing(func(v store.View) error { _, err := v.Event(row.ID); return err })
			}
			f.view(func(v store.View) error {
				data, err := v.AccountDataSince(alice, 0)
				equal(f, len(data), 1)
				f.is(err, nil)
				receipts, err := v.ReceiptsChanged(room)
				equal(f, receipts, store.Pos(0))
				f.is(err, nil)
				found, err := v.SearchText(store.TextQuery{Words: []string{"word"}, Rooms: []store.RoomNum{room, other}, Body: true, Before: store.MaxPos, Limit: 10})
				equal(f, found, []store.Pos{kept[1].Pos})
				f.is(err, nil)
				_, err = v.Member(bob, other)
				f.is(err, nil)
				_, err = v.Event(theirs.ID)
				return err
			})
			f.relatedTo(store.RelatedQuery{Target: rows[2].Pos})
			f.relatedTo(store.RelatedQuery{Target: kept[1].Pos}, theirs)
			equal(f, purge(f, 2), 1)
		}},
	}
}
