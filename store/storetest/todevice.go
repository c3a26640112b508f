package storetest

import (
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func toDevice() []rule {
	send := func(f *fixture, user events.UserID, device, json string) (m store.ToDeviceMessage, n int64) {
		f.Helper()
		f.update(func(tx store.Tx) (err error) {
			m = store.ToDeviceMessage{User: user, Device: device, Pos: tx.Next(), JSON: []byte(json)}
			n, err = tx.PutToDevice(m)
			return err
		})
		return m, n
	}
	queue := func(f *fixture, user events.UserID, device string, after, until store.Pos, limit int) (got []store.ToDeviceMessage) {
		f.Helper()
		f.view(func(v store.View) (err error) { got, err = v.ToDevice(user, device, after, until, limit); return err })
		return got
	}
	two := []store.Device{{User: alice, ID: "A"}, {User: alice, ID: "B"}}
	return []rule{
		{"ToDevice returns up to limit messages for a device with after < Pos <= until, oldest first", func(f *fixture) {
			f.addDevices(two...)
			var all []store.ToDeviceMessage
			for i := range 5 {
				m, n := send(f, alice, "A", fmt.Sprintf(`{"n":%d}`, i))
				equal(f, n, 1)
				all = append(all, m)
			}
			send(f, alice, "B", `{}`)
			equal(f, queue(f, alice, "A", 0, store.MaxPos, 100), all)
			equal(f, queue(f, alice, "A", 0, store.MaxPos, 2), all[:2])
			equal(f, queue(f, alice, "A", all[1].Pos, all[3].Pos, 100), all[2:4])
			equal(f, len(queue(f, alice, "A", all[4].Pos, store.MaxPos, 100)), 0)
			equal(f, len(queue(f, bob, "A", 0, store.MaxPos, 100)), 0)
		}},
		{"FirstToDevice returns the position of the oldest message for a device; MaxPos if there is none", func(f *fixture) {
			f.addDevices(two...)
			first := func(device string, want store.Pos) {
				f.Helper()
				f.view(func(v store.View) error {
					got, err := v.FirstToDevice(alice, device)
					equal(f, got, want)
					return err
				})
			}
			first("A", store.MaxPos)
			one, _ := send(f, alice, "A", `{}`)
			send(f, alice, "A", `{}`)
			first("A", one.Pos)
			first("B", store.MaxPos)
		}},
		{"PutToDevice adds one message for each of the user's devices with AllDevices; a device that has a message at the same position keeps that", func(f *fixture) {
			f.addDevices(append(two, store.Device{User: bob, ID: "C"})...)
			var pos store.Pos
			f.update(func(tx store.Tx) error {
				pos = tx.Next()
				for _, m := range []struct {
					device, json string
					added        int64
				}{{"A", `{"for":"A"}`, 1}, {store.AllDevices, `{"for":"all"}`, 1}, {store.AllDevices, `{"again":1}`, 0}} {
					n, err := tx.PutToDevice(store.ToDeviceMessage{User: alice, Device: m.device, Pos: pos, JSON: []byte(m.json)})
					equal(f, n, m.added)
					if err != nil {
						return err
					}
				}
				return nil
			})
			for device, json := range map[string]string{"A": `{"for":"A"}`, "B": `{"for":"all"}`} {
				equal(f, queue(f, alice, device, 0, store.MaxPos, 9), []store.ToDeviceMessage{{User: alice, Device: device, Pos: pos, JSON: []byte(json)}})
			}
			equal(f, len(queue(f, bob, "C", 0, store.MaxPos, 9)), 0)
		}},
		{"PutToDevice adds none for an unknown device or user", func(f *fixture) {
			f.addDevices(two...)
			for _, m := range []store.ToDeviceMessage{{User: alice, Device: "C"}, {User: bob, Device: "A"}, {User: bob, Device: store.AllDevices}} {
				_, n := send(f, m.User, m.Device, `{}`)
				equal(f, n, 0)
				f.addDevices(store.Device{User: alice, ID: "C"}, store.Device{User: bob, ID: "A"})
				equal(f, len(queue(f, m.User, m.Device, 0, store.MaxPos, 9)), 0)
				f.update(func(tx store.Tx) error {
					if err := tx.DeleteDevice(alice, "C"); err != nil {
						return err
					}
					return tx.DeleteDevice(bob, "A")
				})
			}
		}},
		{"DeleteToDevice removes the messages for a device up to a position", func(f *fixture) {
			f.addDevices(two...)
			one, _ := send(f, alice, "A", `1`)
			other, _ := send(f, alice, "B", `2`)
			second, _ := send(f, alice, "A", `3`)
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeleteToDevice(alice, "A", other.Pos) })
				equal(f, queue(f, alice, "A", 0, store.MaxPos, 9), []store.ToDeviceMessage{second})
			}
			equal(f, queue(f, alice, "B", 0, store.MaxPos, 9), []store.ToDeviceMessage{other})
			f.update(func(tx store.Tx) error { return tx.DeleteToDevice(alice, "A", second.Pos) })
			equal(f, len(queue(f, alice, "A", one.Pos-1, store.MaxPos, 9)), 0)
		}},
		{"SentToDevice tells a request from others by user, device, path and ID; PutSentToDevice forgets those of the device from before a time", func(f *fixture) {
			txn := store.Txn{Device: "A", Path: "m.x", ID: "1"}
			sent := func(user events.UserID, txn store.Txn) (got bool) {
				f.Helper()
				f.view(func(v store.View) (err error) { got, err = v.SentToDevice(user, txn); return err })
				return got
			}
			other := func(change func(*store.Txn)) store.Txn { c := txn; change(&c); return c }
			onB := other(func(t *store.Txn) { t.Device = "B" })
			f.update(func(tx store.Tx) error {
				if err := tx.PutSentToDevice(alice, onB, 5, 0); err != nil {
					return err
				}
				for range 2 {
					if err := tx.PutSentToDevice(alice, txn, 10, 0); err != nil {
						return err
					}
				}
				return nil
			})
			equal(f, sent(alice, txn), true)
			equal(f, sent(bob, txn), false)
			equal(f, sent(alice, other(func(t *store.Txn) { t.Path = "m.y" })), false)
			equal(f, sent(alice, other(func(t *store.Txn) { t.ID = "2" })), false)
			second := other(func(t *store.Txn) { t.ID = "2" })
			f.update(func(tx store.Tx) error { return tx.PutSentToDevice(alice, second, 20, 11) })
			equal(f, sent(alice, txn), false)
			equal(f, sent(alice, second), true)
			equal(f, sent(alice, onB), true)
		}},
		{"DeleteDevice removes what waits for a device and what it has sent, and of no other", func(f *fixture) {
			f.addDevices(two...)
			txn := store.Txn{Device: "A", Path: "m.x", ID: "1"}
			onB := store.Txn{Device: "B", Path: "m.x", ID: "1"}
			f.update(func(tx store.Tx) error {
				for _, device := range []string{"A", "B"} {
					if _, err := tx.PutToDevice(store.ToDeviceMessage{User: alice, Device: device, Pos: tx.Next()}); err != nil {
						return err
					}
				}
				if err := tx.PutSentToDevice(alice, txn, 1, 0); err != nil {
					return err
				}
				if err := tx.PutSentToDevice(alice, onB, 1, 0); err != nil {
					return err
				}
				return tx.DeleteDevice(alice, "A")
			})
			f.addDevices(two[0])
			equal(f, len(queue(f, alice, "A", 0, store.MaxPos, 9)), 0)
			equal(f, len(queue(f, alice, "B", 0, store.MaxPos, 9)), 1)
			f.view(func(v store.View) error {
				gone, err := v.SentToDevice(alice, txn)
				equal(f, gone, false)
				if err != nil {
					return err
				}
				kept, err := v.SentToDevice(alice, onB)
				equal(f, kept, true)
				return err
			})
		}},
	}
}
