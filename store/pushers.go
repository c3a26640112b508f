package store

import "github.com/ca4c8834/homeserver/events"

// PusherKey names a pusher.
type PusherKey struct {
	User  events.UserID
	AppID string
	Key   string // the pushkey
}

// Pusher is a way to notify a user.
type Pusher struct {
	PusherKey
	Device     string // that has set it up; empty: none
	Kind       string
	AppName    string
	DeviceName string
	ProfileTag string // may be empty
	Lang       string
	Data       []byte // a JSON object
	Enabled    bool
	KeyTS      int64 // when the pushkey was last set, in milliseconds

	// Behind is the position up to which the user was notified if others are
	// ahead of that; 0: this pusher is as far as the others.
	Behind Pos
}

// Pushers reads pushers.
type Pushers interface {
	// Pusher returns one pusher. ErrNotFound.
	Pusher(key PusherKey) (Pusher, error)

	// PushersOf returns the pushers of users, ordered by user, app and key.
	PushersOf(users []events.UserID) ([]Pusher, error)

	// UsersWithPushers returns who has any pushers, ordered.
	UsersWithPushers() ([]events.UserID, error)

	// PushersBehind returns the pushers that are behind others, ordered by
	// the position.
	PushersBehind() ([]Pusher, error)
}

// PusherWriter changes pushers. Those of a device go with the device.
type PusherWriter interface {
	// PutPusher adds a pusher or replaces all of it but Behind, which is 0 at
	// first.
	PutPusher(p Pusher) error

	// SetPusherBehind sets how far a pusher is; 0: as far as the others. A pusher
	// that does not exist is no error.
	SetPusherBehind(key PusherKey, pos Pos) error

	// DeletePusher removes a pusher. ErrNotFound.
	DeletePusher(key PusherKey) error

	// DeletePushersOf removes all pushers of a user; none is no error.
	DeletePushersOf(user events.UserID) error

	// DeletePushersOfOthers removes the pushers of all users but key.User that
	// have the app and the key of key; none is no error.
	DeletePushersOfOthers(key PusherKey) error
}
