package store

import "github.com/ca4c8834/homeserver/events"

// TokenHash is the SHA-256 of a token. Tokens themselves are never stored.
type TokenHash [32]byte

// Token is an access token.
type Token struct {
	Hash      TokenHash
	User      events.UserID
	Device    string
	CreatedTS int64 // milliseconds
	ExpiresTS int64 // milliseconds; 0: never
}

// Tokens reads access tokens.
type Tokens interface {
	// Token returns the token with this hash. ErrNotFound. An expired token
	// is returned like any other.
	Token(hash TokenHash) (Token, error)
}

// TokenWriter changes access tokens.
type TokenWriter interface {
	// PutToken adds a token. ErrNotFound if its device does not exist.
	PutToken(t Token) error

	// DeleteTokens removes all tokens of a device; none is no error.
	DeleteTokens(user events.UserID, device string) error
}
