package storetest

import (
	"cmp"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func deviceLists() []rule {
	const carl = events.UserID("@carl:example.org")
	change := func(f *fixture, user, audience events.UserID) (c store.DeviceListChange) {
		f.Helper()
		f.update(func(tx store.Tx) error {
			c = store.DeviceListChange{User: user, Audience: audience, Pos: tx.Next()}
			return tx.PutDeviceListChange(c)
		})
		return c
	}
	since := func(f *fixture, reader events.UserID, since store.Pos) (got []store.DeviceListChange) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.DeviceListChanges(reader, since); return err })
		slices.SortFunc(got, func(a, b store.DeviceListChange) int { return cmp.Compare(a.Pos, b.Pos) })
		return got
	}
	return []rule{
		{"DeviceListChanges returns the changes after a position for whoever shares a room and those for the reader alone", func(f *fixture) {
			one := change(f, alice, "")
			two := change(f, carl, bob)
			three := change(f, bob, "")
			equal(f, since(f, bob, 0), []store.DeviceListChange{one, two, three})
			equal(f, since(f, bob, one.Pos), []store.DeviceListChange{two, three})
			equal(f, since(f, alice, 0), []store.DeviceListChange{one, three})
			equal(f, len(since(f, alice, three.Pos)), 0)
		}},
		{"PutDeviceListChange: of a user's changes for the same audience only the latest is kept", func(f *fixture) {
			first := change(f, alice, "")
			own := change(f, alice, alice)
			again := change(f, alice, "")
			equal(f, since(f, alice, 0), []store.DeviceListChange{own, again})
			equal(f, since(f, alice, first.Pos), []store.DeviceListChange{own, again})
		}},
		{"DeviceListPositions returns the position of the latest change of each of the given users for whoever shares a room", func(f *fixture) {
			change(f, alice, "")
			one := change(f, alice, "")
			change(f, alice, bob)
			change(f, carl, alice)
			two := change(f, bob, "")
			f.view(func(v store.View) error {
				got, err := v.DeviceListPositions([]events.UserID{carl, alice, bob})
				equal(f, got, map[events.UserID]store.Pos{alice: one.Pos, bob: two.Pos})
				if err != nil {
					return err
				}
				got, err = v.DeviceListPositions([]events.UserID{carl})
				equal(f, len(got), 0)
				return err
			})
		}},
	}
}
