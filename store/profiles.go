package store

import "github.com/ca4c8834/homeserver/events"

// ProfileField is one field of a profile.
type ProfileField struct {
	Name  string // "displayname", "avatar_url", "m.tz" or a custom key
	Value []byte // JSON
}

// Profiles reads profiles.
type Profiles interface {
	// Profile returns the fields of a user, ordered by name; none for a user
	// who has none or does not exist.
	Profile(user events.UserID) ([]ProfileField, error)

	// ProfileFieldOf returns the value of one field of each of the users who has
	// it.
	ProfileFieldOf(users []events.UserID, name string) (map[events.UserID][]byte, error)
}

// ProfileWriter changes profiles.
type ProfileWriter interface {
	// PutProfileField sets a field.
	PutProfileField(user events.UserID, f ProfileField) error

	// DeleteProfileField removes a field; one that is not there is no error.
	DeleteProfileField(user events.UserID, name string) error
}
