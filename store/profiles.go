package store

import "github.com/ca4c8834/homeserver/events"

// ProfileField is one field of a profile.
type ProfileField struct {
	Name  string // "displayname", "avatar_url", "m.tz" or a custom key
	Value []byte // JSON
}

// ProfileChange is a field of a profile that has changed and that not all rooms show
// yet.
type ProfileChange struct {
	User events.UserID
	Name string
	Pos  Pos // of the latest change
}

// Profiles reads profiles.
type Profiles interface {
	// Profile returns the fields of a user, ordered by name; none for a user
	// who has none or does not exist.
	Profile(user events.UserID) ([]ProfileField, error)

	// ProfileFieldOf returns the value of one field of each of the users who has
	// it.
	ProfileFieldOf(users []events.UserID, name string) (map[events.UserID][]byte, error)

	// ProfileChange returns the latest change of a field. ErrNotFound.
	ProfileChange(user events.UserID, name string) (ProfileChange, error)

	// ProfileChanges returns up to limit changes after a position, ordered by
	// position.
	ProfileChanges(after Pos, limit int) ([]ProfileChange, error)
}

// ProfileWriter changes profiles.
type ProfileWriter interface {
	// PutProfileField sets a field.
	PutProfileField(user events.UserID, f ProfileField) error

	// DeleteProfileField removes a field; one that is not there is no error.
	DeleteProfileField(user events.UserID, name string) error

	// PutProfileChange notes a change in place of an earlier one of the field; c.Pos is
	// taken with Tx.Next.
	PutProfileChange(c ProfileChange) error

	// DeleteProfileChange removes the note of a change, unless there is one of a later
	// change by now; none is no error.
	DeleteProfileChange(c ProfileChange) error
}
