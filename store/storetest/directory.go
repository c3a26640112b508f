package storetest

import (
	"fmt"

	"github.com/ca4c8834/homeserver/store"
)

func directory() []rule {
	put := func(f *fixture, list string, ls ...store.Listing) {
		f.Helper()
		f.update(func(tx store.Tx) error {
			for _, l := range ls {
				if err := tx.PutListing(list, l); err != nil {
					return err
				}
			}
			return nil
		})
	}
	find := func(f *fixture, q store.ListingQuery) (rooms []store.RoomNum) {
		f.Helper()
		f.view(func(v store.View) error {
			found, err := v.Listings(q)
			for _, l := range found {
				rooms = append(rooms, l.Room)
			}
			return err
		})
		return rooms
	}
	listing := func(room store.RoomNum, joined int64) store.Listing {
		return store.Listing{Room: room, Joined: joined, Search: fmt.Sprintf("room %d of %d", room, joined), Entry: []byte(`{}`)}
	}
	own, irc, xmpp := store.ServerList, "bridge|irc", "bridge|xmpp"
	return []rule{
		{"PutListing puts a room into a list, or replaces what the list has of it", func(f *fixture) {
			first := store.Listing{Room: 7, Joined: 3, Type: "m.space", Search: "tea", Entry: []byte(`{"name":"Tea"}`)}
			second := store.Listing{Room: 7, Joined: 4, Search: "coffee", Entry: []byte(`{"name":"Coffee"}`)}
			for _, want := range []store.Listing{first, second} {
				put(f, own, want)
				f.view(func(v store.View) error {
					got, err := v.Listings(store.ListingQuery{List: &own, Limit: 5})
					equal(f, got, []store.Listing{want})
					return err
				})
			}
		}},
		{"ListsOf returns the lists that a room is in, ordered; DeleteListing takes it out of one; one that is not in it is no error", func(f *fixture) {
			lists := func() (got []string) {
				f.view(func(v store.View) (err error) { got, err = v.ListsOf(7); return err })
				return got
			}
			put(f, xmpp, listing(7, 1))
			put(f, own, listing(7, 1), listing(8, 1))
			put(f, irc, listing(7, 1))
			equal(f, lists(), []string{own, irc, xmpp})
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteListing(irc, 7) })
				equal(f, lists(), []string{own, xmpp})
			}
			f.update(func(tx store.Tx) error { return tx.DeleteListing(xmpp, 8) })
			equal(f, find(f, store.ListingQuery{List: &own, Limit: 5}), []store.RoomNum{8, 7})
		}},
		{"Listings returns up to q.Limit listings from where the page begins, ordered by members, the most first, and then by room, the latest first; or the other way round", func(f *fixture) {
			put(f, own, listing(2, 5), listing(3, 9), listing(4, 5), listing(5, 0))
			put(f, irc, listing(6, 7))
			equal(f, find(f, store.ListingQuery{List: &own, Limit: 9}), []store.RoomNum{3, 4, 2, 5})
			equal(f, find(f, store.ListingQuery{List: &own, Limit: 2}), []store.RoomNum{3, 4})
			equal(f, find(f, store.ListingQuery{List: &own, Joined: 5, Room: 4, Limit: 9}), []store.RoomNum{2, 5})
			equal(f, find(f, store.ListingQuery{List: &own, Joined: 5, Room: 2, Up: true, Limit: 9}), []store.RoomNum{4, 3})
			equal(f, find(f, store.ListingQuery{List: &own, Up: true, Limit: 2}), []store.RoomNum{5, 2})
			equal(f, len(find(f, store.ListingQuery{List: &own})), 0)
		}},
		{"Listings: List is the list to look at; nil: all of them, each room once", func(f *fixture) {
			put(f, own, listing(2, 5))
			put(f, irc, listing(2, 5), listing(3, 4))
			put(f, xmpp, listing(2, 5), listing(4, 6))
			equal(f, find(f, store.ListingQuery{List: &irc, Limit: 9}), []store.RoomNum{2, 3})
			equal(f, find(f, store.ListingQuery{Limit: 9}), []store.RoomNum{4, 2, 3})
			equal(f, find(f, store.ListingQuery{Joined: 5, Room: 2, Limit: 9}), []store.RoomNum{3})
			equal(f, find(f, store.ListingQuery{Joined: 5, Room: 2, Up: true, Limit: 9}), []store.RoomNum{4})
		}},
		{"Listings: Search is contained in what is found; empty is in everything", func(f *fixture) {
			tea, any := listing(2, 5), listing(3, 4)
			tea.Search, any.Search = "100% tea_time\n#tea:x", ""
			put(f, own, tea, any)
			for _, search := range []string{"tea_", "100% t", "e\n#t", "#tea:x"} {
				equal(f, find(f, store.ListingQuery{List: &own, Search: search, Limit: 9}), []store.RoomNum{2})
			}
			for _, search := range []string{"tea%", "Tea", "t_a", "*"} {
				equal(f, len(find(f, store.ListingQuery{List: &own, Search: search, Limit: 9})), 0)
			}
			equal(f, find(f, store.ListingQuery{List: &own, Limit: 9}), []store.RoomNum{2, 3})
		}},
		{"Listings: Types are the types of what is found, \"\" for rooms without a type", func(f *fixture) {
			space, none, other := listing(2, 5), listing(3, 4), listing(4, 3)
			space.Type, other.Type = "m.space", "org.example"
			put(f, own, space, none, other)
			equal(f, find(f, store.ListingQuery{List: &own, Types: []string{"m.space", "org.example"}, Limit: 9}), []store.RoomNum{2, 4})
			equal(f, find(f, store.ListingQuery{List: &own, Types: []string{""}, Limit: 9}), []store.RoomNum{3})
			many := make([]string, store.MaxListingTypes)
			many[store.MaxListingTypes-1] = "m.space"
			equal(f, find(f, store.ListingQuery{Types: many, Limit: 9}), []store.RoomNum{2, 3})
		}},
		{"CountListings returns how many rooms are in a list", func(f *fixture) {
			put(f, own, listing(2, 5), listing(3, 4), listing(4, 1))
			put(f, own, listing(3, 7))
			put(f, irc, listing(4, 3))
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteListing(own, 4) })
			}
			f.view(func(v store.View) error {
				for list, want := range map[string]int64{own: 2, irc: 1, xmpp: 0} {
					n, err := v.CountListings(list)
					f.is(err, nil)
					equal(f, n, want)
				}
				return nil
			})
		}},
	}
}
