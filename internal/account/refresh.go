package account

import (
	"context"
	"errors"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Refresh renews a session: it returns new tokens for the same device (REFR-1,
// REFR-6). M_UNKNOWN_TOKEN, with soft_logout while the device lives on (REFR-2);
// M_USER_LOCKED.
//
// The old tokens stay valid until one of the new ones is used, so a client that
// has lost the answer asks again and gets others (REFR-4). All that it was given
// work until it goes on from one of them: it may have asked twice at once.
func (s *Service) Refresh(ctx context.Context, token string) (session Session, err error) {
	hash := hashToken(token)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		old, err := tx.RefreshToken(hash)
		if errors.Is(err, store.ErrNotFound) {
			return ended(tx, token)
		}
		if err != nil {
			return err
		}
		account, err := tx.User(old.User)
		if err != nil {
			return err
		}
		if account.Locked { // ADM-5
			return mxerr.UserLocked("this account is locked")
		}
		device, err := tx.Device(old.User, old.Device)
		if err != nil {
			return err
		}
		tx.OnCommit(func() { s.sessions.drop(old.User) })
		if err := tx.DeleteGenerations(old.User, old.Device, old.Generation); err != nil { // using it ends the one that it replaced
			return err
		}
		session, err = s.issue(tx, device, old.Generation+1, true)
		return err
	})
	return session, err
}

// ended is the refusal of a token that is not known. Clients keep the keys of a
// device that is still there, and may sign in with it again (AUTH-4, REFR-2).
func ended(v store.View, token string) error {
	if tag := tagOf(token); tag != "" {
		_, err := v.DeviceByTag(tag)
		if err == nil {
			return mxerr.SoftLogout("the session has ended")
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return mxerr.UnknownToken("the token is not known")
}
