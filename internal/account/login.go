package account

import (
	"context"
	"errors"
	"net/http"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// Login signs a user in with a password (LOGIN-4 to LOGIN-8). M_UNKNOWN where
// nobody does (LOGIN-3).
func (s *Service) Login(ctx context.Context, id Identifier, password string, c Client) (Session, error) {
	if s.NoPasswords {
		return Session{}, mxerr.New(http.StatusBadRequest, mxerr.MUnknown, "nobody signs in with a password here")
	}
	user, err := s.claimed(ctx, id)
	if err == nil {
		err = s.passwords.CheckPassword(ctx, user, password)
	}
	if errors.Is(err, uia.ErrUnknownUser) || errors.Is(err, uia.ErrDenied) {
		return Session{}, mxerr.Forbidden("invalid username or password") // LOGIN-6
	}
	if err != nil {
		return Session{}, err
	}
	return s.begin(ctx, c, func(store.Tx) (events.UserID, error) { return user, nil })
}

// SignIn begins a session for a user whom the caller has authenticated, with an
// account for one who has none yet (LOGIN-7, LOGIN-17). The name is a localpart
// or a user ID, as in Login. M_INVALID_USERNAME for a name that no user of this
// server can have.
func (s *Service) SignIn(ctx context.Context, name string, c Client) (Session, error) {
	user, err := s.identify(ctx, Identifier{Type: identifierUser, User: name})
	if errors.Is(err, uia.ErrUnknownUser) {
		return Session{}, mxerr.InvalidUsername("no user of this server can have this name")
	}
	if err != nil {
		return Session{}, err
	}
	return s.begin(ctx, c, func(store.Tx) (events.UserID, error) { return user, nil })
}

// LoginWithToken signs in the user to whom a login token was given, and uses it
// up (LOGIN-13). M_FORBIDDEN for one that is unknown, used or expired.
func (s *Service) LoginWithToken(ctx context.Context, token string, c Client) (Session, error) {
	hash := hashToken(token)
	return s.begin(ctx, c, func(tx store.Tx) (events.UserID, error) {
		ticket, err := s.ticket(tx, hash, ticketLogin)
		if errors.Is(err, store.ErrNotFound) {
			return "", mxerr.Forbidden("the login token is not valid, or not any more")
		}
		if err != nil {
			return "", err
		}
		return ticket.User, tx.DeleteTicket(hash)
	})
}

// begin begins a session of the user whom who names inside the transaction.
// Those who have no account yet get one: they are of the host's accounts.
// M_USER_DEACTIVATED, M_USER_LOCKED.
func (s *Service) begin(ctx context.Context, c Client, who func(store.Tx) (events.UserID, error)) (Session, error) {
	login, err := s.newLogin(c)
	if err != nil {
		return Session{}, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		user, err := who(tx)
		if err != nil {
			return err
		}
		if user, err = s.ensureUser(tx, user); err != nil {
			return err
		}
		return login.store(tx, user)
	})
	if err != nil {
		return Session{}, err
	}
	return login.session, nil
}

// ensureUser returns the ID of the account that a user has, however the host
// spells it; it creates one if there is none, and refuses one that cannot be used.
func (s *Service) ensureUser(tx store.Tx, user events.UserID) (events.UserID, error) {
	account, err := tx.UserFold(user)
	if err == nil {
		return account.ID, usable(account)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	if user, err = s.newUserID(user.Localpart()); err != nil {
		return "", err
	}
	if err := s.unreserved(user); err != nil {
		return "", err
	}
	return user, s.createUser(tx, store.User{ID: user})
}

// usable refuses whom nothing may be let in for.
func usable(account store.User) error {
	switch {
	case account.Deactivated:
		return mxerr.UserDeactivated("this account is deactivated") // LOGIN-7
	case account.Locked:
		return mxerr.UserLocked("this account is locked") // LOGIN-17
	}
	return nil
}

// Logout ends the session of a device and removes the device (SDEV-12). A
// device that is gone already is no error; device is empty for a session
// without one, of which nothing is left to remove.
func (s *Service) Logout(ctx context.Context, user events.UserID, device string) error {
	return s.RemoveDevices(ctx, user, []string{device})
}

// LogoutAll does for all devices of a user what Logout does for one (SDEV-13).
func (s *Service) LogoutAll(ctx context.Context, user events.UserID) error {
	remove := func(tx store.Tx) error { return s.removeDevices(tx, user, "") }
	if err := s.Store.Update(ctx, remove); err != nil {
		return err
	}
	return s.revoke(ctx, user, nil, remove)
}

// removeDevices removes all devices of a user but the one to keep, and ends
// their sessions.
func (s *Service) removeDevices(tx store.Tx, user events.UserID, keep string) error {
	devices, err := tx.Devices(user)
	if err != nil {
		return err
	}
	var ids []string
	for _, d := range devices {
		if d.ID != keep {
			ids = append(ids, d.ID)
		}
	}
	return s.dropDevices(tx, user, ids...)
}
