package store

import (
	"encoding/hex"

	"github.com/ca4c8834/homeserver/events"
)

// TokenHash is the SHA-256 of a token. Tokens themselves are never stored.
type TokenHash [32]byte

// String returns the hash in hexadecimal.
func (h TokenHash) String() string { return hex.EncodeToString(h[:]) }

// ParseTokenHash reads what String has written. ErrNotFound if no hash is
// written like this.
func ParseTokenHash(text string) (h TokenHash, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) {
		return h, ErrNotFound
	}
	return TokenHash(b), nil
}

// Token is an access token.
type Token struct {
	Hash      TokenHash
	User      events.UserID
	Device    string
	CreatedTS int64 // milliseconds
	ExpiresTS int64 // milliseconds; 0: never
	// Generation counts how often the session was renewed before.
	Generation int64
	// Supersedes says that refresh tokens of earlier generations of the device
	// are still there. Only reading sets it.
	Supersedes bool
}

// RefreshToken renews a session.
type RefreshToken struct {
	Hash       TokenHash
	User       events.UserID
	Device     string
	Generation int64 // that of the access token it was issued with
	CreatedTS  int64 // milliseconds
}

// Tokens reads the tokens of sessions.
type Tokens interface {
	// Token returns the access token with this hash. ErrNotFound. An expired
	// token is returned like any other.
	Token(hash TokenHash) (Token, error)

	// RefreshToken returns the refresh token with this hash. ErrNotFound.
	RefreshToken(hash TokenHash) (RefreshToken, error)
}

// TokenWriter changes the tokens of sessions.
type TokenWriter interface {
	// PutToken adds an access token. ErrNotFound if its device does not exist.
	PutToken(t Token) error

	// PutRefreshToken adds a refresh token. ErrNotFound if its device does not
	// exist.
	PutRefreshToken(t RefreshToken) error

	// DeleteTokens removes all access and refresh tokens of a device; none is
	// no error.
	DeleteTokens(user events.UserID, device string) error

	// DeleteGenerations removes the access and refresh tokens of a device whose
	// generation is less than before; none is no error.
	DeleteGenerations(user events.UserID, device string, before int64) error
}
