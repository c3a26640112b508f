package account

import (
	"context"
	"errors"
	"slices"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// SubmitCode validates an address by the code of the message (REG-21).
// M_INVALID_PARAM, M_TOKEN_INCORRECT, M_SESSION_EXPIRED.
func (s *Service) SubmitCode(ctx context.Context, id, secret, code string) error {
	if err := checkValidation(id, secret); err != nil {
		return err
	}
	wrong := false
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		now := s.nowMillis()
		v, err := tx.Validation(id)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && v.Secret != hashToken(secret):
			return mxerr.InvalidParam("sid", "is not known with this client_secret")
		case err != nil:
			return err
		case v.ExpiresTS <= now, v.Tries >= maxTries:
			return mxerr.SessionExpired("begin again: it was too long ago, or there were too many attempts")
		}
		if wrong = v.Token != s.tokenOf(id, v.Medium, code); wrong {
			v.Tries++
		} else if v.ValidatedTS == 0 {
			v.ValidatedTS = now
		}
		return tx.PutValidation(v, now)
	})
	if err == nil && wrong {
		err = mxerr.TokenIncorrect("this is not the code of the message")
	}
	return err
}

// LinkedValidation returns what the link of a message is about, for the page
// that asks. M_SESSION_EXPIRED.
func (s *Service) LinkedValidation(ctx context.Context, token string) (address, purpose string, err error) {
	err = s.Store.View(ctx, func(v store.View) error {
		linked, err := s.linked(v, token)
		address, purpose = linked.Address, linked.Purpose
		return err
	})
	return address, purpose, err
}

// FollowLink validates an address by the link of the message, and returns where
// the browser goes on, if the client has said (REG-20). M_SESSION_EXPIRED.
func (s *Service) FollowLink(ctx context.Context, token string) (next string, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		v, err := s.linked(tx, token)
		if err != nil {
			return err
		}
		if v.ValidatedTS == 0 {
			v.ValidatedTS = s.nowMillis()
		}
		next = v.NextLink
		return tx.PutValidation(v, s.nowMillis())
	})
	return next, err
}

func (s *Service) linked(v store.View, token string) (store.Validation, error) {
	linked, err := v.ValidationByToken(hashToken(token))
	if errors.Is(err, store.ErrNotFound) || err == nil && (linked.Medium != MediumEmail || linked.ExpiresTS <= s.nowMillis()) {
		err = mxerr.SessionExpired("this link is too old, or there is a newer one")
	}
	return linked, err
}

// validated returns a validation that a client has shown for one of these
// purposes. M_THREEPID_AUTH_FAILED (3PID-3); uia.ErrPending if it only waits.
func (s *Service) validated(v store.View, id, secret string, purposes ...string) (store.Validation, error) {
	x, err := v.Validation(id)
	switch {
	case errors.Is(err, store.ErrNotFound),
		err == nil && (x.Secret != hashToken(secret) || x.ExpiresTS <= s.nowMillis() || !slices.Contains(purposes, x.Purpose)):
		return x, mxerr.ThreePIDAuthFailed("no address was validated in this session")
	case err == nil && x.ValidatedTS == 0:
		return x, uia.ErrPending
	}
	return x, err
}
