package storetest

import "github.com/ca4c8834/homeserver/store"

func threePIDs() []rule {
	mail := store.ThreePID{Medium: "email", Address: "a@example.org", User: alice, ValidatedTS: 1, AddedTS: 2}
	phone := store.ThreePID{Medium: "msisdn", Address: "447700900001", User: alice, ValidatedTS: 3, AddedTS: 4}
	other := store.ThreePID{Medium: "email", Address: "b@example.org", User: bob}
	put := func(f *fixture, all ...store.ThreePID) {
		f.Helper()
		for _, p := range all {
			f.update(func(tx store.Tx) error { return tx.PutThreePID(p) })
		}
	}
	return []rule{
		{"ThreePID returns whose an address is; ErrNotFound", func(f *fixture) {
			put(f, mail, phone, other)
			for _, want := range []store.ThreePID{mail, phone, other} {
				f.view(func(v store.View) error {
					got, err := v.ThreePID(want.Medium, want.Address)
					equal(f, got, want)
					return err
				})
			}
			f.missing(func(v store.View) error { _, err := v.ThreePID("msisdn", "a@example.org"); return err })
		}},
		{"ThreePIDsOf returns the addresses of a user, ordered by medium and address", func(f *fixture) {
			put(f, phone, other, mail)
			f.view(func(v store.View) error {
				got, err := v.ThreePIDsOf(alice)
				equal(f, got, []store.ThreePID{mail, phone})
				return err
			})
		}},
		{"PutThreePID: ErrExists if it is somebody's already", func(f *fixture) {
			put(f, mail)
			f.refused(store.ErrExists, func(tx store.Tx) error {
				return tx.PutThreePID(store.ThreePID{Medium: mail.Medium, Address: mail.Address, User: bob})
			})
		}},
		{"DeleteThreePID removes an address; ErrNotFound", func(f *fixture) {
			put(f, mail, phone)
			f.update(func(tx store.Tx) error { return tx.DeleteThreePID(mail.Medium, mail.Address) })
			f.missing(func(v store.View) error { _, err := v.ThreePID(mail.Medium, mail.Address); return err })
			f.view(func(v store.View) error { _, err := v.ThreePID(phone.Medium, phone.Address); return err })
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteThreePID(mail.Medium, mail.Address) })
		}},
		{"BindingsOf returns where addresses of a user are bound; putting one twice and deleting none is no error", func(f *fixture) {
			first := store.Binding{User: alice, Medium: "email", Address: "a@example.org", IDServer: "id.example.com"}
			second := store.Binding{User: alice, Medium: "email", Address: "a@example.org", IDServer: "id.example.net"}
			theirs := store.Binding{User: bob, Medium: "email", Address: "a@example.org", IDServer: "id.example.com"}
			f.update(func(tx store.Tx) error {
				for _, b := range []store.Binding{second, first, theirs, first} {
					if err := tx.PutBinding(b); err != nil {
						return err
					}
				}
				return nil
			})
			bound := func(want ...store.Binding) {
				f.view(func(v store.View) error {
					got, err := v.BindingsOf(alice)
					equal(f, got, want)
					return err
				})
			}
			bound(first, second)
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteBinding(first) })
			}
			bound(second)
			f.view(func(v store.View) error {
				got, err := v.BindingsOf(bob)
				equal(f, got, []store.Binding{theirs})
				return err
			})
		}},
	}
}
