package storetest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func users() []rule {
	full := store.User{
		ID: alice, PasswordHash: "$argon2id$…", CreatedTS: 1700000000000,
		Guest: true, Admin: true, Deactivated: true, Locked: true, Suspended: true, Erased: 7, AppService: "bridge",
	}
	return []rule{
		{"User: ErrNotFound", func(f *fixture) {
			f.missing(func(v store.View) error { _, err := v.User(alice); return err })
			f.missing(func(v store.View) error { _, err := v.UserFold(alice); return err })
		}},
		{"CreateUser adds an account with all its fields", func(f *fixture) {
			flags := []func(*store.User){
				func(u *store.User) { u.Guest = true },
				func(u *store.User) { u.Admin = true },
				func(u *store.User) { u.Deactivated = true },
				func(u *store.User) { u.Locked = true },
				func(u *store.User) { u.Suspended = true },
				func(u *store.User) { u.Erased = 7 },
				func(u *store.User) { u.PasswordHash = "hash" },
				func(u *store.User) { u.AppService = "bridge" },
			}
			for i, set := range flags {
				want := store.User{ID: events.UserID(fmt.Sprintf("@u%d:example.org", i)), CreatedTS: int64(i)}
				set(&want)
				f.update(func(tx store.Tx) error { return tx.CreateUser(want) })
				f.view(func(v store.View) error {
					got, err := v.User(want.ID)
					equal(f, got, want)
					return err
				})
			}
		}},
		{"AdminUsers returns the administrators, ordered by ID", func(f *fixture) {
			f.update(func(tx store.Tx) error {
				return errors.Join(tx.CreateUser(store.User{ID: bob, Admin: true}), tx.CreateUser(store.User{ID: "@carol:example.org"}), tx.CreateUser(store.User{ID: alice, Admin: true}))
			})
			admins := func(want ...events.UserID) {
				f.view(func(v store.View) error {
					got, err := v.AdminUsers()
					equal(f, got, want)
					return err
				})
			}
			admins(alice, bob)
			f.update(func(tx store.Tx) error { return tx.UpdateUser(store.User{ID: alice}) })
			admins(bob)
		}},
		{"ErasedUsers returns the accounts that were erased, by ID with the position", func(f *fixture) {
			erased := func(want map[events.UserID]store.Pos) {
				f.view(func(v store.View) error {
					got, err := v.ErasedUsers()
					equal(f, got, want)
					return err
				})
			}
			erased(map[events.UserID]store.Pos{})
			f.update(func(tx store.Tx) error {
				return errors.Join(tx.CreateUser(store.User{ID: alice}), tx.CreateUser(store.User{ID: bob, Erased: 5}))
			})
			erased(map[events.UserID]store.Pos{bob: 5})
			f.update(func(tx store.Tx) error { return tx.UpdateUser(store.User{ID: alice, Erased: 9}) })
			erased(map[events.UserID]store.Pos{alice: 9, bob: 5})
		}},
		{"CreateUser: ErrExists if the ID is taken, also by a deactivated account", func(f *fixture) {
			f.update(func(tx store.Tx) error { return tx.CreateUser(full) })
			f.refused(store.ErrExists, func(tx store.Tx) error { return tx.CreateUser(store.User{ID: alice}) })
		}},
		{"UpdateUser replaces everything but the ID and the time of creation", func(f *fixture) {
			f.update(func(tx store.Tx) error { return tx.CreateUser(full) })
			for _, u := range []store.User{{ID: alice, CreatedTS: 5}, full} {
				f.update(func(tx store.Tx) error { return tx.UpdateUser(u) })
				f.view(func(v store.View) error {
					got, err := v.User(alice)
					u.CreatedTS = full.CreatedTS
					equal(f, got, u)
					return err
				})
			}
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateUser(store.User{ID: bob}) })
		}},
		{"UserFold returns the account whose ID equals id when both are lower-cased, preferring an exact match", func(f *fixture) {
			f.update(func(tx store.Tx) error {
				for _, id := range []events.UserID{"@Anna:x", "@aNNa:x", "@Berta:x", "@ÄNNE:x"} {
					if err := tx.CreateUser(store.User{ID: id}); err != nil {
						return err
					}
				}
				return nil
			})
			f.view(func(v store.View) error {
				for id, want := range map[events.UserID]events.UserID{
					"@Anna:x": "@Anna:x", "@aNNa:x": "@aNNa:x", "@berta:x": "@Berta:x", "@BERTA:x": "@Berta:x", "@änne:x": "@ÄNNE:x",
				} {
					u, err := v.UserFold(id)
					f.is(err, nil)
					equal(f, u.ID, want)
				}
				_, err := v.UserFold("@carl:x")
				f.is(err, store.ErrNotFound)
				return nil
			})
		}},
		{"Guests returns those of the given IDs that are guests", func(f *fixture) {
			ids, want := []events.UserID{"@nobody:x"}, []events.UserID(nil)
			f.update(func(tx store.Tx) error {
				ids, want = ids[:1], nil
				for i := range 100 {
					u := store.User{ID: events.UserID(fmt.Sprintf("@user%03d:example.org", i)), Guest: i%3 == 0}
					ids = append(ids, u.ID)
					if err := tx.CreateUser(u); err != nil {
						return err
					}
					if u.Guest {
						want = append(want, u.ID)
					}
				}
				return nil
			})
			f.view(func(v store.View) error {
				got, err := v.Guests(ids)
				slices.Sort(got)
				equal(f, got, want)
				none, err2 := v.Guests(ids[:1])
				equal(f, len(none), 0)
				f.is(err2, nil)
				return err
			})
		}},
		{"ExistingUsers returns those of the given IDs that have an account", func(f *fixture) {
			var ids, want []events.UserID
			f.update(func(tx store.Tx) error {
				ids, want = nil, nil
				for i := range 100 {
					id := events.UserID(fmt.Sprintf("@user%03d:example.org", i))
					ids = append(ids, id)
					if i%3 == 0 {
						continue
					}
					want = append(want, id)
					if err := tx.CreateUser(store.User{ID: id}); err != nil {
						return err
					}
				}
				return nil
			})
			f.view(func(v store.View) error {
				got, err := v.ExistingUsers(ids)
				slices.Sort(got)
				equal(f, got, want)
				none, err2 := v.ExistingUsers(nil)
				equal(f, len(none), 0)
				f.is(err2, nil)
				return err
			})
		}},
	}
}
