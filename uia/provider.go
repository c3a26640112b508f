package uia

import (
	"context"
	"errors"
	"time"

	"github.com/ca4c8834/homeserver/events"
)

// The errors by which a [Provider] refuses; compare with errors.Is.
var (
	// ErrDenied says that the password is not the user's.
	ErrDenied = errors.New("wrong password")
	// ErrUnknownUser says that there is no such user, or none who signs in
	// with a password. Clients cannot tell it from ErrDenied.
	ErrUnknownUser = errors.New("unknown user")
)

// Provider decides who may sign in with a password: it is how a host brings
// accounts of its own. A user whom it accepts and who has no account here yet
// gets one.
//
// Called from: /login and the m.login.password stage of interactive
// authentication; never from sync or send. Concurrency: any number of calls at
// once. Context: ends with the client's request; may block on the network.
// Errors: ErrDenied and ErrUnknownUser give the same refusal and should take
// the same time; a Matrix error is sent as it is; any other is logged and
// becomes 500 M_UNKNOWN. Ownership: do not keep or log the password.
//
// user is complete and local, in the spelling of the account if there is one,
// else with a lower-cased localpart.
type Provider interface {
	CheckPassword(ctx context.Context, user events.UserID, password string) error
}

// PasswordSetter is a [Provider] whose passwords can be changed through the
// server. Without it, clients are told that they cannot.
type PasswordSetter interface {
	Provider

	// SetPassword gives a user a new password: after it has returned,
	// CheckPassword accepts this one and no other. The user has shown
	// who they are. Whether tokens of the host's end with the old password is up
	// to the host; those of the server do, if the user wants. A Matrix error such as M_WEAK_PASSWORD is sent as it is.
	SetPassword(ctx context.Context, user events.UserID, password string) error
}

// The errors by which a [TokenVerifier] refuses; compare with errors.Is.
var (
	// ErrUnknownToken says that the token is none of the host's, or that its
	// session is gone for good.
	ErrUnknownToken = errors.New("unknown token")
	// ErrExpiredToken says that the token has expired, and that the client may
	// go on with another one for the same device.
	ErrExpiredToken = errors.New("expired token")
)

// TokenVerifier is a [Provider] whose own tokens (a JWT, a session's ID) are
// accepted as access tokens.
//
// A host that has tokens only refuses every password with ErrDenied, and has clients
// know with NoPasswords in homeserver.AccountRules. Its users have nothing then to
// confirm with that they remove a device or replace their keys, so they cannot, unless
// homeserver.WithFlows chooses what shows it: a stage of the host's, or [TypeDummy]
// alone where the token is proof enough.
//
// Called from: requests with a token that is not one of the server's and was
// not verified lately; so it should be quick. Errors: ErrUnknownToken and
// ErrExpiredToken, of which the latter lets clients keep their keys; a Matrix
// error is sent as it is; any other is a fault. Ownership: do not log the token.
type TokenVerifier interface {
	Provider

	// VerifyToken returns whom a token belongs to. Users who have no account
	// here yet get one.
	VerifyToken(ctx context.Context, token string) (Verified, error)
}

// TokenRevoker is a [TokenVerifier] that ends its tokens when users sign out here or
// remove devices. Without it a token outlives that: the next request with it makes
// the device anew.
type TokenRevoker interface {
	TokenVerifier

	// RevokeTokens ends the tokens of a user for some devices, of which an empty
	// one stands for tokens without a device, or all of them if devices is nil:
	// after it has returned, VerifyToken refuses them with ErrUnknownToken.
	// Devices that the host does not know are no error. The devices are gone here
	// already; after an error clients may try again.
	RevokeTokens(ctx context.Context, user events.UserID, devices []string) error
}

// Verified is what a [TokenVerifier] knows about a token.
type Verified struct {
	// User is of this server. The account has a lower-cased localpart, or is the
	// one that there is of this name in another case.
	User events.UserID
	// Device is the client's device, of at most 255 bytes; it is created if it does
	// not exist. Without one, end-to-end encryption and transaction IDs do not work.
	Device string
	// Until is how long the answer may be remembered, so that a token that is
	// revoked works until then; the zero time: one minute.
	Until time.Time
}
