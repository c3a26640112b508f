package account

import (
	"context"
	"errors"
	"net/http"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// contactStage is m.login.email.identity or m.login.msisdn: the client shows a
// validation (UIA-21). At registration its detail, a store.Validation, is kept
// with the new account; elsewhere the address says whose account it is.
type contactStage struct {
	*Service
	medium string
}

var _ uia.Stage = contactStage{}

// Type implements uia.Stage.
func (s contactStage) Type() string {
	if s.medium == MediumEmail {
		return uia.TypeEmail
	}
	return uia.TypeMSISDN
}

// Check implements uia.Stage.
func (s contactStage) Check(ctx context.Context, a uia.Attempt) (uia.Passed, error) {
	creds := gjson.GetBytes(a.Auth, "threepid_creds")
	if !creds.Exists() {
		creds = gjson.GetBytes(a.Auth, "threepidCreds") // r0.3
	}
	if creds.IsArray() {
		creds = creds.Get("0")
	}
	id, secret := creds.Get("sid"), creds.Get("client_secret")
	if id.Type != gjson.String || secret.Type != gjson.String {
		return uia.Passed{}, mxerr.MissingParam("auth.threepid_creds")
	}
	purpose := uia.OpRegister
	if a.Operation.Name != uia.OpRegister {
		purpose = uia.OpChangePassword // the only one for which messages go to people who have an account
	}
	var passed uia.Passed
	err := s.Store.View(ctx, func(v store.View) error {
		x, err := s.validated(v, id.Str, secret.Str, purpose)
		if err == nil && x.Medium != s.medium {
			err = mxerr.ThreePIDAuthFailed("this address is of another kind")
		}
		if err != nil {
			return err
		}
		passed.Detail = x
		if purpose == uia.OpRegister {
			return nil
		}
		owner, err := v.ThreePID(x.Medium, x.Address)
		if errors.Is(err, store.ErrNotFound) {
			return uia.ErrUnknownUser
		}
		passed.User = owner.User
		return err
	})
	if refused, ok := errors.AsType[*mxerr.Error](err); ok && refused.Code == mxerr.MThreePIDAuthFailed {
		err = mxerr.New(http.StatusUnauthorized, refused.Code, "%s", refused.Message) // within the challenge: another try
	}
	return passed, err
}

// useUp ends the validations that proof was made with. New accounts get the
// addresses. M_THREEPID_IN_USE.
func (s *Service) useUp(tx store.Tx, user events.UserID, proof uia.Proof) error {
	for _, typ := range []string{uia.TypeEmail, uia.TypeMSISDN} {
		v, ok := proof.Details[typ].(store.Validation)
		if !ok {
			continue
		}
		if v.Purpose == uia.OpRegister {
			if err := s.putThreePID(tx, user, v); err != nil {
				return err
			}
		}
		if err := tx.DeleteValidation(v.ID); err != nil {
			return err
		}
	}
	return nil
}
