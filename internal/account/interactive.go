package account

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
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
	flows := s.ownerFlows(name, user)
	if s.Flows != nil {
		flows = s.Flows(name, user, flows)
	}
	if len(flows) == 0 {
		return uia.Operation{}, mxerr.Forbidden("there is no way to confirm this here")
	}
	return uia.Operation{Name: name, Target: target, User: user, Flows: flows}, nil
}

// ownerFlows are the usual ways to show who one is.
func (s *Service) ownerFlows(name string, user events.UserID) []uia.Flow {
	if name == uia.OpChangePassword && user == "" { // a forgotten password is no proof (PWD-2)
		return nil
	}
	if s.NoPasswords {
		return nil
	}
	return []uia.Flow{{uia.TypePassword}}
}
