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

// Deactivate ends an account for its owner, and reports whether all identity
// servers have been made to forget it (DEACT-1 to DEACT-5).
func (s *Service) Deactivate(ctx context.Context, in Deactivation) (unbound bool, err error) {
	op, err := s.Operation(ctx, uia.OpDeactivate, "", in.User)
	if err != nil {
		return false, err
	}
	return uia.Do(ctx, s.engine, op, in.Auth, func(ctx context.Context, proof uia.Proof) (bool, error) {
		user := in.User
		if user == "" {
			user = proof.User
		}
		return s.DeactivateUser(ctx, user, in.Erase)
	})
}

// DeactivateUser ends an account for the host: it leaves all rooms and loses its
// password, sessions, devices, pushers, addresses and profile, and with erase its account
// data; nobody can register its user ID again (DEACT-3, DEACT-4, REG-11). It
// reports whether all identity servers have been made to forget it. M_NOT_FOUND
// for users who do not exist or are deactivated already.
func (s *Service) DeactivateUser(ctx context.Context, user events.UserID, erase bool) (unbound bool, err error) {
	ctx = context.WithoutCancel(ctx) // whoever asked for it may go, it is to be finished
	if err := s.Store.View(ctx, func(v store.View) error { _, err := activeUser(v, user); return err }); err != nil {
		return false, err
	}
	if s.Rooms != nil {
		if err := s.Rooms.LeaveAll(ctx, user); err != nil {
			return false, fmt.Errorf("leave rooms: %w", err)
		}
	}
	bindings, err := s.bindings(ctx, user)
	if err != nil {
		return false, err
	}
	unbound = s.unbindAll(ctx, bindings)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		account, err := activeUser(tx, user)
		if err != nil {
			return err
		}
		account.PasswordHash, account.Deactivated = "", true
		if erase {
			account.Erased = max(tx.Position(), 1)
			tx.OnCommit(func() { s.erased.add(user, account.Erased) })
		}
		if err := tx.UpdateUser(account); err != nil {
			return err
		}
		err = errors.Join(
			s.removeDevices(tx, user, ""), tx.DeleteTickets(user), tx.DeleteIdentities(user), removeAddresses(tx, user),
			removeProfile(tx, user), tx.PutUserWords(user, nil),
			tx.DeletePushersOf(user), tx.DeleteCrossSigning(user), tx.DeleteBackups(user), s.devicesChanged(tx, user), // DEV-23
		)
		if erase {
			err = errors.Join(err, tx.DeleteAccountData(user))
		}
		return err
	})
	if err != nil || s.Rooms == nil {
		return unbound, err
	}
	if err := s.Rooms.LeaveAll(ctx, user); err != nil { // what the last requests of the user have joined
		s.Logger.WarnContext(ctx, "leave rooms after deactivation", "user_id", user, "error", err)
	}
	return unbound, nil
}

func removeProfile(tx store.Tx, user events.UserID) error {
	fields, err := tx.Profile(user)
	for _, f := range fields {
		if err == nil {
			err = tx.DeleteProfileField(user, f.Name)
		}
	}
	return err
}

func removeAddresses(tx store.Tx, user events.UserID) error {
	addresses, err := tx.ThreePIDsOf(user)
	for _, a := range addresses {
		if err == nil {
			err = tx.DeleteThreePID(a.Medium, a.Address)
		}
	}
	return err
}

// activeUser returns an account that is in use. M_NOT_FOUND.
func activeUser(v store.View, user events.UserID) (store.User, error) {
	account, err := v.User(user)
	if errors.Is(err, store.ErrNotFound) || account.Deactivated {
		return account, mxerr.NotFound("no such user")
	}
	return account, err
}
