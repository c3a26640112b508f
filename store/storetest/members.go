package storetest

import (
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func members() []rule {
	of := func(f *fixture, user events.UserID) (got []store.Member) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.RoomsOf(user); return err })
		return got
	}
	member := func(user events.UserID, membership string) *events.Event {
		return stateEvent(events.TypeMember, string(user), membership)
	}
	return []rule{
		{"Member returns the current membership of a user in a room; ErrNotFound if there is no member event", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			f.add(room, member(alice, "invite"))
			row := f.add(room, member(alice, "join"))[0]
			f.add(other, member(bob, "ban"))
			f.view(func(v store.View) error {
				got, err := v.Member(alice, room)
				equal(f, got, store.Member{Room: room, RoomID: "!r:example.org", User: alice, Membership: "join", Pos: row.Pos})
				return err
			})
			f.missing(func(v store.View) error { _, err := v.Member(bob, room); return err })
			f.missing(func(v store.View) error { _, err := v.Member(alice, other); return err })
		}},
		{"RoomsOf returns all rooms that a user has a member event in, ordered by room number", func(f *fixture) {
			one, two, three := f.room("one"), f.room("two"), f.room("three")
			second := f.add(two, member(alice, "invite"))[0]
			first := f.add(one, member(alice, "ban"))[0]
			f.add(three, member(bob, "join"), stateEvent("org.example.member", string(alice), "join"))
			equal(f, of(f, alice), []store.Member{
				{Room: one, RoomID: "!one:example.org", User: alice, Membership: "ban", Pos: first.Pos},
				{Room: two, RoomID: "!two:example.org", User: alice, Membership: "invite", Pos: second.Pos},
			})
			equal(f, len(of(f, "@carl:example.org")), 0)
		}},
		{"an m.room.member event becomes the row of its user in Members", func(f *fixture) {
			room := f.room("r")
			for _, m := range []string{"knock", "invite", "join", "leave", "ban"} {
				row := f.add(room, member(alice, m))[0]
				equal(f, of(f, alice), []store.Member{{Room: room, RoomID: "!r:example.org", User: alice, Membership: m, Pos: row.Pos}})
			}
		}},
		{"ForgetRoom marks a room as forgotten by a user, until their next member event", func(f *fixture) {
			room := f.room("r")
			f.add(room, member(alice, "leave"), member(bob, "leave"))
			f.update(func(tx store.Tx) error { return tx.ForgetRoom(alice, room) })
			equal(f, of(f, alice)[0].Forgotten, true)
			equal(f, of(f, bob)[0].Forgotten, false)
			f.add(room, member(bob, "join"))
			equal(f, of(f, alice)[0].Forgotten, true)
			f.add(room, member(alice, "invite"))
			equal(f, of(f, alice)[0].Forgotten, false)
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.ForgetRoom("@carl:example.org", room) })
		}},
		{"RoomActivity returns the position of the newest event or receipt of each room that a user is joined to, invited to or knocking on", func(f *fixture) {
			want := map[store.RoomNum]store.Pos{}
			for _, m := range []string{"join", "invite", "knock", "leave", "ban"} {
				room := f.room(m)
				in := member(alice, m)
				in.ID += events.EventID(m)
				f.add(room, in)
				row := f.add(room, message(m))[0]
				if m != "leave" && m != "ban" {
					want[room] = row.Pos
				}
			}
			f.update(func(tx store.Tx) error { return put(tx, "no event") })
			receipt := f.room("receipt")
			f.add(receipt, stateEvent(events.TypeMember, string(alice), "join"))
			f.update(func(tx store.Tx) error {
				want[receipt] = tx.Next()
				return tx.PutReceipt(store.Receipt{Room: receipt, User: bob, Type: "m.read", Event: "$1", Pos: want[receipt]})
			})
			f.view(func(v store.View) error {
				got, err := v.RoomActivity(alice)
				equal(f, got, want)
				none, err2 := v.RoomActivity(bob)
				equal(f, len(none), 0)
				f.is(err2, nil)
				return err
			})
		}},
		{"SharedRooms returns the rooms that both users are joined to, ordered by number", func(f *fixture) {
			var want []store.Room
			for i, m := range [][2]string{{"join", "join"}, {"join", "leave"}, {"invite", "join"}, {"join", "join"}, {"join", ""}} {
				name := fmt.Sprint("r", 9-i)
				room := f.room(name)
				for j, user := range []events.UserID{alice, bob} {
					if m[j] != "" {
						in := member(user, m[j])
						in.ID += events.EventID(name)
						f.add(room, in)
					}
				}
				if m == [2]string{"join", "join"} {
					want = append(want, store.Room{Num: room, ID: events.RoomID("!" + name + ":example.org"), Version: "12"})
				}
			}
			f.view(func(v store.View) error {
				for _, pair := range [][2]events.UserID{{alice, bob}, {bob, alice}} {
					got, err := v.SharedRooms(pair[0], pair[1])
					f.is(err, nil)
					equal(f, got, want)
				}
				none, err := v.SharedRooms(alice, "@carl:example.org")
				equal(f, len(none), 0)
				return err
			})
		}},
		{"SharingRoom returns those of the others who are joined to a room that the user is joined to", func(f *fixture) {
			one, two := f.room("one"), f.room("two")
			user := func(i int) events.UserID { return events.UserID(fmt.Sprintf("@u%d:example.org", i)) }
			f.add(one, member(alice, "join"))
			f.add(two, member(alice, "leave"))
			others := []events.UserID{bob}
			want := map[events.UserID]bool{}
			for i := range 40 { // more than one statement takes
				others = append(others, user(i))
				m := []string{"join", "invite", "leave", "ban", "knock"}[i%5]
				f.add(one, member(user(i), m))
				in := member(user(i), "join")
				in.ID += "2"
				f.add(two, in)
				if m == "join" {
					want[user(i)] = true
				}
			}
			f.view(func(v store.View) error {
				shared, err := v.SharingRoom(alice, others)
				got := map[events.UserID]bool{}
				for _, u := range shared {
					got[u] = true
				}
				equal(f, got, want)
				equal(f, len(shared), len(want))
				return err
			})
		}},
	}
}
