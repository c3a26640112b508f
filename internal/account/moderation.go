package account

import (
	"context"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// SetLocked locks an account or unlocks it. While it is locked its owner can
// only log out; tokens and devices stay as they are (ADM-5, ADM-6).
// M_NOT_FOUND for unknown and deactivated users (ADM-4).
func (s *Service) SetLocked(ctx context.Context, user events.UserID, locked bool) error {
	return s.changeUser(ctx, user, func(u *store.User) { u.Locked = locked })
}

// SetSuspended suspends an account or ends that. A suspended user can read and
// leave, but not act (ADM-7 to ADM-9). M_NOT_FOUND for unknown and deactivated
// users (ADM-4).
func (s *Service) SetSuspended(ctx context.Context, user events.UserID, suspended bool) error {
	return s.changeUser(ctx, user, func(u *store.User) { u.Suspended = suspended })
}

// SetAdmin makes a user an administrator of the server, or ends that.
// M_NOT_FOUND for unknown and deactivated users.
func (s *Service) SetAdmin(ctx context.Context, user events.UserID, admin bool) error {
	return s.changeUser(ctx, user, func(u *store.User) { u.Admin = admin })
}

// Moderation is what administrators may do to an account.
type Moderation uint8

// The kinds of moderation.
const (
	Locking Moderation = iota
	Suspending
)

// flag returns the member of an account that the moderation is about.
func (m Moderation) flag(u *store.User) *bool {
	if m == Locking {
		return &u.Locked
	}
	return &u.Suspended
}

// Moderated tells an administrator whether an account is locked or suspended
// (ADM-2, ADM-3); the errors are those of Moderate but for oneself.
func (s *Service) Moderated(ctx context.Context, admin, user events.UserID, m Moderation) (is bool, err error) {
	err = s.Store.View(ctx, func(v store.View) error {
		account, err := s.moderatable(v, admin, user)
		is = *m.flag(&account)
		return err
	})
	return is, err
}

// Moderate locks or suspends an account for an administrator, or ends that
// (ADM-2 to ADM-4). M_FORBIDDEN if the caller is no administrator or the target
// is one; M_INVALID_PARAM for users of other servers; M_NOT_FOUND.
func (s *Service) Moderate(ctx context.Context, admin, user events.UserID, m Moderation, is bool) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		account, err := s.moderatable(tx, admin, user)
		if err != nil {
			return err
		}
		tx.OnCommit(func() { s.sessions.drop(user) })
		*m.flag(&account) = is
		return tx.UpdateUser(account)
	})
}

// moderatable returns an account whose moderation is up to an administrator. The
// rights come first, so that nobody else learns who exists (ADM-4).
func (s *Service) moderatable(v store.View, admin, user events.UserID) (store.User, error) {
	by, err := v.User(admin)
	if err != nil {
		return store.User{}, err
	}
	if !by.Admin {
		return store.User{}, mxerr.Forbidden("only administrators may do this")
	}
	if err := s.isLocal(user); err != nil {
		return store.User{}, err
	}
	account, err := activeUser(v, user)
	if err == nil && account.Admin {
		err = mxerr.Forbidden("administrators do not moderate each other")
	}
	return account, err
}

// Whois returns the devices of a user, with where and when each was last used,
// to that user or to an administrator; M_FORBIDDEN for all others (ADM-1).
func (s *Service) Whois(ctx context.Context, caller, user events.UserID) (devices []Device, err error) {
	err = s.Store.View(ctx, func(v store.View) error {
		if caller != user {
			by, err := v.User(caller)
			if err != nil {
				return err
			}
			if !by.Admin {
				return mxerr.Forbidden("only administrators may ask about others")
			}
			if _, err := v.User(user); errors.Is(err, store.ErrNotFound) {
				return mxerr.NotFound("no such user")
			}
		}
		devices, err = v.Devices(user)
		return err
	})
	return devices, err
}

// changeUser changes an account that is in use, and makes its sessions see it.
func (s *Service) changeUser(ctx context.Context, user events.UserID, change func(*store.User)) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		account, err := activeUser(tx, user)
		if err != nil {
			return err
		}
		tx.OnCommit(func() { s.sessions.drop(user) })
		change(&account)
		return tx.UpdateUser(account)
	})
}
