package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// What faultView and faultTx forward of the directories.

func (v faultView) ListsOf(room store.RoomNum) ([]string, error) {
	return get(v.c, func() ([]string, error) { return v.View.ListsOf(room) })
}

func (v faultView) Listings(q store.ListingQuery) ([]store.Listing, error) {
	return get(v.c, func() ([]store.Listing, error) { return v.View.Listings(q) })
}

func (v faultView) CountListings(list string) (int64, error) {
	return get(v.c, func() (int64, error) { return v.View.CountListings(list) })
}

func (t faultTx) PutListing(list string, l store.Listing) error {
	return t.c.do(func() error { return t.writes.PutListing(list, l) })
}

func (t faultTx) DeleteListing(list string, room store.RoomNum) error {
	return t.c.do(func() error { return t.writes.DeleteListing(list, room) })
}

func (v faultView) FindUsers(q store.UserQuery) (users []events.UserID, all bool, err error) {
	err = v.c.do(func() error {
		users, all, err = v.View.FindUsers(q)
		return err
	})
	return users, all, err
}

func (v faultView) SharedRooms(a, b events.UserID) ([]store.Room, error) {
	return get(v.c, func() ([]store.Room, error) { return v.View.SharedRooms(a, b) })
}

func (v faultView) ProfileFieldOf(users []events.UserID, name string) (map[events.UserID][]byte, error) {
	return get(v.c, func() (map[events.UserID][]byte, error) { return v.View.ProfileFieldOf(users, name) })
}

func (v faultView) ProfileChange(user events.UserID, name string) (store.ProfileChange, error) {
	return get(v.c, func() (store.ProfileChange, error) { return v.View.ProfileChange(user, name) })
}

func (v faultView) ProfileChanges(after store.Pos, limit int) ([]store.ProfileChange, error) {
	return get(v.c, func() ([]store.ProfileChange, error) { return v.View.ProfileChanges(after, limit) })
}

func (t faultTx) PutProfileChange(c store.ProfileChange) error {
	return t.c.do(func() error { return t.writes.PutProfileChange(c) })
}

func (t faultTx) DeleteProfileChange(c store.ProfileChange) error {
	return t.c.do(func() error { return t.writes.DeleteProfileChange(c) })
}

func (t faultTx) PutUserWords(user events.UserID, words []string) error {
	return t.c.do(func() error { return t.writes.PutUserWords(user, words) })
}
