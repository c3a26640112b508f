package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// Deactivation is a request to end an account.
type Deactivation struct {
	User  events.UserID // the caller; empty: the proof says whose account it is
	Erase bool          // hide the account's past from those who come later (DEACT-4)
	Auth  json.RawMessage
}

// Deactivate ends an account for its owner (DEACT-1 to DEACT-5).
func (s *Service) Deactivate(ctx context.Context, in Deactivation) error {
	op, err := s.Operation(ctx, uia.OpDeactivate, "", in.User)
	if err != nil {
		return err
	}
	_, err = uia.Do(ctx, s.engine, op, in.Auth, func(ctx context.Context, proof uia.Proof) (struct{}, error) {
		user := in.User
		if user == "" {
			user = proof.User
		}
		return struct{}{}, s.DeactivateUser(ctx, user, in.Erase)
	})
	return err
}

// DeactivateUser ends an account for the host: it leaves all rooms and loses
// its password, sessions, devices, keys, key backups and profile, and with erase
// its account data; nobody can register its user ID again (DEACT-3, DEACT-4, REG-11).
// M_NOT_FOUND for users who do not exist or are deactivated already.
func (s *Service) DeactivateUser(ctx context.Context, user events.UserID, erase bool) error {
	ctx = context.WithoutCancel(ctx) // whoever asked for it may go, it is to be finished
	if err := s.Store.View(ctx, func(v store.View) error { _, err := activeUser(v, user); return err }); err != nil {
		return err
	}
	if s.Rooms != nil {
		if err := s.Rooms.LeaveAll(ctx, user); err != nil {
			return fmt.Errorf("leave rooms: %w", err)
		}
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		account, err := activeUser(tx, user)
		if err != nil {
			return err
		}
		account.PasswordHash, account.Deactivated, account.Erased = "", true, erase
		if err := tx.UpdateUser(account); err != nil {
			return err
		}
		if err := s.removeDevices(tx, user, ""); err != nil {
			return err
		}
		if err := tx.DeleteCrossSigning(user); err != nil { // DEV-23, and the next
			return err
		}
		if err := tx.DeleteBackups(user); err != nil {
			return err
		}
		if err := tx.DeleteTickets(user); err != nil {
			return err
		}
		if err := tx.DeleteIdentities(user); err != nil {
			return err
		}
		if err := tx.PutUserWords(user, nil); err != nil {
			return err
		}
		fields, err := tx.Profile(user)
		for _, f := range fields {
			if err == nil {
				err = tx.DeleteProfileField(user, f.Name)
			}
		}
		if err == nil && erase {
			err = tx.DeleteAccountData(user)
		}
		return err
	})
}

// activeUser returns an account that is in use. M_NOT_FOUND.
func activeUser(v store.View, user events.UserID) (store.User, error) {
	account, err := v.User(user)
	if errors.Is(err, store.ErrNotFound) || account.Deactivated {
		return account, mxerr.NotFound("no such user")
	}
	return account, err
}
