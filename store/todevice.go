package store

import "github.com/ca4c8834/homeserver/events"

// AllDevices as the device of a [ToDeviceMessage] means all that the user has.
const AllDevices = "*"

// ToDeviceMessage is a message that waits for a device.
type ToDeviceMessage struct {
	User   events.UserID
	Device string
	Pos    Pos
	JSON   []byte // as the device gets it
}

// ToDevice reads messages to devices.
type ToDevice interface {
	// ToDevice returns up to limit messages for a device with after < Pos <=
	// until, oldest first.
	ToDevice(user events.UserID, device string, after, until Pos, limit int) ([]ToDeviceMessage, error)

	// FirstToDevice returns the position of the oldest message for a device;
	// MaxPos if there is none.
	FirstToDevice(user events.UserID, device string) (Pos, error)

	// SentToDevice reports whether a user's request was sent before, as far as
	// the store remembers.
	SentToDevice(user events.UserID, txn Txn) (bool, error)
}

// ToDeviceWriter changes messages to devices. They go with their device, and so
// do the requests of the device that sent them.
type ToDeviceWriter interface {
	// PutToDevice adds a message for a device, or one for each of the user's
	// devices with m.Device AllDevices. A device that has a message at the
	// same position keeps that. It returns how many were added: none for an
	// unknown device or user.
	PutToDevice(m ToDeviceMessage) (int64, error)

	// DeleteToDevice removes the messages for a device up to a position.
	DeleteToDevice(user events.UserID, device string, until Pos) error

	// PutSentToDevice remembers a user's request that was sent at a time, in
	// milliseconds, and forgets those of the same device from before another.
	PutSentToDevice(user events.UserID, txn Txn, now, forget int64) error
}
