package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func accountData() []rule {
	const room = events.RoomID("!r:example.org")
	set := func(f *fixture, user events.UserID, room events.RoomID, typ, content string) (d store.AccountDatum) {
		f.Helper()
		f.update(func(tx store.Tx) error {
			d = store.AccountDatum{Room: room, Type: typ, Content: []byte(content), Pos: tx.Next()}
			return tx.PutAccountDatum(user, d)
		})
		return d
	}
	since := func(f *fixture, user events.UserID, p store.Pos) (got []store.AccountDatum) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.AccountDataSince(user, p); return err })
		return got
	}
	return []rule{
		{"AccountDatum returns one type, of a room or global", func(f *fixture) {
			want := []store.AccountDatum{set(f, alice, "", "m.x", `{"n":1}`), set(f, alice, room, "m.x", `{"n":2}`)}
			set(f, bob, "", "m.x", `{"n":3}`)
			for _, d := range want {
				f.view(func(v store.View) error {
					got, err := v.AccountDatum(alice, d.Room, d.Type)
					equal(f, got, d)
					return err
				})
			}
		}},
		{"AccountDatum: ErrNotFound", func(f *fixture) {
			set(f, alice, room, "m.x", `{}`)
			f.missing(func(v store.View) error { _, err := v.AccountDatum(alice, "", "m.x"); return err })
			f.missing(func(v store.View) error { _, err := v.AccountDatum(alice, room, "m.y"); return err })
			f.missing(func(v store.View) error { _, err := v.AccountDatum(bob, room, "m.x"); return err })
		}},
		{"AccountDataSince returns everything of a user that changed after a position, ordered by position; since 0 is everything there is", func(f *fixture) {
			first := set(f, alice, "", "m.a", `{"n":1}`)
			second := set(f, alice, room, "m.b", `{"n":2}`)
			set(f, bob, "", "m.a", `{}`)
			third := set(f, alice, "", "m.c", `{"n":3}`)
			equal(f, since(f, alice, 0), []store.AccountDatum{first, second, third})
			equal(f, since(f, alice, first.Pos), []store.AccountDatum{second, third})
			equal(f, len(since(f, alice, third.Pos)), 0)

			again := set(f, alice, "", "m.a", `{"n":4}`)
			equal(f, since(f, alice, 0), []store.AccountDatum{second, third, again})
			equal(f, since(f, alice, third.Pos), []store.AccountDatum{again})
		}},
		{"AccountDataOf returns all types of one room, or all global ones, ordered by type", func(f *fixture) {
			b, a := set(f, alice, room, "m.b", `{"n":1}`), set(f, alice, room, "m.a", `{"n":2}`)
			global := set(f, alice, "", "m.a", `{"n":3}`)
			set(f, alice, "!r2:example.org", "m.a", `{"n":4}`)
			set(f, bob, room, "m.a", `{"n":5}`)
			f.view(func(v store.View) error {
				got, err := v.AccountDataOf(alice, room)
				equal(f, got, []store.AccountDatum{a, b})
				f.is(err, nil)
				got, err = v.AccountDataOf(alice, "")
				equal(f, got, []store.AccountDatum{global})
				return err
			})
		}},
		{"AccountDataOfType returns one type of all rooms where it is set, ordered by room ID, and not the global one", func(f *fixture) {
			second, first := set(f, alice, "!r2:example.org", "m.tag", `{"n":1}`), set(f, alice, room, "m.tag", `{"n":2}`)
			set(f, alice, room, "m.other", `{"n":3}`)
			set(f, alice, "", "m.tag", `{"n":4}`)
			set(f, bob, room, "m.tag", `{"n":5}`)
			f.view(func(v store.View) error {
				got, err := v.AccountDataOfType(alice, "m.tag")
				equal(f, got, []store.AccountDatum{second, first})
				return err
			})
		}},
		{"DeleteAccountDatum removes one type, of a room or global; none is no error", func(f *fixture) {
			set(f, alice, "", "m.a", `{}`)
			inRoom, other, theirs := set(f, alice, room, "m.a", `{}`), set(f, alice, "", "m.b", `{}`), set(f, bob, "", "m.a", `{}`)
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteAccountDatum(alice, "", "m.a") })
			}
			equal(f, since(f, alice, 0), []store.AccountDatum{inRoom, other})
			equal(f, since(f, bob, 0), []store.AccountDatum{theirs})
			f.update(func(tx store.Tx) error { return tx.DeleteAccountDatum(alice, room, "m.a") })
			equal(f, since(f, alice, 0), []store.AccountDatum{other})
		}},
		{"DeleteAccountData removes all account data of a user; none is no error", func(f *fixture) {
			set(f, alice, "", "m.a", `{}`)
			set(f, alice, room, "m.b", `{}`)
			theirs := set(f, bob, "", "m.a", `{}`)
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteAccountData(alice) })
			}
			equal(f, len(since(f, alice, 0)), 0)
			equal(f, since(f, bob, 0), []store.AccountDatum{theirs})
		}},
		{"byte slices given to a method are not kept, those in results belong to the caller", func(f *fixture) {
			content := []byte(`{"keep":"me"}`)
			f.update(func(tx store.Tx) error {
				return tx.PutAccountDatum(alice, store.AccountDatum{Type: "m.x", Content: content, Pos: tx.Next()})
			})
			clear(content)
			for range 2 {
				f.view(func(v store.View) error {
					got, err := v.AccountDatum(alice, "", "m.x")
					equal(f, string(got.Content), `{"keep":"me"}`)
					clear(got.Content)
					return err
				})
			}
		}},
	}
}
