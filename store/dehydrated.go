package store

import "github.com/ca4c8834/homeserver/events"

// DehydratedDevice is a device that exists on the server only, until somebody
// signs in and takes over what was sent to it.
type DehydratedDevice struct {
	User   events.UserID
	Device string // also a row of Devices
	Data   []byte // JSON
}

// DehydratedDevices reads dehydrated devices.
type DehydratedDevices interface {
	// DehydratedDevice returns the one that a user has. ErrNotFound.
	DehydratedDevice(user events.UserID) (DehydratedDevice, error)
}

// DehydratedDeviceWriter changes dehydrated devices. One goes with its device.
type DehydratedDeviceWriter interface {
	// PutDehydratedDevice sets the one that a user has. ErrNotFound if the
	// device does not exist.
	PutDehydratedDevice(d DehydratedDevice) error
}
