package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectRoom = `SELECT num, id, version, open FROM hs_rooms `

func scanRoom(r row) store.Room {
	return store.Room{
		Num:     store.RoomNum(r.int(0)),
		ID:      events.RoomID(r.text(1)),
		Version: r.text(2),
		Open:    r.bool(3),
	}
}

// Room implements store.Rooms.
func (v *view) Room(id events.RoomID) (store.Room, error) {
	return one(v, scanRoom, selectRoom+`WHERE id = ?`, string(id))
}

// RoomByNum implements store.Rooms.
func (v *view) RoomByNum(num store.RoomNum) (store.Room, error) {
	return one(v, scanRoom, selectRoom+`WHERE num = ?`, int64(num))
}

// CreateRoom implements store.RoomWriter.
func (t *tx) CreateRoom(r store.Room) (store.RoomNum, error) {
	num, err := t.insert(`INSERT INTO hs_rooms (id, version, open) VALUES (?, ?, ?)
		ON CONFLICT (id) DO NOTHING RETURNING num`, string(r.ID), r.Version, integer(r.Open))
	return store.RoomNum(num), err
}

// putKind keeps what sort of room a room is.
func (t *tx) putKind(a store.Append) error {
	switch {
	case *a.Event.StateKey != "":
		return nil
	case a.Event.Type == events.TypeEncryption:
		return t.mustChange(`UPDATE hs_rooms SET encrypted = 1 WHERE num = ?`, int64(a.Room))
	}
	typ := a.Event.RoomType()
	if typ == "" {
		return nil
	}
	return t.mustChange(`UPDATE hs_rooms SET type = ? WHERE num = ?`, typ, int64(a.Room))
}

// SetRoomOpen implements store.RoomWriter.
func (t *tx) SetRoomOpen(num store.RoomNum, open bool) error {
	return t.mustChange(`UPDATE hs_rooms SET open = ? WHERE num = ?`, integer(open), int64(num))
}
