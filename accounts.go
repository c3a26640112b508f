package homeserver

import (
	"context"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// Error is a refusal as clients see it, which the methods of [Server] return
// too. It has a Status (of HTTP), a Code and a Message, and matches its code:
//
//	if errors.Is(err, homeserver.ErrorCode("M_USER_IN_USE")) { … }
//
// Functions of the host may return one, to refuse something in words of their own:
//
//	return &homeserver.Error{Status: http.StatusForbidden, Code: "M_FORBIDDEN", Message: "videos are not wanted here"}
//
// Further fields are RetryAfter, how long to wait before trying again, and Extra, a map
// of further members of the answer.
type Error = mxerr.Error

// ErrorCode is a Matrix error code such as M_FORBIDDEN.
type ErrorCode = mxerr.Code

// CreateUser makes an account, whoever may register (see [WithRegistration]).
// Without a password nobody can sign in with one, only with [Server.SignIn]. The
// host answers for the password: no PasswordPolicy is asked, and it has no effect
// where [WithAuthProvider] decides on passwords.
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
// An account of that name is theirs, whoever made it. Where people may register
// ([WithRegistration]) somebody else can have taken the name, and would share the
// account: such a host makes its accounts with [Server.CreateUser], which refuses a
// name that is taken, and signs in only users whose account it has made.
//
// What users have to confirm later, such as removing devices, they confirm with their
// password or at an identity provider. For those who have neither, [WithFlows]
// chooses what they do instead, such as a stage of the host's ([WithStages]).
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

// SetPassword sets the password of a user and ends all sessions.
//
// Errors that are an [*Error]: M_NOT_FOUND, M_WEAK_PASSWORD; M_FORBIDDEN if the
// auth provider cannot do it.
func (s *Server) SetPassword(ctx context.Context, user events.UserID, password string) error {
	return s.accounts.SetPassword(ctx, user, password)
}

// Deactivate ends an account: it leaves all rooms and loses its password,
// sessions, devices, addresses and profile. Nobody can have its user ID again.
// With erase its messages are hidden from people who join later.
//
// Errors that are an [*Error]: M_NOT_FOUND, also if the account is deactivated
// already.
func (s *Server) Deactivate(ctx context.Context, user events.UserID, erase bool) error {
	_, err := s.accounts.DeactivateUser(ctx, user, erase)
	return err
}

// SetAdmin makes a user an administrator, who may see where others are signed in
// and lock and suspend them, or ends that.
//
// Errors that are an [*Error]: M_NOT_FOUND.
func (s *Server) SetAdmin(ctx context.Context, user events.UserID, admin bool) error {
	return s.accounts.SetAdmin(ctx, user, admin)
}

// SetLocked locks an account, whose user can do nothing but sign out, or unlocks
// it; sessions stay.
//
// Errors that are an [*Error]: M_NOT_FOUND.
func (s *Server) SetLocked(ctx context.Context, user events.UserID, locked bool) error {
	return s.accounts.SetLocked(ctx, user, locked)
}

// SetSuspended suspends an account, whose user may read and leave but not act, or
// ends that.
//
// Errors that are an [*Error]: M_NOT_FOUND.
func (s *Server) SetSuspended(ctx context.Context, user events.UserID, suspended bool) error {
	return s.accounts.SetSuspended(ctx, user, suspended)
}

// AddAddress gives a user an e-mail address (medium "email") or phone number
// ("msisdn", in E.164 form, with or without "+") that the host has validated.
//
// Errors that are an [*Error]: M_NOT_FOUND, M_INVALID_PARAM, M_THREEPID_IN_USE.
func (s *Server) AddAddress(ctx context.Context, user events.UserID, medium, address string) error {
	return s.accounts.SetThreePID(ctx, user, medium, address)
}

// CreateLoginToken makes a token with which a client signs the user in once,
// within its lifetime: for links that lead into a client. A user who has no account
// then gets one; whose account it is otherwise is to be known as for [Server.SignIn].
//
// Errors that are an [*Error]: M_INVALID_PARAM if the user is not of this server, or
// the lifetime is not positive.
func (s *Server) CreateLoginToken(ctx context.Context, user events.UserID, lifetime time.Duration) (string, error) {
	return s.accounts.CreateLoginToken(ctx, user, lifetime)
}

// RegistrationToken describes a token with which people may register; see
// [RegistrationByToken].
type RegistrationToken struct {
	ID      string    // by which it is deleted; not the token
	Name    string    // for the host's own use
	Expires time.Time // zero: never
	Uses    int       // how many registrations it allows; 0: any number
	Used    int       // how many there were
}

// CreateRegistrationToken makes a token with the name and limits of t, whose other
// fields have no effect, and returns it. It cannot be had again: only its hash is
// kept. It lets people register while [RegistrationByToken] is the policy.
//
// Errors that are an [*Error]: M_INVALID_PARAM for a negative number of uses.
func (s *Server) CreateRegistrationToken(ctx context.Context, t RegistrationToken) (string, error) {
	return s.accounts.CreateRegistrationToken(ctx, account.RegistrationToken(t))
}

// RegistrationTokens returns the tokens that were created and not deleted, expired
// and used up ones too, in the order of their names.
func (s *Server) RegistrationTokens(ctx context.Context) ([]RegistrationToken, error) {
	list, err := s.accounts.ListRegistrationTokens(ctx)
	tokens := make([]RegistrationToken, len(list))
	for i, t := range list {
		tokens[i] = RegistrationToken(t)
	}
	return tokens, err
}

// DeleteRegistrationToken ends a token by its ID.
//
// Errors that are an [*Error]: M_NOT_FOUND.
func (s *Server) DeleteRegistrationToken(ctx context.Context, id string) error {
	return s.accounts.DeleteRegistrationToken(ctx, id)
}
