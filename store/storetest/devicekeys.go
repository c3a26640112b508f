package storetest

import (
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// addDevices makes devices of users, given as user and ID in turn.
func (f *fixture) addDevices(devices ...store.Device) {
	f.Helper()
	f.update(func(tx store.Tx) error {
		for _, d := range devices {
			if err := tx.PutDevice(d); err != nil {
				return err
			}
		}
		return nil
	})
}

func deviceKeys() []rule {
	keys := func(user events.UserID, device, json string) store.DeviceKey {
		return store.DeviceKey{User: user, Device: device, JSON: []byte(json)}
	}
	return []rule{
		{"PutDeviceKey sets the keys of a device, replacing earlier ones; DeviceKey returns them with the display name", func(f *fixture) {
			f.addDevices(store.Device{User: alice, ID: "A", DisplayName: "phone"}, store.Device{User: bob, ID: "A"})
			for _, json := range []string{`{"n":1}`, `{"n":2}`} {
				f.update(func(tx store.Tx) error { return tx.PutDeviceKey(keys(alice, "A", json)) })
				f.view(func(v store.View) error {
					got, err := v.DeviceKey(alice, "A")
					want := keys(alice, "A", json)
					want.Name = "phone"
					equal(f, got, want)
					return err
				})
			}
			f.missing(func(v store.View) error { _, err := v.DeviceKey(alice, "B"); return err })
			f.missing(func(v store.View) error { _, err := v.DeviceKey(bob, "A"); return err })
		}},
		{"PutDeviceKey: ErrNotFound if the device does not exist", func(f *fixture) {
			f.addDevices(store.Device{User: bob, ID: "A"})
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.PutDeviceKey(keys(alice, "A", `{}`)) })
		}},
		{"DeviceKeys returns the keys of all devices of the given users that have any; those of a user stand together, ordered by device", func(f *fixture) {
			const n = 70 // more than one statement takes
			var users []events.UserID
			want := map[events.UserID][]store.DeviceKey{}
			f.update(func(tx store.Tx) error {
				for i := range n {
					user := events.UserID(fmt.Sprintf("@u%d:example.org", i))
					if i%2 == 0 {
						users = append(users, user)
					}
					for _, device := range []string{"C", "A", "B"} {
						d := store.Device{User: user, ID: device, DisplayName: fmt.Sprint(device, i)}
						if err := tx.PutDevice(d); err != nil {
							return err
						}
						if device == "B" && i%3 == 0 {
							continue
						}
						k := keys(user, device, fmt.Sprintf(`{"of":%q}`, string(user)+device))
						if err := tx.PutDeviceKey(k); err != nil {
							return err
						}
					}
				}
				return nil
			})
			f.view(func(v store.View) error {
				for _, user := range users {
					for _, device := range []string{"A", "B", "C"} {
						if k, err := v.DeviceKey(user, device); err == nil {
							want[user] = append(want[user], k)
						}
					}
				}
				rows, err := v.DeviceKeys(append(users, "@nobody:example.org"))
				got := map[events.UserID][]store.DeviceKey{}
				for i, k := range rows {
					if i > 0 && rows[i-1].User != k.User && got[k.User] != nil {
						f.Errorf("the keys of %s do not stand together", k.User)
					}
					got[k.User] = append(got[k.User], k)
				}
				equal(f, got, want)
				return err
			})
		}},
		{"DeleteDevice removes the keys of a device, and of no other", func(f *fixture) {
			f.addDevices(store.Device{User: alice, ID: "A"}, store.Device{User: alice, ID: "B"}, store.Device{User: bob, ID: "A"})
			f.update(func(tx store.Tx) error {
				for _, k := range []store.DeviceKey{keys(alice, "A", `{}`), keys(alice, "B", `{}`), keys(bob, "A", `{}`)} {
					if err := tx.PutDeviceKey(k); err != nil {
						return err
					}
				}
				return tx.DeleteDevice(alice, "A")
			})
			f.addDevices(store.Device{User: alice, ID: "A"}) // whoever takes the name gets nothing of it
			f.view(func(v store.View) error {
				got, err := v.DeviceKeys([]events.UserID{alice, bob})
				equal(f, got, []store.DeviceKey{keys(alice, "B", `{}`), keys(bob, "A", `{}`)})
				return err
			})
		}},
	}
}
