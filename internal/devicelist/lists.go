package devicelist

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Waker wakes the waiting syncs. Its methods are called while the store
// commits, in the order of the positions, and must be quick.
type Waker interface {
	// UserChanged says that there is something new for all devices of a user at
	// a position.
	UserChanged(user events.UserID, pos store.Pos)

	// DevicesChanged says that there is something new about the devices of a
	// user, for the user and for all who are joined to one of the rooms.
	DevicesChanged(user events.UserID, rooms []store.RoomNum, pos store.Pos)
}

// Lists notes changes. The methods are called inside the transaction that makes
// the change.
type Lists struct{ waker Waker }

// New makes Lists that wake whom a change concerns; nil wakes nobody.
func New(waker Waker) *Lists { return &Lists{waker} }

// Changed notes that a device of a user was added, renamed or removed, or that
// keys which others see have changed (DL-2 to DL-6).
func (l *Lists) Changed(tx store.Tx, user events.UserID) error {
	pos := tx.Next()
	if err := tx.PutDeviceListChange(store.DeviceListChange{User: user, Pos: pos}); err != nil || l.waker == nil {
		return err
	}
	members, err := tx.RoomsOf(user)
	if err != nil {
		return err
	}
	var rooms []store.RoomNum
	for _, m := range members {
		if m.Membership == events.MembershipJoin {
			rooms = append(rooms, m.Room)
		}
	}
	tx.OnCommit(func() { l.waker.DevicesChanged(user, rooms, pos) })
	return nil
}

// ChangedFor notes that keys of a user have changed in a way that one user
// alone sees (DL-7, DL-8).
func (l *Lists) ChangedFor(tx store.Tx, user, audience events.UserID) error {
	pos := tx.Next()
	if l.waker != nil {
		tx.OnCommit(func() { l.waker.UserChanged(audience, pos) })
	}
	return tx.PutDeviceListChange(store.DeviceListChange{User: user, Audience: audience, Pos: pos})
}
