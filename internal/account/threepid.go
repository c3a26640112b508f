package account

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// ThreePID is an e-mail address or phone number of a user.
type ThreePID = store.ThreePID

// ThreePIDs returns the addresses of a user (3PID-1).
func (s *Service) ThreePIDs(ctx context.Context, user events.UserID) (all []ThreePID, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		all, err = v.ThreePIDsOf(user)
		return err
	})
	return all, err
}

// AddThreePID adds an address that was validated to the caller's account
// (3PID-2). M_THREEPID_AUTH_FAILED, M_THREEPID_IN_USE, M_FORBIDDEN.
func (s *Service) AddThreePID(ctx context.Context, user events.UserID, id, secret string, auth json.RawMessage) error {
	if err := s.mayChangeThreePIDs(); err != nil {
		return err
	}
	if err := checkValidation(id, secret); err != nil {
		return err
	}
	op, err := s.Operation(ctx, uia.OpAddThreePID, id, user)
	if err != nil {
		return err
	}
	op.Allowed = func(ctx context.Context) error { // 3PID-3
		return s.Store.View(ctx, func(v store.View) error { _, err := s.toAdd(v, id, secret); return err })
	}
	_, err = uia.Do(ctx, s.engine, op, auth, func(ctx context.Context, _ uia.Proof) (struct{}, error) {
		return struct{}{}, s.AddValidated(ctx, user, id, secret)
	})
	return err
}

// AddValidated is AddThreePID for clients that know no interactive
// authentication there (3PID-11).
func (s *Service) AddValidated(ctx context.Context, user events.UserID, id, secret string) error {
	if err := s.mayChangeThreePIDs(); err != nil {
		return err
	}
	if err := checkValidation(id, secret); err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		v, err := s.toAdd(tx, id, secret)
		if err != nil {
			return err
		}
		if err := s.putThreePID(tx, user, v); err != nil {
			return err
		}
		return tx.DeleteValidation(v.ID)
	})
}

func (s *Service) mayChangeThreePIDs() error {
	if s.FixedThreePIDs {
		return mxerr.Forbidden("addresses cannot be changed here") // 3PID-9, CAP-6
	}
	return nil
}

// toAdd returns a validation of an address that can be added.
func (s *Service) toAdd(v store.View, id, secret string) (store.Validation, error) {
	x, err := s.validated(v, id, secret, uia.OpAddThreePID)
	if errors.Is(err, uia.ErrPending) {
		err = mxerr.ThreePIDAuthFailed("the address is not validated yet")
	}
	return x, err
}

// putThreePID gives a user an address. M_THREEPID_IN_USE.
func (s *Service) putThreePID(tx store.Tx, user events.UserID, v store.Validation) error {
	old, err := tx.ThreePID(v.Medium, v.Address)
	switch {
	case err == nil && old.User == user:
		return nil
	case err == nil:
		return mxerr.ThreePIDInUse("this address belongs to an account already")
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	return tx.PutThreePID(store.ThreePID{
		Medium: v.Medium, Address: v.Address, User: user, ValidatedTS: v.ValidatedTS, AddedTS: s.nowMillis(),
	})
}

// SetThreePID gives a user an address for the host, which has validated it.
// M_THREEPID_IN_USE, M_INVALID_PARAM, M_NOT_FOUND.
func (s *Service) SetThreePID(ctx context.Context, user events.UserID, medium, address string) error {
	address, err := canonicalAddress(medium, address)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := activeUser(tx, user); err != nil {
			return err
		}
		return s.putThreePID(tx, user, store.Validation{Medium: medium, Address: address, ValidatedTS: s.nowMillis()})
	})
}

// canonicalAddress returns the canonical form of an address that is complete.
func canonicalAddress(medium, address string) (canonical string, err error) {
	switch medium {
	case MediumEmail:
		canonical, err = events.CanonicalEmail(address)
	case MediumMSISDN:
		canonical, err = events.CanonicalMSISDN(address)
	default:
		return "", mxerr.InvalidParam("medium", "is neither email nor msisdn")
	}
	if err != nil {
		return "", mxerr.InvalidParam("address", "is not one of this medium").Because(err)
	}
	return canonical, nil
}

// DeleteThreePID takes an address off a user's account, and off the identity
// server that tells others whose it is: the given one, or those that are
// remembered. It reports whether that was possible (3PID-5).
// M_THREEPID_NOT_FOUND, M_FORBIDDEN, M_USER_SUSPENDED.
func (s *Service) DeleteThreePID(ctx context.Context, user events.UserID, medium, address, idServer string) (unbound bool, err error) {
	if err := s.mayChangeThreePIDs(); err != nil {
		return false, err
	}
	if address, err = canonicalAddress(medium, address); err != nil {
		return false, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		account, err := tx.User(user)
		if err != nil {
			return err
		}
		if account.Suspended { // ADM-9
			return mxerr.UserSuspended("your account is suspended")
		}
		owned, err := tx.ThreePID(medium, address)
		if errors.Is(err, store.ErrNotFound) || err == nil && owned.User != user {
			return mxerr.ThreePIDNotFound("this is none of your addresses")
		}
		if err != nil {
			return err
		}
		return tx.DeleteThreePID(medium, address)
	})
	if err != nil {
		return false, err
	}
	return s.unbind(ctx, user, medium, address, idServer)
}

// ownerOf returns whose an address is. uia.ErrUnknownUser (3PID-10).
func (s *Service) ownerOf(ctx context.Context, medium, address string) (user events.UserID, err error) {
	err = s.Store.View(ctx, func(v store.View) error {
		owned, err := v.ThreePID(medium, address)
		user = owned.User
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = uia.ErrUnknownUser
	}
	return user, err
}
