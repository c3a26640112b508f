package store

import "github.com/ca4c8834/homeserver/events"

// RegistrationToken lets people register. Of the token itself only the hash is
// kept.
type RegistrationToken struct {
	Hash      TokenHash
	Name      string // by which the host knows it
	CreatedTS int64  // milliseconds
	ExpiresTS int64  // milliseconds; 0: never
	Uses      int64  // how many registrations it allows; 0: any number
	Used      int64  // how many there were
}

// Consent is a user's agreement to a version of a policy.
type Consent struct {
	User    events.UserID
	Policy  string // ID
	Version string
	TS      int64 // milliseconds
}

// Registrations reads what registration needs beside accounts.
type Registrations interface {
	// RegistrationToken returns the token with this hash. ErrNotFound. One that
	// is expired or used up is returned like any other.
	RegistrationToken(hash TokenHash) (RegistrationToken, error)

	// RegistrationTokens returns all tokens, ordered by name and hash.
	RegistrationTokens() ([]RegistrationToken, error)

	// Consents returns what a user has agreed to, ordered by policy and version.
	Consents(user events.UserID) ([]Consent, error)
}

// RegistrationWriter changes what registration needs beside accounts.
type RegistrationWriter interface {
	// PutRegistrationToken adds a token or replaces all of it.
	PutRegistrationToken(t RegistrationToken) error

	// DeleteRegistrationToken removes a token. ErrNotFound.
	DeleteRegistrationToken(hash TokenHash) error

	// PutConsent records an agreement; the first of its version stays.
	PutConsent(c Consent) error
}
