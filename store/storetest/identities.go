package storetest

import "github.com/ca4c8834/homeserver/store"

func identities() []rule {
	github := store.Identity{Provider: "github", Subject: "42", User: alice, CreatedTS: 7}
	google := store.Identity{Provider: "google", Subject: "42", User: alice, CreatedTS: 8}
	other := store.Identity{Provider: "github", Subject: "43", User: bob, CreatedTS: 9}
	put := func(f *fixture, all ...store.Identity) {
		f.Helper()
		for _, i := range all {
			f.update(func(tx store.Tx) error { return tx.PutIdentity(i) })
		}
	}
	return []rule{
		{"Identity returns the identity with this subject at a provider; ErrNotFound", func(f *fixture) {
			put(f, github, google, other)
			for _, want := range []store.Identity{github, google, other} {
				f.view(func(v store.View) error {
					got, err := v.Identity(want.Provider, want.Subject)
					equal(f, got, want)
					return err
				})
			}
			f.missing(func(v store.View) error { _, err := v.Identity("google", "43"); return err })
		}},
		{"IdentitiesOf returns the identities of a user, ordered by provider and subject", func(f *fixture) {
			put(f, google, other, github)
			f.view(func(v store.View) error {
				got, err := v.IdentitiesOf(alice)
				equal(f, got, []store.Identity{github, google})
				return err
			})
		}},
		{"PutIdentity: ErrExists if it is a user's already", func(f *fixture) {
			put(f, github)
			f.refused(store.ErrExists, func(tx store.Tx) error {
				return tx.PutIdentity(store.Identity{Provider: "github", Subject: "42", User: bob})
			})
		}},
		{"DeleteIdentities removes all identities of a user; none is no error", func(f *fixture) {
			put(f, github, google, other)
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteIdentities(alice) })
			}
			f.missing(func(v store.View) error { _, err := v.Identity("github", "42"); return err })
			f.missing(func(v store.View) error { _, err := v.Identity("google", "42"); return err })
			f.view(func(v store.View) error { _, err := v.Identity("github", "43"); return err })
		}},
	}
}
