package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// What faultView and faultTx forward of pushers, and of what they are told from.

func (v faultView) Pusher(key store.PusherKey) (store.Pusher, error) {
	return get(v.c, func() (store.Pusher, error) { return v.View.Pusher(key) })
}

func (v faultView) PushersOf(users []events.UserID) ([]store.Pusher, error) {
	return get(v.c, func() ([]store.Pusher, error) { return v.View.PushersOf(users) })
}

func (v faultView) UsersWithPushers() ([]events.UserID, error) {
	return get(v.c, v.View.UsersWithPushers)
}

func (v faultView) PushersBehind() ([]store.Pusher, error) { return get(v.c, v.View.PushersBehind) }

func (v faultView) RoomsSince(pos store.Pos) ([]store.Room, error) {
	return get(v.c, func() ([]store.Room, error) { return v.View.RoomsSince(pos) })
}

func (t faultTx) PutPusher(p store.Pusher) error {
	return t.c.do(func() error { return t.writes.PutPusher(p) })
}

func (t faultTx) SetPusherBehind(key store.PusherKey, pos store.Pos) error {
	return t.c.do(func() error { return t.writes.SetPusherBehind(key, pos) })
}

func (t faultTx) DeletePusher(key store.PusherKey) error {
	return t.c.do(func() error { return t.writes.DeletePusher(key) })
}

func (t faultTx) DeletePushersOf(user events.UserID) error {
	return t.c.do(func() error { return t.writes.DeletePushersOf(user) })
}

func (t faultTx) DeletePushersOfOthers(key store.PusherKey) error {
	return t.c.do(func() error { return t.writes.DeletePushersOfOthers(key) })
}
