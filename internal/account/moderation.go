package account

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
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
