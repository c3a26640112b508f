package store

import "github.com/ca4c8834/homeserver/events"

// ThreePID is an e-mail address or phone number of a user.
type ThreePID struct {
	Medium      string // "email" or "msisdn"
	Address     string // canonical
	User        events.UserID
	ValidatedTS int64 // milliseconds
	AddedTS     int64 // milliseconds
}

// Binding says that an identity server tells others whose an address is.
type Binding struct {
	User            events.UserID
	Medium, Address string
	IDServer        string
}

// ThreePIDs reads the addresses of users.
type ThreePIDs interface {
	// ThreePID returns whose an address is. ErrNotFound.
	ThreePID(medium, address string) (ThreePID, error)

	// ThreePIDsOf returns the addresses of a user, ordered by medium and
	// address.
	ThreePIDsOf(user events.UserID) ([]ThreePID, error)

	// BindingsOf returns where addresses of a user are bound, ordered by
	// medium, address and server.
	BindingsOf(user events.UserID) ([]Binding, error)
}

// ThreePIDWriter changes the addresses of users.
type ThreePIDWriter interface {
	// PutThreePID adds an address. ErrExists if it is somebody's already.
	PutThreePID(t ThreePID) error

	// DeleteThreePID removes an address. ErrNotFound.
	DeleteThreePID(medium, address string) error

	// PutBinding remembers a binding; one that is there is no error.
	PutBinding(b Binding) error

	// DeleteBinding forgets a binding; one that is not there is no error.
	DeleteBinding(b Binding) error
}
