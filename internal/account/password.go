package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// PasswordChange is a request for a new password.
type PasswordChange struct {
	User     events.UserID // the caller; empty: the proof says whose password it is (PWD-2)
	Device   string        // the caller's
	Password string        // the new one
	// LogoutDevices ends all other sessions and removes their devices (PWD-3).
	LogoutDevices bool
	Auth          json.RawMessage // of interactive authentication
}

// ChangePassword gives an account a new password (PWD-1 to PWD-5). M_FORBIDDEN
// where that is not possible, M_WEAK_PASSWORD.
func (s *Service) ChangePassword(ctx context.Context, in PasswordChange) error {
	if !s.CanChangePasswords() {
		return mxerr.Forbidden("passwords cannot be changed here") // PWD-5, CAP-10
	}
	op, err := s.Operation(ctx, uia.OpChangePassword, "", in.User)
	if err != nil {
		return err
	}
	op.Once = true // the next one may ask for another password
	op.Allowed = func(context.Context) error { return s.checkNewPassword(in.Password) }
	_, err = uia.Do(ctx, s.engine, op, in.Auth, func(ctx context.Context, proof uia.Proof) (struct{}, error) {
		user := in.User
		if user == "" {
			user = proof.User
		}
		if user == "" { // flows of the host that do not say whom they are about
			return struct{}{}, mxerr.Forbidden("nothing shows whose password to change")
		}
		return struct{}{}, s.setPassword(ctx, user, in.Password, func(tx store.Tx) error {
			if err := s.useUp(tx, user, proof); err != nil {
				return err
			}
			if err := tx.DeleteTickets(user); err != nil || !in.LogoutDevices {
				return err
			}
			return s.removeDevices(tx, user, in.Device)
		})
	})
	return err
}

// CanChangePasswords reports whether the accounts have passwords that can be
// changed here (CAP-2).
func (s *Service) CanChangePasswords() bool {
	switch s.Provider.(type) {
	case *storedPasswords, uia.PasswordSetter:
		return !s.FixedPasswords
	}
	return false
}

// SetPassword sets the password of an account for the host, and ends all its
// sessions. M_NOT_FOUND, M_WEAK_PASSWORD; M_FORBIDDEN if the provider cannot do
// it.
func (s *Service) SetPassword(ctx context.Context, user events.UserID, password string) error {
	if err := s.checkNewPassword(password); err != nil {
		return err
	}
	return s.setPassword(ctx, user, password, func(tx store.Tx) error { return s.removeDevices(tx, user, "") })
}

// setPassword sets a password, and runs also in the transaction that does it if
// the password is ours.
func (s *Service) setPassword(ctx context.Context, user events.UserID, password string, also func(store.Tx) error) error {
	var hash string // empty: it is not ours to keep
	var err error
	switch p := s.Provider.(type) {
	case *storedPasswords:
		hash, err = p.hasher.hash(ctx, password)
	case uia.PasswordSetter:
		err = p.SetPassword(ctx, user, password)
	default:
		err = mxerr.Forbidden("passwords cannot be changed here")
	}
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		account, err := activeUser(tx, user)
		if err != nil {
			return err
		}
		if hash != "" {
			account.PasswordHash = hash
			if err := tx.UpdateUser(account); err != nil {
				return err
			}
		}
		return also(tx)
	})
}

// checkNewPassword refuses what the host thinks too weak (PWD-5, REG-9).
func (s *Service) checkNewPassword(password string) error {
	if password == "" {
		return mxerr.WeakPassword("an empty password is none")
	}
	if s.PasswordPolicy == nil {
		return nil
	}
	err := s.PasswordPolicy(password)
	if _, ok := errors.AsType[*mxerr.Error](err); err == nil || ok {
		return err
	}
	return mxerr.WeakPassword("%s", err)
}

// slowProvider refuses to check passwords of one account too often, from
// wherever they come; the address is limited by the endpoint.
type slowProvider struct {
	uia.Provider
	limiter Limiter
}

// CheckPassword implements uia.Provider. M_LIMIT_EXCEEDED.
func (p slowProvider) CheckPassword(ctx context.Context, user events.UserID, password string) error {
	if p.limiter != nil {
		if wait := p.limiter.Allow(ratelimit.Guess, string(user)); wait > 0 {
			return mxerr.LimitExceeded(wait)
		}
	}
	return p.Provider.CheckPassword(ctx, user, password)
}

// storedPasswords is the default provider: it knows the passwords of the store.
type storedPasswords struct {
	store  store.Store
	hasher *hasher
	log    *slog.Logger
}

var _ uia.Provider = (*storedPasswords)(nil)

// CheckPassword implements uia.Provider. It takes as long for users who do not
// exist or have no password as for those who do (LOGIN-6).
func (p *storedPasswords) CheckPassword(ctx context.Context, user events.UserID, password string) error {
	var account store.User
	err := p.store.View(ctx, func(v store.View) (err error) {
		account, err = v.User(user)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("check password: %w", err)
	}
	if account.PasswordHash == "" {
		if err := p.hasher.waste(ctx, password); err != nil {
			return err
		}
		return uia.ErrUnknownUser
	}
	ok, outdated, err := p.hasher.verify(ctx, account.PasswordHash, password)
	switch {
	case err != nil:
		return err
	case !ok:
		return uia.ErrDenied
	}
	if outdated {
		if err := p.renew(ctx, account, password); err != nil {
			p.log.WarnContext(ctx, "renew password hash", "user_id", user, "error", err)
		}
	}
	return nil
}

// renew replaces a hash that was made at another cost, unless the password was
// changed in the meantime.
func (p *storedPasswords) renew(ctx context.Context, account store.User, password string) error {
	hash, err := p.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return p.store.Update(ctx, func(tx store.Tx) error {
		current, err := tx.User(account.ID)
		if err != nil || current.PasswordHash != account.PasswordHash {
			return err
		}
		current.PasswordHash = hash
		return tx.UpdateUser(current)
	})
}
