package storetest

import (
	"errors"
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func pushers() []rule {
	phone := store.Pusher{
		PusherKey: store.PusherKey{User: alice, AppID: "app", Key: "key"}, Device: "PHONE", Kind: "http", AppName: "App",
		DeviceName: "Phone", ProfileTag: "tag", Lang: "en", Data: []byte(`{"url":"u"}`), Enabled: true, KeyTS: 7,
	}
	with := func(change func(*store.Pusher)) store.Pusher {
		p := phone
		change(&p)
		return p
	}
	ofBob := with(func(p *store.Pusher) { p.User, p.Device = bob, "" })
	other := with(func(p *store.Pusher) { p.AppID, p.Device, p.Enabled = "App", "TABLET", false })
	another := with(func(p *store.Pusher) { p.Key, p.Data = "", []byte(`{}`) })
	put := func(f *fixture, list ...store.Pusher) {
		f.Helper()
		f.update(func(tx store.Tx) error {
			for _, p := range list {
				if err := tx.PutPusher(p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	want := func(f *fixture, users []events.UserID, list ...store.Pusher) {
		f.Helper()
		f.view(func(v store.View) error {
			got, err := v.PushersOf(users)
			equal(f, got, list)
			return err
		})
	}
	both := []events.UserID{bob, "@carol:example.org", alice}
	return []rule{
		{"PushersOf returns the pushers of users, ordered by user, app and key", func(f *fixture) {
			want(f, both)
			put(f, ofBob, phone, another, other)
			want(f, both, other, another, phone, ofBob)
			want(f, []events.UserID{bob}, ofBob)
			want(f, nil)
		}},
		{"PushersOf takes any number of users", func(f *fixture) {
			var users []events.UserID
			var all []store.Pusher
			for i := range 100 {
				user := events.UserID(fmt.Sprintf("@user%03d:example.org", i))
				users = append([]events.UserID{user}, users...)
				all = append(all, with(func(p *store.Pusher) { p.User = user }))
			}
			put(f, all...)
			want(f, users, all...)
		}},
		{"Pusher returns one pusher. ErrNotFound", func(f *fixture) {
			put(f, phone)
			f.view(func(v store.View) error {
				got, err := v.Pusher(phone.PusherKey)
				equal(f, got, phone)
				return err
			})
			for _, key := range []store.PusherKey{{User: bob, AppID: "app", Key: "key"}, {User: alice, AppID: "app"}, {User: alice, Key: "key"}} {
				f.missing(func(v store.View) error { _, err := v.Pusher(key); return err })
			}
		}},
		{"UsersWithPushers returns who has any pushers, ordered", func(f *fixture) {
			put(f, ofBob, phone, other)
			f.view(func(v store.View) error {
				got, err := v.UsersWithPushers()
				equal(f, got, []events.UserID{alice, bob})
				return err
			})
		}},
		{"PutPusher adds a pusher or replaces all of it but Behind, which is 0 at first", func(f *fixture) {
			put(f, with(func(p *store.Pusher) { p.Behind = 5 }))
			want(f, both, phone)
			f.update(func(tx store.Tx) error { return tx.SetPusherBehind(phone.PusherKey, 9) })
			changed := store.Pusher{PusherKey: phone.PusherKey, Kind: "k", Data: []byte(`{}`), KeyTS: 8}
			put(f, changed)
			changed.Behind = 9
			want(f, both, changed)
		}},
		{"PushersBehind returns the pushers that are behind others, ordered by the position", func(f *fixture) {
			put(f, phone, other, ofBob, another)
			f.update(func(tx store.Tx) error {
				return errors.Join(tx.SetPusherBehind(phone.PusherKey, 9), tx.SetPusherBehind(ofBob.PusherKey, 3),
					tx.SetPusherBehind(another.PusherKey, 4), tx.SetPusherBehind(another.PusherKey, 0))
			})
			f.view(func(v store.View) error {
				got, err := v.PushersBehind()
				a, b := phone, ofBob
				a.Behind, b.Behind = 9, 3
				equal(f, got, []store.Pusher{b, a})
				return err
			})
		}},
		{"SetPusherBehind of a pusher that does not exist is no error", func(f *fixture) {
			f.update(func(tx store.Tx) error { return tx.SetPusherBehind(phone.PusherKey, 9) })
			want(f, both)
		}},
		{"DeletePusher removes a pusher. ErrNotFound", func(f *fixture) {
			put(f, phone, ofBob, another)
			f.update(func(tx store.Tx) error { return tx.DeletePusher(phone.PusherKey) })
			want(f, both, another, ofBob)
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeletePusher(phone.PusherKey) })
		}},
		{"DeletePushersOf removes all pushers of a user; none is no error", func(f *fixture) {
			put(f, phone, ofBob, another)
			for range 2 {
				f.update(func(tx store.Tx) error { return tx.DeletePushersOf(alice) })
				want(f, both, ofBob)
			}
		}},
		{"DeletePushersOfOthers removes the pushers of all users but key.User that have the app and the key of key", func(f *fixture) {
			put(f, phone, ofBob, another, other)
			f.update(func(tx store.Tx) error { return tx.DeletePushersOfOthers(phone.PusherKey) })
			want(f, both, other, another, phone)
		}},
		{"DeleteDevice removes the pushers of a device, and of no other", func(f *fixture) {
			atBobs := with(func(p *store.Pusher) { p.User = bob })
			put(f, phone, other, another, atBobs)
			f.update(func(tx store.Tx) error {
				if err := tx.PutDevice(store.Device{User: alice, ID: "PHONE"}); err != nil {
					return err
				}
				return tx.DeleteDevice(alice, "PHONE")
			})
			want(f, both, other, atBobs)
		}},
		{"pushers are there after reopening", func(f *fixture) {
			re := f.reopener()
			put(f, phone)
			f.st = re.Reopen(f.T)
			want(f, both, phone)
		}},
	}
}
