package account

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// RegisterGuest creates the account of a guest, with a device of the server's
// choice, and signs it in (REG-13). M_FORBIDDEN where guests are not let in,
// M_EXCLUSIVE where an application service keeps their names to itself (ASC-8).
func (s *Service) RegisterGuest(ctx context.Context, c Client) (Session, error) {
	if !s.Guests {
		return Session{}, mxerr.Forbidden("guest access is not offered") // REG-6
	}
	user := events.UserID("@guest-" + randomLetters('a', 12) + ":" + string(s.Server))
	if err := s.unreserved(user); err != nil {
		return Session{}, err
	}
	c.Device = ""
	login, err := s.newLogin(c)
	if err != nil {
		return Session{}, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := s.createUser(tx, store.User{ID: user, Guest: true}); err != nil {
			return err
		}
		return login.store(tx, user)
	})
	if err != nil {
		return Session{}, err
	}
	return login.session, nil
}

// mayUpgrade refuses to make a user of a guest who is another one (REG-14).
func (s *Service) mayUpgrade(ctx context.Context, user events.UserID, token string) error {
	guest, err := s.Authenticate(ctx, token, "", "", false)
	if err != nil {
		return err
	}
	if !guest.Guest || guest.User != user {
		return mxerr.Forbidden("guest_access_token is not that of a guest with this username")
	}
	return nil
}

// upgrade makes a guest a user with a password, who keeps everything else
// (REG-14).
func (s *Service) upgrade(tx store.Tx, account store.User) error {
	guest, err := activeUser(tx, account.ID)
	if err != nil {
		return err
	}
	if !guest.Guest {
		return mxerr.UserInUse("this guest is a user already")
	}
	tx.OnCommit(func() { s.sessions.drop(account.ID) })
	guest.Guest, guest.PasswordHash = false, account.PasswordHash
	return tx.UpdateUser(guest)
}
