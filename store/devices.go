package store

import "github.com/ca4c8834/homeserver/events"

// Device is one login of a user.
type Device struct {
	User        events.UserID
	ID          string // unique per user
	DisplayName string
	CreatedTS   int64 // milliseconds
	LastSeenTS  int64 // milliseconds; 0: not yet
	LastSeenIP  string
	UserAgent   string
	// Tag is part of all tokens of the device, so that one that has ended can be
	// told from one whose device is gone; empty: none was issued yet.
	Tag string
}

// Devices reads devices.
type Devices interface {
	// Device returns one device. ErrNotFound.
	Device(user events.UserID, id string) (Device, error)

	// DeviceByTag returns the device with this tag, which is not empty.
	// ErrNotFound.
	DeviceByTag(tag string) (Device, error)

	// Devices returns all devices of a user, ordered by ID.
	Devices(user events.UserID) ([]Device, error)
}

// DeviceWriter changes devices.
type DeviceWriter interface {
	// PutDevice adds a device or replaces all of it but the time of creation.
	PutDevice(d Device) error

	// DeleteDevice removes a device and everything that is the device's own:
	// its tokens, the pushers it has set up, its identity, one-time and fallback
	// keys, the messages that wait for it and what is remembered about those it
	// sent, and what makes it a dehydrated device. ErrNotFound.
	DeleteDevice(user events.UserID, id string) error
}
