package store

import "github.com/ca4c8834/homeserver/events"

// CrossSigningKey is one of the keys that belong to a user and not to a device.
type CrossSigningKey struct {
	User   events.UserID
	Usage  string // "master", "self_signing" or "user_signing"
	Public string // the key itself, as it stands in JSON
	JSON   []byte
}

// UserSignature is a signature on a key of another user.
type UserSignature struct {
	Signer    events.UserID
	User      events.UserID // whose key is signed
	Key       string        // the key that is signed
	SignerKey string        // ID of the key that has signed
	Signature string
}

// CrossSigning reads cross-signing keys and what users have signed with them.
type CrossSigning interface {
	// CrossSigningKeys returns the keys of the given users; those of a user
	// stand together, ordered by usage.
	CrossSigningKeys(users []events.UserID) ([]CrossSigningKey, error)

	// UserSignatures returns the signatures by one user on keys of the given
	// users; those on one user's keys stand together.
	UserSignatures(signer events.UserID, users []events.UserID) ([]UserSignature, error)
}

// CrossSigningWriter changes cross-signing keys.
type CrossSigningWriter interface {
	// PutCrossSigningKey sets the key of a user for a usage.
	PutCrossSigningKey(k CrossSigningKey) error

	// DeleteCrossSigningKey removes the key for a usage; none is no error.
	DeleteCrossSigningKey(user events.UserID, usage string) error

	// DeleteCrossSigning removes all keys of a user and all signatures by and
	// on them, for users who go.
	DeleteCrossSigning(user events.UserID) error

	// PutUserSignature adds a signature, or replaces the one that the same key
	// has made.
	PutUserSignature(s UserSignature) error
}
