package storetest

import "github.com/ca4c8834/homeserver/store"

func tokens() []rule {
	return []rule{
		{"Token returns the token with this hash, an expired one like any other", func(f *fixture) {
			want := store.Token{Hash: store.TokenHash{31: 1}, User: alice, Device: "D", CreatedTS: 5, ExpiresTS: 6}
			f.update(func(tx store.Tx) error {
				if err := tx.PutDevice(store.Device{User: alice, ID: "D"}); err != nil {
					return err
				}
				return tx.PutToken(want)
			})
			f.view(func(v store.View) error {
				got, err := v.Token(want.Hash)
				equal(f, got, want)
				return err
			})
			f.missing(func(v store.View) error { _, err := v.Token(store.TokenHash{31: 2}); return err })
		}},
		{"PutToken: ErrNotFound if its device does not exist", func(f *fixture) {
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.PutToken(store.Token{User: alice, Device: "D"}) })
		}},
		{"DeleteTokens removes all tokens of a device; none is no error", func(f *fixture) {
			f.update(func(tx store.Tx) error {
				for i, device := range []string{"A", "A", "B"} {
					if err := tx.PutDevice(store.Device{User: alice, ID: device}); err != nil {
						return err
					}
					if err := tx.PutToken(store.Token{Hash: store.TokenHash{byte(i)}, User: alice, Device: device}); err != nil {
						return err
					}
				}
				return nil
			})
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteTokens(alice, "A") })
			}
			for i := range byte(2) {
				f.missing(func(v store.View) error { _, err := v.Token(store.TokenHash{i}); return err })
			}
			f.view(func(v store.View) error { _, err := v.Token(store.TokenHash{2}); return err })
		}},
	}
}
