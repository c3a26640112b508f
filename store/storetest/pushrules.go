package storetest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func pushRules() []rule {
	put := func(f *fixture, user events.UserID, changes string) (c store.PushRuleChanges) {
		f.Helper()
		f.update(func(tx store.Tx) error {
			c = store.PushRuleChanges{User: user, Changes: []byte(changes), Pos: tx.Next()}
			return tx.PutPushRuleChanges(c)
		})
		return c
	}
	read := func(f *fixture, users ...events.UserID) (got []store.PushRuleChanges) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.PushRuleChanges(users); return err })
		slices.SortFunc(got, func(a, b store.PushRuleChanges) int { return cmp.Compare(a.User, b.User) })
		return got
	}
	return []rule{
		{"PushRuleChanges returns the changes of those of the given users who have any", func(f *fixture) {
			equal(f, len(read(f)), 0)
			equal(f, len(read(f, alice, bob)), 0)
			ofAlice := put(f, alice, `{"room":[]}`)
			ofBob := put(f, bob, `{}`)
			equal(f, read(f, bob, "@carol:example.org", alice), []store.PushRuleChanges{ofAlice, ofBob})
			equal(f, read(f, bob), []store.PushRuleChanges{ofBob})
			equal(f, len(read(f, "@carol:example.org")), 0)
		}},
		{"PushRuleChanges takes any number of users", func(f *fixture) {
			var users []events.UserID
			var want []store.PushRuleChanges
			for i := range 100 {
				user := events.UserID(fmt.Sprintf("@user%03d:example.org", i))
				users = append(users, user)
				if i%3 == 0 {
					want = append(want, put(f, user, fmt.Sprintf(`{"n":%d}`, i)))
				}
			}
			equal(f, read(f, users...), want)
		}},
		{"PutPushRuleChanges replaces all changes of a user", func(f *fixture) {
			put(f, alice, `{"room":[]}`)
			again := put(f, alice, `{"sender":[]}`)
			equal(f, read(f, alice), []store.PushRuleChanges{again})
			put(f, alice, ``)
			f.refused(errRefused, func(tx store.Tx) error {
				if err := tx.PutPushRuleChanges(store.PushRuleChanges{User: alice, Changes: []byte(`{"x":1}`), Pos: tx.Next()}); err != nil {
					return err
				}
				return errRefused
			})
			equal(f, string(read(f, alice)[0].Changes), ``)
		}},
		{"byte slices given to a method are not kept, those in results belong to the caller", func(f *fixture) {
			changes := []byte(`{"keep":"me"}`)
			f.update(func(tx store.Tx) error {
				return tx.PutPushRuleChanges(store.PushRuleChanges{User: alice, Changes: changes, Pos: tx.Next()})
			})
			clear(changes)
			for range 2 {
				got := read(f, alice)
				equal(f, string(got[0].Changes), `{"keep":"me"}`)
				clear(got[0].Changes)
			}
		}},
	}
}
