package storetest

import "github.com/ca4c8834/homeserver/store"

// What faultView and faultTx forward of the deletion of rooms.

func (v faultView) ForgottenRooms(after store.RoomNum, limit int) ([]store.Room, error) {
	return get(v.c, func() ([]store.Room, error) { return v.View.ForgottenRooms(after, limit) })
}

func (v faultView) Abandoned(room store.RoomNum) (bool, error) {
	return get(v.c, func() (bool, error) { return v.View.Abandoned(room) })
}

func (t faultTx) KeepRoom(room store.RoomNum) error {
	return t.c.do(func() error { return t.writes.KeepRoom(room) })
}

func (t faultTx) DeleteRoom(room store.RoomNum) error {
	return t.c.do(func() error { return t.writes.DeleteRoom(room) })
}

func (t faultTx) PurgeRooms(limit int) (bool, error) {
	return get(t.c, func() (bool, error) { return t.writes.PurgeRooms(limit) })
}
