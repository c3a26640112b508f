package store

import "github.com/ca4c8834/homeserver/events"

// DeviceKey is the object with which a device makes its identity keys known.
type DeviceKey struct {
	User   events.UserID
	Device string
	Name   string // the display name of the device; only when reading
	JSON   []byte
}

// DeviceKeys reads the keys of devices.
type DeviceKeys interface {
	// DeviceKey returns the keys of one device. ErrNotFound.
	DeviceKey(user events.UserID, device string) (DeviceKey, error)

	// DeviceKeys returns the keys of all devices of the given users that have
	// any; those of a user stand together, ordered by device.
	DeviceKeys(users []events.UserID) ([]DeviceKey, error)
}

// DeviceKeyWriter changes the keys of devices. They go with their device.
type DeviceKeyWriter interface {
	// PutDeviceKey sets the keys of a device, replacing earlier ones.
	// ErrNotFound if the device does not exist.
	PutDeviceKey(k DeviceKey) error
}
