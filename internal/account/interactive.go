package account

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// Interactive returns the engine of interactive authentication, for other
// services with endpoints that need it.
func (s *Service) Interactive() *uia.Engine { return s.engine }

// Operation returns an operation by which the owner of an account acts on it,
// with the flows that prove to be that owner. name is one of the uia.Op…
// constants; target is what is acted on, if proof for one must not serve for
// another (UIA-14). user is empty for those operations that work without an
// access token; then the proof says whose account it is.
func (s *Service) Operation(ctx context.Context, name, target string, user events.UserID) (uia.Operation, error) {
	flows, err := s.ownerFlows(ctx, name, user)
	if err != nil {
		return uia.Operation{}, err
	}
	if s.Flows != nil {
		flows = s.Flows(name, user, flows)
	}
	if len(flows) == 0 {
		return uia.Operation{}, mxerr.Forbidden("there is no way to confirm this here")
	}
	return uia.Operation{Name: name, Target: target, User: user, Flows: flows}, nil
}

// ownerFlows are the usual ways to show who one is: with the password, and at the
// identity providers at which one has an account. Whoever registered there has no
// password here, and a provider may vouch for whom it likes. Without an access token single sign-on is none: a link to it
// could make people close their account who only wanted to read something.
func (s *Service) ownerFlows(ctx context.Context, name string, user events.UserID) ([]uia.Flow, error) {
	if name == uia.OpChangePassword && user == "" { // a forgotten password is no proof (PWD-2)
		return s.contactFlows(), nil
	}
	byPassword, bySSO := !s.NoPasswords, false
	if len(s.SSO.Providers) > 0 && user != "" {
		err := s.Store.View(ctx, func(v store.View) error {
			account, err := v.User(user)
			if err != nil {
				return err
			}
			identities, err := v.IdentitiesOf(user)
			if _, ours := s.Provider.(*storedPasswords); ours && account.PasswordHash == "" {
				byPassword = false
			}
			bySSO = len(identities) > 0 || !byPassword
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var flows []uia.Flow
	if byPassword {
		flows = append(flows, uia.Flow{uia.TypePassword})
	}
	if bySSO {
		flows = append(flows, uia.Flow{uia.TypeSSO})
	}
	return flows, nil
}

// contactFlows show that one has an address which says whose account it is.
func (s *Service) contactFlows() (flows []uia.Flow) {
	if s.Email.Sender != nil {
		flows = append(flows, uia.Flow{uia.TypeEmail})
	}
	if s.Phone.Sender != nil {
		flows = append(flows, uia.Flow{uia.TypeMSISDN})
	}
	return flows
}
