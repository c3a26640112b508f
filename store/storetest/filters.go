package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func filters() []rule {
	put := func(f *fixture, user events.UserID, definition string) (id string) {
		f.Helper()
		f.update(func(tx store.Tx) (err error) { id, err = tx.PutFilter(user, []byte(definition)); return err })
		return id
	}
	return []rule{
		{"Filter returns the definition a user stored under an ID", func(f *fixture) {
			defs := []string{`{"a":1}`, `{"a":2}`, `{}`}
			for _, d := range defs {
				put(f, bob, d)
				id := put(f, alice, d)
				f.view(func(v store.View) error {
					got, err := v.Filter(alice, id)
					equal(f, string(got), d)
					return err
				})
			}
		}},
		{"Filter: ErrNotFound", func(f *fixture) {
			id := put(f, alice, `{}`)
			for _, wrong := range []string{"", "99", "-1", "0" + id, "+" + id, "x", "99999999999999999999"} {
				f.missing(func(v store.View) error { _, err := v.Filter(alice, wrong); return err })
			}
			f.missing(func(v store.View) error { _, err := v.Filter(bob, id); return err })
		}},
		{"FILT-4: the same definition of the same user gets the ID it has already, decimal digits", func(f *fixture) {
			one, two := put(f, alice, `{"a":1}`), put(f, alice, `{"a":2}`)
			if one == two {
				f.Errorf("two definitions have the ID %s", one)
			}
			equal(f, put(f, alice, `{"a":1}`), one)
			equal(f, put(f, alice, `{"a":2}`), two)
			for _, id := range []string{one, two} {
				for _, c := range id {
					if c < '0' || c > '9' {
						f.Errorf("ID %q", id)
					}
				}
			}
		}},
	}
}
