package store

import "github.com/ca4c8834/homeserver/events"

// Identity is who a user is at an identity provider.
type Identity struct {
	Provider  string // ID of the provider
	Subject   string // the user's name there, which never changes
	User      events.UserID
	CreatedTS int64 // milliseconds
}

// Identities reads who users are elsewhere.
type Identities interface {
	// Identity returns the identity with this subject at a provider.
	// ErrNotFound.
	Identity(provider, subject string) (Identity, error)

	// IdentitiesOf returns the identities of a user, ordered by provider and
	// subject.
	IdentitiesOf(user events.UserID) ([]Identity, error)
}

// IdentityWriter changes who users are elsewhere.
type IdentityWriter interface {
	// PutIdentity adds an identity. ErrExists if it is a user's already.
	PutIdentity(i Identity) error

	// DeleteIdentities removes all identities of a user; none is no error.
	DeleteIdentities(user events.UserID) error
}
