package store

import "github.com/ca4c8834/homeserver/events"

// DeviceListChange says that something about a user's devices or keys is new.
type DeviceListChange struct {
	User     events.UserID
	Audience events.UserID // whom it concerns; empty: whoever shares a room with the user, and the user
	Pos      Pos           // of the latest change
}

// DeviceLists reads who has changed.
type DeviceLists interface {
	// DeviceListChanges returns the changes after a position for whoever
	// shares a room, whether the reader does or not, and those for the reader
	// alone. In no particular order; a user may be in it twice.
	DeviceListChanges(reader events.UserID, since Pos) ([]DeviceListChange, error)

	// DeviceListPositions returns the position of the latest change of each of
	// the given users for whoever shares a room; users without one are left
	// out.
	DeviceListPositions(users []events.UserID) (map[events.UserID]Pos, error)
}

// DeviceListWriter notes changes.
type DeviceListWriter interface {
	// PutDeviceListChange notes a change. Of a user's changes for the same
	// audience only the latest is kept.
	PutDeviceListChange(c DeviceListChange) error
}
