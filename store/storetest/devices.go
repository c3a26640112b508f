package storetest

import "github.com/ca4c8834/homeserver/store"

func devices() []rule {
	phone := store.Device{
		User: alice, ID: "PHONE", DisplayName: "Alice's phone", CreatedTS: 1, LastSeenTS: 2, LastSeenIP: "::1", UserAgent: "Test/1", Tag: "abc",
	}
	return []rule{
		{"Device: ErrNotFound", func(f *fixture) {
			f.update(func(tx store.Tx) error { return tx.PutDevice(phone) })
			f.missing(func(v store.View) error { _, err := v.Device(alice, "OTHER"); return err })
			f.missing(func(v store.View) error { _, err := v.Device(bob, "PHONE"); return err })
		}},
		{"PutDevice adds a device or replaces all of it but the time of creation", func(f *fixture) {
			for _, d := range []store.Device{phone, {User: alice, ID: "PHONE", CreatedTS: 9}} {
				f.update(func(tx store.Tx) error { return tx.PutDevice(d) })
				f.view(func(v store.View) error {
					got, err := v.Device(alice, "PHONE")
					d.CreatedTS = 1
					equal(f, got, d)
					return err
				})
			}
		}},
		{"DeviceByTag returns the device with this tag", func(f *fixture) {
			f.update(func(tx store.Tx) error {
				for _, d := range []store.Device{{User: alice, ID: "OTHER", Tag: "abcd"}, {User: bob, ID: "NONE"}, phone} {
					if err := tx.PutDevice(d); err != nil {
						return err
					}
				}
				return nil
			})
			f.view(func(v store.View) error {
				got, err := v.DeviceByTag("abc")
				equal(f, got, phone)
				return err
			})
			f.missing(func(v store.View) error { _, err := v.DeviceByTag("ABC"); return err })
		}},
		{"Devices returns all devices of a user, ordered by ID", func(f *fixture) {
			want := []store.Device{{User: alice, ID: "A"}, {User: alice, ID: "B"}, {User: alice, ID: "a"}}
			f.update(func(tx store.Tx) error {
				for _, d := range []store.Device{want[2], want[0], want[1], {User: bob, ID: "C"}} {
					if err := tx.PutDevice(d); err != nil {
						return err
					}
				}
				return nil
			})
			f.view(func(v store.View) error {
				got, err := v.Devices(alice)
				equal(f, got, want)
				return err
			})
		}},
		{"DeleteDevice removes a device and its tokens", func(f *fixture) {
			tablet := store.Device{User: alice, ID: "TABLET"}
			f.update(func(tx store.Tx) error {
				for i, d := range []store.Device{phone, tablet} {
					if err := tx.PutDevice(d); err != nil {
						return err
					}
					if err := tx.PutToken(store.Token{Hash: store.TokenHash{byte(i)}, User: alice, Device: d.ID}); err != nil {
						return err
					}
				}
				return tx.DeleteDevice(alice, "PHONE")
			})
			f.missing(func(v store.View) error { _, err := v.Device(alice, "PHONE"); return err })
			f.missing(func(v store.View) error { _, err := v.Token(store.TokenHash{0}); return err })
			f.view(func(v store.View) error {
				if _, err := v.Device(alice, "TABLET"); err != nil {
					return err
				}
				_, err := v.Token(store.TokenHash{1})
				return err
			})
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteDevice(alice, "PHONE") })
		}},
	}
}
