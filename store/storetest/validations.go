package storetest

import "github.com/ca4c8834/homeserver/store"

func validations() []rule {
	full := store.Validation{
		ID: "1", Purpose: "register", Medium: "email", Address: "a@example.org", Secret: store.TokenHash{31: 1}, Token: store.TokenHash{31: 2},
		Attempt: 3, NextLink: "https://example.org", Tries: 4, ValidatedTS: 5, ExpiresTS: 600,
	}
	other := store.Validation{ID: "2", Purpose: "password", Medium: "email", Address: "a@example.org", Secret: full.Secret, Token: store.TokenHash{31: 3}, ExpiresTS: 100}
	put := func(f *fixture, now int64, all ...store.Validation) {
		f.Helper()
		for _, x := range all {
			f.update(func(tx store.Tx) error { return tx.PutValidation(x, now) })
		}
	}
	return []rule{
		{"Validation, ValidationOf and ValidationByToken find a validation; ErrNotFound", func(f *fixture) {
			put(f, 0, full, other)
			for _, want := range []store.Validation{full, other} {
				f.view(func(v store.View) error {
					got, err := v.Validation(want.ID)
					equal(f, got, want)
					if err != nil {
						return err
					}
					if got, err = v.ValidationOf(want.Secret, want.Medium, want.Address, want.Purpose); err != nil {
						return err
					}
					equal(f, got, want)
					got, err = v.ValidationByToken(want.Token)
					equal(f, got, want)
					return err
				})
			}
			f.missing(func(v store.View) error { _, err := v.Validation("3"); return err })
			f.missing(func(v store.View) error {
				_, err := v.ValidationOf(full.Secret, "email", "a@example.org", "add")
				return err
			})
			f.missing(func(v store.View) error {
				_, err := v.ValidationOf(store.TokenHash{}, "email", "a@example.org", "register")
				return err
			})
			f.missing(func(v store.View) error { _, err := v.ValidationByToken(full.Secret); return err })
		}},
		{"PutValidation adds a validation or replaces all of it, and removes those that expired before now", func(f *fixture) {
			put(f, 0, full, other)
			changed := store.Validation{ID: "1", Secret: store.TokenHash{5}, Token: store.TokenHash{6}, ExpiresTS: 700}
			put(f, 101, changed)
			f.view(func(v store.View) error {
				got, err := v.Validation("1")
				equal(f, got, changed)
				return err
			})
			f.missing(func(v store.View) error { _, err := v.Validation("2"); return err })
		}},
		{"DeleteValidation removes a validation; none is no error", func(f *fixture) {
			put(f, 0, full, other)
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteValidation("1") })
			}
			f.missing(func(v store.View) error { _, err := v.Validation("1"); return err })
			f.view(func(v store.View) error { _, err := v.Validation("2"); return err })
		}},
	}
}
