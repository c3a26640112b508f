package storetest

import (
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func profiles() []rule {
	profile := func(f *fixture, user events.UserID) (got []store.ProfileField) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.Profile(user); return err })
		return got
	}
	return []rule{
		{"Profile returns the fields of a user, ordered by name; none for a user who has none or does not exist", func(f *fixture) {
			equal(f, len(profile(f, alice)), 0)
			want := []store.ProfileField{
				{Name: "avatar_url", Value: []byte(`"mxc://x/y"`)},
				{Name: "displayname", Value: []byte(`"Alice"`)},
				{Name: "m.tz", Value: []byte(`"Europe/Berlin"`)},
			}
			f.update(func(tx store.Tx) error {
				for _, i := range []int{2, 0, 1} {
					if err := tx.PutProfileField(alice, want[i]); err != nil {
						return err
					}
				}
				return tx.PutProfileField(bob, want[0])
			})
			equal(f, profile(f, alice), want)
			equal(f, profile(f, bob), want[:1])
		}},
		{"ProfileFieldOf returns the value of one field of each of the users who has it", func(f *fixture) {
			var users []events.UserID
			want := map[events.UserID][]byte{}
			f.update(func(tx store.Tx) error {
				for i := range 40 { // more than one statement takes
					user, value := events.UserID(fmt.Sprintf("@u%d:x", i)), fmt.Appendf(nil, "%d", i)
					if i%3 == 0 {
						want[user] = value
						if err := tx.PutProfileField(user, store.ProfileField{Name: "m.x", Value: value}); err != nil {
							return err
						}
					}
					if err := tx.PutProfileField(user, store.ProfileField{Name: "m.y", Value: []byte(`0`)}); err != nil {
						return err
					}
					users = append(users, user)
				}
				return tx.PutProfileField(alice, store.ProfileField{Name: "m.x", Value: []byte(`1`)})
			})
			f.view(func(v store.View) error {
				got, err := v.ProfileFieldOf(users, "m.x")
				equal(f, got, want)
				none, err2 := v.ProfileFieldOf(nil, "m.x")
				equal(f, len(none), 0)
				f.is(err2, nil)
				return err
			})
		}},
		{"PutProfileField sets a field", func(f *fixture) {
			for _, name := range []string{`"one"`, `"two"`} {
				f.update(func(tx store.Tx) error {
					return tx.PutProfileField(alice, store.ProfileField{Name: "displayname", Value: []byte(name)})
				})
				equal(f, profile(f, alice), []store.ProfileField{{Name: "displayname", Value: []byte(name)}})
			}
		}},
		{"DeleteProfileField removes a field; one that is not there is no error", func(f *fixture) {
			f.update(func(tx store.Tx) error {
				for _, u := range []events.UserID{alice, bob} {
					if err := tx.PutProfileField(u, store.ProfileField{Name: "m.tz", Value: []byte(`"UTC"`)}); err != nil {
						return err
					}
				}
				return nil
			})
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteProfileField(alice, "m.tz") })
			}
			equal(f, len(profile(f, alice)), 0)
			equal(f, len(profile(f, bob)), 1)
		}},
		{"ProfileChanges returns up to limit changes after a position, ordered by position; of a field there is the latest; DeleteProfileChange spares later ones", func(f *fixture) {
			note := func(user events.UserID, name string) (c store.ProfileChange) {
				f.update(func(tx store.Tx) error {
					c = store.ProfileChange{User: user, Name: name, Pos: tx.Next()}
					return tx.PutProfileChange(c)
				})
				return c
			}
			noted := func(after store.Pos, limit int) (got []store.ProfileChange) {
				f.view(func(v store.View) (err error) { got, err = v.ProfileChanges(after, limit); return err })
				return got
			}
			equal(f, len(noted(0, 10)), 0)
			old, other, theirs := note(alice, "displayname"), note(alice, "avatar_url"), note(bob, "displayname")
			fresh := note(alice, "displayname")
			equal(f, noted(0, 10), []store.ProfileChange{other, theirs, fresh})
			equal(f, noted(0, 2), []store.ProfileChange{other, theirs})
			equal(f, noted(other.Pos, 10), []store.ProfileChange{theirs, fresh})
			for _, c := range []store.ProfileChange{old, other, other} {
				f.update(func(tx store.Tx) error { return tx.DeleteProfileChange(c) })
			}
			equal(f, noted(0, 10), []store.ProfileChange{theirs, fresh})
			f.view(func(v store.View) error {
				got, err := v.ProfileChange(alice, "displayname")
				equal(f, got, fresh)
				return err
			})
			f.missing(func(v store.View) error { _, err := v.ProfileChange(alice, "avatar_url"); return err })
			f.update(func(tx store.Tx) error { return tx.DeleteProfileChange(fresh) })
			equal(f, noted(0, 10), []store.ProfileChange{theirs})
		}},
	}
}
