package storetest

import "github.com/ca4c8834/homeserver/store"

func tickets() []rule {
	first := store.Ticket{Hash: store.TokenHash{31: 1}, Purpose: "login", User: alice, ExpiresTS: 100}
	second := store.Ticket{Hash: store.TokenHash{31: 2}, Purpose: "openid", User: alice, ExpiresTS: 200}
	third := store.Ticket{Hash: store.TokenHash{31: 3}, Purpose: "login", User: bob, ExpiresTS: 300}
	// there wants these tickets, and no others of the three.
	there := func(f *fixture, want ...store.Ticket) {
		f.Helper()
		var got []store.Ticket
		f.view(func(v store.View) error {
			for _, k := range []store.Ticket{first, second, third} {
				if found, err := v.Ticket(k.Hash); err == nil {
					got = append(got, found)
				} else {
					f.is(err, store.ErrNotFound)
				}
			}
			return nil
		})
		equal(f, got, want)
	}
	put := func(f *fixture, now int64, ks ...store.Ticket) {
		f.Helper()
		for _, k := range ks {
			f.update(func(tx store.Tx) error { return tx.PutTicket(k, now) })
		}
	}
	return []rule{
		{"Ticket returns the ticket with this hash", func(f *fixture) {
			there(f)
			put(f, 0, first, second, third)
			there(f, first, second, third)
		}},
		{"PutTicket removes all tickets that expired before now", func(f *fixture) {
			put(f, 0, first, second)
			put(f, 200, third)
			there(f, second, third)
		}},
		{"DeleteTicket removes a ticket; none is no error", func(f *fixture) {
			put(f, 0, first, second, third)
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteTicket(second.Hash) })
			}
			there(f, first, third)
		}},
		{"DeleteTickets removes all tickets of a user; none is no error", func(f *fixture) {
			put(f, 0, first, second, third)
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteTickets(alice) })
			}
			there(f, third)
		}},
	}
}
