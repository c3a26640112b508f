package storetest

import "github.com/ca4c8834/homeserver/store"

func registrations() []rule {
	friends := store.RegistrationToken{Hash: store.TokenHash{31: 1}, Name: "friends", CreatedTS: 1, ExpiresTS: 2, Uses: 3, Used: 4}
	family := store.RegistrationToken{Hash: store.TokenHash{31: 2}, Name: "family"}
	more := store.RegistrationToken{Hash: store.TokenHash{30: 1}, Name: "family"}
	put := func(f *fixture, ks ...store.RegistrationToken) {
		f.Helper()
		for _, k := range ks {
			f.update(func(tx store.Tx) error { return tx.PutRegistrationToken(k) })
		}
	}
	return []rule{
		{"PutRegistrationToken adds a token or replaces all of it", func(f *fixture) {
			put(f, friends)
			for _, want := range []store.RegistrationToken{friends, {Hash: friends.Hash, Name: "x"}} {
				put(f, want)
				f.view(func(v store.View) error {
					got, err := v.RegistrationToken(friends.Hash)
					equal(f, got, want)
					return err
				})
			}
			f.missing(func(v store.View) error { _, err := v.RegistrationToken(family.Hash); return err })
		}},
		{"RegistrationTokens returns all tokens, ordered by name and hash", func(f *fixture) {
			put(f, friends, more, family)
			f.view(func(v store.View) error {
				got, err := v.RegistrationTokens()
				equal(f, got, []store.RegistrationToken{family, more, friends})
				return err
			})
		}},
		{"DeleteRegistrationToken removes a token; ErrNotFound", func(f *fixture) {
			put(f, friends, family)
			f.update(func(tx store.Tx) error { return tx.DeleteRegistrationToken(friends.Hash) })
			f.missing(func(v store.View) error { _, err := v.RegistrationToken(friends.Hash); return err })
			f.view(func(v store.View) error { _, err := v.RegistrationToken(family.Hash); return err })
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteRegistrationToken(friends.Hash) })
		}},
		{"Consents returns what a user has agreed to, ordered by policy and version; the first of a version stays", func(f *fixture) {
			want := []store.Consent{
				{User: alice, Policy: "privacy", Version: "2", TS: 5},
				{User: alice, Policy: "terms", Version: "1", TS: 3},
				{User: alice, Policy: "terms", Version: "2", TS: 4},
			}
			f.update(func(tx store.Tx) error {
				for _, c := range []store.Consent{want[1], want[2], {User: bob, Policy: "terms", Version: "9"}, want[0]} {
					if err := tx.PutConsent(c); err != nil {
						return err
					}
				}
				return tx.PutConsent(store.Consent{User: alice, Policy: "terms", Version: "1", TS: 9})
			})
			f.view(func(v store.View) error {
				got, err := v.Consents(alice)
				equal(f, got, want)
				return err
			})
		}},
	}
}
