package store

import "github.com/ca4c8834/homeserver/events"

// Filters reads the filters that clients have uploaded.
type Filters interface {
	// Filter returns the definition a user stored under an ID. ErrNotFound.
	Filter(user events.UserID, id string) ([]byte, error)
}

// FilterWriter stores filters.
type FilterWriter interface {
	// PutFilter stores a definition and returns its ID, decimal digits. The
	// same definition of the same user gets the ID it has already.
	PutFilter(user events.UserID, definition []byte) (id string, err error)
}
