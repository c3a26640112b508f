package homeserver

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// Error is a refusal as clients see it, which the methods of [Server] return
// too. It has a Status (of HTTP), a Code and a Message, and matches its code:
//
//	if errors.Is(err, homeserver.ErrorCode("M_USER_IN_USE")) { … }
type Error = mxerr.Error

// ErrorCode is a Matrix error code such as M_FORBIDDEN.
type ErrorCode = mxerr.Code

// CreateUser makes an account, whoever may register (see [WithRegistration]).
// Without a password nobody can sign in with one, only with [Server.SignIn].
//
// Errors that are an [*Error]: M_INVALID_USERNAME, M_USER_IN_USE.
func (s *Server) CreateUser(ctx context.Context, username, password string) (events.UserID, error) {
	return s.accounts.CreateUser(ctx, username, password)
}

// Session is a login of a user, as a client needs it to go on.
type Session struct {
	User   events.UserID
	Device string
	Token  string // the access token, a secret
}

// Device describes the client that a session is for.
type Device struct {
	// ID names the device; a session that it has already ends. Empty: a new
	// device with an ID of the server's choice.
	ID string
	// Name is what users see in the list of their devices. Only new devices
	// take it.
	Name string
}

// SignIn begins a session for a user whom the host has authenticated, by a
// cookie of its own for instance, and makes an account for one who has none.
// The username is what comes before the colon of the user ID; the whole ID will
// do. The host passes the session on to its client.
//
// Errors that are an [*Error]: M_INVALID_USERNAME if no user of this server can
// have that name, M_INVALID_PARAM for a device ID of more than 255 bytes,
// M_USER_DEACTIVATED, M_USER_LOCKED.
func (s *Server) SignIn(ctx context.Context, username string, device Device) (Session, error) {
	session, err := s.accounts.SignIn(ctx, username, account.Client{Device: device.ID, DeviceName: device.Name})
	return Session{session.User, session.Device, session.Token}, err
}

// SignOut ends all sessions of a user and removes the devices.
func (s *Server) SignOut(ctx context.Context, user events.UserID) error {
	return s.accounts.LogoutAll(ctx, user)
}
