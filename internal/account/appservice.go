package account

import (
	"context"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/appservice"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// Assertion is whom an application service says it acts for.
type Assertion struct {
	User   string // empty: the service's sender
	Device string // empty: none
}

// Act returns whom an application service acts for. M_FORBIDDEN for users who are not
// the service's or do not exist, M_UNKNOWN_DEVICE (ASC-4, ASC-5); M_USER_LOCKED and the
// other parameters are as for [Service.Authenticate].
func (s *Service) Act(ctx context.Context, service *appservice.Service, as Assertion, address, userAgent string, evenIfLocked bool) (Identity, error) {
	user := service.User
	if as.User != "" {
		var err error
		if user, err = events.ParseUserID(as.User); err != nil || !service.Owns(user) {
			return Identity{}, mxerr.Forbidden("user_id is not a user of this application service")
		}
	}
	// The token in it keeps others from presenting a key as a token of their own.
	key := hashToken(service.Token + "\x00" + string(user) + "\x00" + as.Device)
	c := s.sessions.get(key)
	if c == nil {
		var err error
		if c, err = s.loadAssertion(ctx, user, as.Device, key); err != nil {
			return Identity{}, err
		}
	}
	return s.use(ctx, c, address, userAgent, evenIfLocked)
}

// loadAssertion reads whom a service acts for from the store and keeps it in the
// cache.
func (s *Service) loadAssertion(ctx context.Context, user events.UserID, device string, key store.TokenHash) (*cachedSession, error) {
	drops := s.sessions.drops.Load()
	c := new(cachedSession)
	err := s.Store.View(ctx, func(v store.View) error {
		account, err := v.User(user)
		if errors.Is(err, store.ErrNotFound) || account.Deactivated {
			return mxerr.Forbidden("user_id is not registered")
		}
		if err != nil {
			return err
		}
		c.Identity = Identity{User: user, Device: device, Locked: account.Locked, Suspended: account.Suspended}
		if device == "" {
			return nil
		}
		found, err := v.Device(user, device)
		if errors.Is(err, store.ErrNotFound) {
			return mxerr.UnknownDevice("device_id is not a device of the user")
		}
		c.seen.Store(found.LastSeenTS)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.sessions.put(key, c, drops)
	return c, nil
}

// LegacyLogin reports whether people sign in by POST /login at all.
func (s *Service) LegacyLogin() bool {
	return !s.NoPasswords || s.LoginTokens || len(s.SSO.Providers) > 0
}

// serviceOf returns the application service that a token belongs to. M_MISSING_TOKEN,
// M_UNKNOWN_TOKEN; M_FORBIDDEN for the token of a user (ASC-11, LOGIN-15).
func (s *Service) serviceOf(ctx context.Context, token string, c Client) (*appservice.Service, error) {
	if token == "" {
		return nil, mxerr.MissingToken("the token of an application service is needed")
	}
	if service := s.Services.ByToken(token); service != nil {
		return service, nil
	}
	if _, err := s.Authenticate(ctx, token, c.Address, c.UserAgent, true); err != nil {
		return nil, err
	}
	return nil, mxerr.Forbidden("only application services may do this")
}

// RegisterByService creates an account for the application service that has a token,
// and unless inhibited a session; whoever else may register has no say in it (ASC-10).
// M_EXCLUSIVE outside its namespaces (ASC-7), M_USER_IN_USE; M_APPSERVICE_LOGIN_UNSUPPORTED
// if a session is wanted where nobody signs in that way (ASC-12).
func (s *Service) RegisterByService(ctx context.Context, token string, in NewAccount) (Session, error) {
	service, err := s.serviceOf(ctx, token, in.Client)
	if err != nil {
		return Session{}, err
	}
	if in.Username == nil {
		return Session{}, mxerr.MissingParam("username")
	}
	user, err := s.newUserID(*in.Username)
	if err != nil {
		return Session{}, err
	}
	if !s.Services.MayCreateUser(service.ID, user) {
		return Session{}, errExclusive(user)
	}
	if !in.InhibitLogin && !s.LegacyLogin() {
		return Session{}, errNoServiceLogin()
	}
	return s.create(ctx, user, NewAccount{InhibitLogin: in.InhibitLogin, Client: in.Client}, uia.Proof{})
}

// LoginByService begins a session of a user for the application service that has a
// token. M_EXCLUSIVE for users outside its namespaces, M_FORBIDDEN for those who do not
// exist (LOGIN-15), M_APPSERVICE_LOGIN_UNSUPPORTED (LOGIN-16).
func (s *Service) LoginByService(ctx context.Context, token string, id Identifier, c Client) (Session, error) {
	service, err := s.serviceOf(ctx, token, c)
	if err != nil {
		return Session{}, err
	}
	if !s.LegacyLogin() {
		return Session{}, errNoServiceLogin()
	}
	user, err := s.identify(ctx, id)
	if errors.Is(err, uia.ErrUnknownUser) {
		return Session{}, mxerr.Forbidden("there is no such user")
	}
	if err != nil {
		return Session{}, err
	}
	if !service.Owns(user) {
		return Session{}, errExclusive(user)
	}
	return s.begin(ctx, c, func(tx store.Tx) (events.UserID, error) {
		_, err := tx.User(user)
		if errors.Is(err, store.ErrNotFound) {
			err = mxerr.Forbidden("there is no such user")
		}
		return user, err
	})
}

// unreserved refuses new users that an application service keeps to itself (ASC-8).
func (s *Service) unreserved(user events.UserID) error {
	if !s.Services.MayCreateUser("", user) {
		return errExclusive(user)
	}
	return nil
}

func errExclusive(user events.UserID) error {
	return mxerr.Exclusive("%s is in a namespace that is not yours", user)
}

func errNoServiceLogin() error {
	return mxerr.AppserviceLoginUnsupported("nobody signs in here by /login: act for users with user_id and device_id")
}
