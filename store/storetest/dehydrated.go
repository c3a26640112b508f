package storetest

import "github.com/ca4c8834/homeserver/store"

func dehydrated() []rule {
	device := func(id, data string) store.DehydratedDevice {
		return store.DehydratedDevice{User: alice, Device: id, Data: []byte(data)}
	}
	return []rule{
		{"PutDehydratedDevice sets the one that a user has; ErrNotFound if the device does not exist", func(f *fixture) {
			f.addDevices(store.Device{User: alice, ID: "A"}, store.Device{User: alice, ID: "B"}, store.Device{User: bob, ID: "C"})
			f.missing(func(v store.View) error { _, err := v.DehydratedDevice(alice); return err })
			for _, want := range []store.DehydratedDevice{device("A", `{"n":1}`), device("B", `{"n":2}`)} {
				f.update(func(tx store.Tx) error { return tx.PutDehydratedDevice(want) })
				f.view(func(v store.View) error {
					got, err := v.DehydratedDevice(alice)
					equal(f, got, want)
					return err
				})
			}
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.PutDehydratedDevice(device("C", `{}`)) })
			f.missing(func(v store.View) error { _, err := v.DehydratedDevice(bob); return err })
		}},
		{"a dehydrated device goes with its device", func(f *fixture) {
			f.addDevices(store.Device{User: alice, ID: "A"}, store.Device{User: alice, ID: "B"})
			f.update(func(tx store.Tx) error {
				if err := tx.PutDehydratedDevice(device("A", `{}`)); err != nil {
					return err
				}
				return tx.DeleteDevice(alice, "B")
			})
			f.view(func(v store.View) error { _, err := v.DehydratedDevice(alice); return err })
			f.update(func(tx store.Tx) error { return tx.DeleteDevice(alice, "A") })
			f.missing(func(v store.View) error { _, err := v.DehydratedDevice(alice); return err })
		}},
	}
}
