package account

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// IdentityServers tells others whose an address is, if users want that. All its
// errors that are Matrix errors are passed on to the client.
type IdentityServers interface {
	// Bind has an identity server tell that an address, which was validated
	// there, is a user's, and returns the address. token is the user's, for that
	// server. M_SERVER_NOT_TRUSTED.
	Bind(ctx context.Context, server, token string, user events.UserID, sid, secret string) (medium, address string, err error)

	// Unbind ends that. A server that does not know how to, or refuses, is an
	// error.
	Unbind(ctx context.Context, user events.UserID, medium, address, server string) error
}

// BindRequest names an address by its validation at an identity server.
type BindRequest struct {
	User        events.UserID
	IDServer    string // host name
	AccessToken string // the user's, for the identity server
	ID, Secret  string // of the validation
}

// Bind has an identity server tell others whose an address is, and remembers it
// (3PID-4). M_SERVER_NOT_TRUSTED where that is not configured (3PID-9).
func (s *Service) Bind(ctx context.Context, b BindRequest) error {
	if err := s.mayChangeThreePIDs(); err != nil {
		return err
	}
	if s.IdentityServers == nil {
		return mxerr.ServerNotTrusted("identity servers are not used here")
	}
	if err := checkValidation(b.ID, b.Secret); err != nil {
		return err
	}
	medium, address, err := s.IdentityServers.Bind(ctx, b.IDServer, b.AccessToken, b.User, b.ID, b.Secret)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		return tx.PutBinding(store.Binding{User: b.User, Medium: medium, Address: address, IDServer: b.IDServer})
	})
}

// Unbind ends what Bind has begun, at the given identity server or at those that
// are remembered, and reports whether that was possible; the address stays on
// the account (3PID-5).
func (s *Service) Unbind(ctx context.Context, user events.UserID, medium, address, idServer string) (unbound bool, err error) {
	if err := s.mayChangeThreePIDs(); err != nil {
		return false, err
	}
	if address, err = canonicalAddress(medium, address); err != nil {
		return false, err
	}
	return s.unbind(ctx, user, medium, address, idServer)
}

func (s *Service) unbind(ctx context.Context, user events.UserID, medium, address, idServer string) (unbound bool, err error) {
	bindings, err := s.bindings(ctx, user)
	if err != nil {
		return false, err
	}
	var concerned []store.Binding
	for _, b := range bindings {
		if b.Medium == medium && b.Address == address && (idServer == "" || b.IDServer == idServer) {
			concerned = append(concerned, b)
		}
	}
	if len(concerned) == 0 && idServer != "" {
		concerned = []store.Binding{{User: user, Medium: medium, Address: address, IDServer: idServer}}
	}
	return s.unbindAll(ctx, concerned) && len(concerned) > 0, nil
}

func (s *Service) bindings(ctx context.Context, user events.UserID) (all []store.Binding, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		all, err = v.BindingsOf(user)
		return err
	})
	return all, err
}

// unbindAll reports whether all bindings were ended (DEACT-2).
func (s *Service) unbindAll(ctx context.Context, bindings []store.Binding) bool {
	all := true
	for _, b := range bindings {
		if s.IdentityServers == nil {
			return false
		}
		err := s.IdentityServers.Unbind(ctx, b.User, b.Medium, b.Address, b.IDServer)
		if err == nil {
			err = s.Store.Update(ctx, func(tx store.Tx) error { return tx.DeleteBinding(b) })
		}
		if err != nil {
			s.Logger.InfoContext(ctx, "unbind address", "user_id", b.User, "id_server", b.IDServer, "error", err)
			all = false
		}
	}
	return all
}
