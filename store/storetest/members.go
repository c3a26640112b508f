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
				equal(f, got, store.Member{Room: room, RoomID: "!r:example.org", User: alice, Membership: "join", Pos: row.Pos, Been: true})
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
				equal(f, of(f, alice), []store.Member{{
					Room: room, RoomID: "!r:example.org", User: alice, Membership: m, Pos: row.Pos,
					Been: m != "knock" && m != "invite",
				}})
			}
		}},
		{"a Member tells whether the user was joined at some time, and whether somebody else has put an end to it", func(f *fixture) {
			by := func(sender events.UserID, membership string) *events.Event {
				e := member(alice, membership)
				e.Sender = sender
				return e
			}
			for name, tt := range map[string]struct {
				events        []*events.Event
				been, removed bool
			}{
				"invited":                    {[]*events.Event{by(bob, "invite")}, false, false},
				"declined":                   {[]*events.Event{by(bob, "invite"), by(alice, "leave")}, false, false},
				"invite retracted":           {[]*events.Event{by(bob, "invite"), by(bob, "leave")}, false, false},
				"banned without having been": {[]*events.Event{by(bob, "ban")}, false, false},
				"joined":                     {[]*events.Event{by(alice, "join")}, true, false},
				"left":                       {[]*events.Event{by(alice, "join"), by(alice, "leave")}, true, false},
				"kicked":                     {[]*events.Event{by(alice, "join"), by(bob, "leave")}, true, true},
				"banned":                     {[]*events.Event{by(alice, "join"), by(bob, "ban")}, true, true},
				"banned after leaving":       {[]*events.Event{by(alice, "join"), by(alice, "leave"), by(bob, "ban")}, true, true},
				"kicked and back":            {[]*events.Event{by(alice, "join"), by(bob, "leave"), by(alice, "join")}, true, false},
				"kicked and invited":         {[]*events.Event{by(alice, "join"), by(bob, "leave"), by(bob, "invite")}, true, false},
			} {
				room := f.room(name)
				for i, e := range tt.events {
					e.ID += events.EventID(fmt.Sprint(name, i))
				}
				f.add(room, tt.events...)
				f.view(func(v store.View) error {
					got, err := v.Member(alice, room)
					if got.Been != tt.been || got.Removed != tt.removed {
						f.Errorf("%s: been %v, removed %v", name, got.Been, got.Removed)
					}
					return err
				})
			}
		}},
		{"m.room.create and m.room.encryption give the type and the encryption of the room", func(f *fixture) {
			plain, other := f.room("plain"), f.room("other")
			f.add(plain, member(alice, "join"))
			create := stateEvent(events.TypeCreate, "", "")
			create.Content = []byte(`{"type":"org.example.größe, 1"}`)
			elsewhere := stateEvent(events.TypeEncryption, "x", "")
			again := member(alice, "join")
			again.ID += "2"
			f.add(other, create, again, elsewhere)
			third := f.room("third")
			knock := member(alice, "knock")
			knock.ID += "3"
			f.add(third, knock)
			var got []string
			for _, m := range of(f, alice) {
				got = append(got, fmt.Sprint(m.RoomID, " ", m.Membership, " ", m.RoomType))
			}
			equal(f, got, []string{"!plain:example.org join ", "!other:example.org join org.example.größe, 1", "!third:example.org knock "})
			equal(f, of(f, alice)[1].Encrypted, false)
			f.add(other, stateEvent(events.TypeEncryption, "", ""))
			equal(f, []bool{of(f, alice)[0].Encrypted, of(f, alice)[1].Encrypted, of(f, alice)[2].Encrypted}, []bool{false, true, false})
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
		{"NewestEvents and NewestReceipts return the position of the newest event, and of the newest receipt if there is any, of each room that a user is joined to", func(f *fixture) {
			newest, receipts := map[store.RoomNum]store.Pos{}, map[store.RoomNum]store.Pos{}
			receipt := func(room store.RoomNum, user events.UserID) (pos store.Pos) {
				f.update(func(tx store.Tx) error {
					pos = tx.Next()
					return tx.PutReceipt(store.Receipt{Room: room, User: user, Type: "m.read", Event: "$1", Pos: pos})
				})
				return pos
			}
			for _, m := range []string{"join", "invite", "knock", "leave", "ban"} {
				room := f.room(m)
				in := member(alice, m)
				in.ID += events.EventID(m)
				f.add(room, in)
				row := f.add(room, message(m))[0]
				receipt(room, alice)
				if pos := receipt(room, bob); m == "join" {
					newest[room], receipts[room] = row.Pos, pos
				}
			}
			f.update(func(tx store.Tx) error { return put(tx, "no event") })
			quiet := f.room("quiet")
			newest[quiet] = f.add(quiet, stateEvent(events.TypeMember, string(alice), "join"))[0].Pos
			f.view(func(v store.View) error {
				for _, tt := range []struct {
					of   func(events.UserID) (map[store.RoomNum]store.Pos, error)
					want map[store.RoomNum]store.Pos
				}{{v.NewestEvents, newest}, {v.NewestReceipts, receipts}} {
					got, err := tt.of(alice)
					f.is(err, nil)
					equal(f, got, tt.want)
					none, err := tt.of(bob)
					f.is(err, nil)
					equal(f, len(none), 0)
				}
				return nil
			})
		}},
		{"MemberCounts returns how many members of each membership a room has, FirstMembers those with the oldest member events", func(f *fixture) {
			room, other := f.room("r"), f.room("other")
			user := func(i int) events.UserID { return events.UserID(fmt.Sprintf("@u%d:example.org", 9-i)) }
			for i, m := range []string{"join", "invite", "join", "leave", "join", "join"} {
				f.add(room, member(user(i), m))
			}
			again := member(user(2), "leave")
			again.ID += "2"
			back := member(user(2), "join")
			back.ID += "3"
			f.add(room, again, back)
			f.add(other, member(alice, "join"))
			f.view(func(v store.View) error {
				counts, err := v.MemberCounts(room)
				f.is(err, nil)
				equal(f, counts, map[string]int{"join": 4, "invite": 1, "leave": 1})
				for limit, want := range [][]events.UserID{nil, {user(0)}, {user(0), user(4)}, {user(0), user(4), user(5)}, {user(0), user(4), user(5), user(2)}, {user(0), user(4), user(5), user(2)}} {
					first, err := v.FirstMembers(room, "join", limit)
					f.is(err, nil)
					equal(f, first, want)
				}
				none, err := v.FirstMembers(other, "invite", 3)
				equal(f, len(none), 0)
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
