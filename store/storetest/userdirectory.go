package storetest

import (
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func userDirectory() []rule {
	put := func(f *fixture, user events.UserID, words ...string) {
		f.Helper()
		f.update(func(tx store.Tx) error { return tx.PutUserWords(user, words) })
	}
	find := func(f *fixture, q store.UserQuery) (users []events.UserID, all bool) {
		f.Helper()
		f.view(func(v store.View) (err error) { users, all, err = v.FindUsers(q); return err })
		return users, all
	}
	wants := func(f *fixture, words []string, want ...events.UserID) {
		f.Helper()
		got, all := find(f, store.UserQuery{Words: words, Limit: 100, Scan: 1000})
		equal(f, got, want)
		equal(f, all, true)
	}
	user := func(i int) events.UserID { return events.UserID(fmt.Sprintf("@u%03d:x", i)) }
	return []rule{
		{"PutUserWords replaces the words of a user; without words they are not found", func(f *fixture) {
			put(f, alice, "alice", "smith", "alice")
			put(f, bob, "bob")
			wants(f, []string{"alice"}, alice)
			put(f, alice, "carol", "smith")
			wants(f, []string{"alice"})
			wants(f, []string{"carol"}, alice)
			put(f, alice)
			wants(f, []string{"smith"})
			wants(f, []string{"bob"}, bob)
		}},
		{"FindUsers finds users who have for each of the query's words one that begins with it", func(f *fixture) {
			put(f, alice, "alice", "smith")
			put(f, bob, "bob", "smithers", "émile")
			wants(f, []string{"ali"}, alice)
			wants(f, []string{"lice"})
			wants(f, []string{"ali", "smi"}, alice)
			wants(f, []string{"smi", "bo"}, bob)
			wants(f, []string{"smi", "bo", "em"})
			wants(f, []string{"smi", "bo", "é", "émi", "smith"}, bob)
			wants(f, []string{"Smith"})
			wants(f, []string{"smith%"})
		}},
		{"FindUsers returns users, each once, ordered by their first word that begins with the query's first and then by ID", func(f *fixture) {
			put(f, user(3), "ann")
			put(f, user(2), "anna", "annabel")
			put(f, user(1), "annabel", "ann")
			put(f, user(4), "anna")
			wants(f, []string{"ann"}, user(1), user(3), user(2), user(4))
			wants(f, []string{"annab"}, user(1), user(2))
		}},
		{"FindUsers: Limit bounds how many are found; whether these are all", func(f *fixture) {
			var want []events.UserID
			for i := range 300 {
				put(f, user(i), "word", fmt.Sprint("even", i%2))
				if i%2 == 0 {
					want = append(want, user(i))
				}
			}
			for _, limit := range []int{1, 10, 149, 150, 151} {
				got, all := find(f, store.UserQuery{Words: []string{"word", "even0"}, Limit: limit, Scan: 1000})
				equal(f, got, want[:min(limit, len(want))])
				equal(f, all, limit >= len(want))
			}
		}},
		{"FindUsers: Scan bounds how many of the words that begin with the first one are looked at", func(f *fixture) {
			for i := range 300 {
				put(f, user(i), "word", fmt.Sprint("n", i))
			}
			for scan, want := range map[int]int{100: 0, 250: 0, 251: 1, 300: 1, 301: 1} {
				got, all := find(f, store.UserQuery{Words: []string{"word", "n250"}, Limit: 5, Scan: scan})
				equal(f, len(got), want)
				equal(f, all, scan > 300)
			}
		}},
		{"FindUsers: For finds only those who are joined to a room that this user is joined to as well, or to one that is open", func(f *fixture) {
			shared, open, closed, left := f.room("shared"), f.room("open"), f.room("closed"), f.room("left")
			f.update(func(tx store.Tx) error { return tx.SetRoomOpen(open, true) })
			join := func(room store.RoomNum, who events.UserID, membership string) {
				in := stateEvent(events.TypeMember, string(who), membership)
				in.ID += events.EventID(fmt.Sprint(room))
				f.add(room, in)
			}
			join(shared, alice, "join")
			join(left, alice, "leave")
			var want []events.UserID
			for i, where := range []struct {
				room       store.RoomNum
				membership string
				found      bool
			}{
				{shared, "join", true}, {shared, "invite", false}, {shared, "leave", false}, {open, "join", true},
				{open, "leave", false}, {closed, "join", false}, {left, "join", false},
			} {
				put(f, user(i), "word")
				join(where.room, user(i), where.membership)
				if where.found {
					want = append(want, user(i))
				}
			}
			put(f, user(100), "word") // who is nowhere
			join(open, user(0), "join")
			put(f, user(3), "n3", "words", "word")
			for i := range 50 { // strangers, who come first
				put(f, events.UserID(fmt.Sprintf("@a%03d:x", i)), "word", "n3")
			}
			for _, words := range [][]string{{"word"}, {"wo", "w"}} { // Scan is too small, and nobody is missed
				got, all := find(f, store.UserQuery{Words: words, For: alice, Limit: 100, Scan: 10})
				equal(f, got, want)
				equal(f, all, true)
				got, all = find(f, store.UserQuery{Words: words, For: alice, Limit: 1, Scan: 10})
				equal(f, got, want[:1])
				equal(f, all, false)
			}
			for _, words := range [][]string{{"word", "n3"}, {"n3", "wor"}} {
				got, all := find(f, store.UserQuery{Words: words, For: bob, Limit: 100, Scan: 10})
				equal(f, got, []events.UserID{user(3)})
				equal(f, all, true)
			}
			got, all := find(f, store.UserQuery{Words: []string{"word"}, For: alice, Limit: 100, Scan: 100})
			equal(f, got, want)
			equal(f, all, true)
			got, _ = find(f, store.UserQuery{Words: []string{"word"}, For: bob, Limit: 100, Scan: 100})
			equal(f, got, []events.UserID{user(0), user(3)})
			f.update(func(tx store.Tx) error { return tx.SetRoomOpen(open, false) })
			got, _ = find(f, store.UserQuery{Words: []string{"word"}, For: bob, Limit: 100, Scan: 100})
			equal(f, len(got), 0)
		}},
	}
}
