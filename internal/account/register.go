package account

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// Registration says who may register over HTTP.
type Registration uint8

// The policies of registration. [Service.CreateUser] is not bound by them.
const (
	RegistrationClosed  Registration = iota // nobody
	RegistrationOpen                        // anyone
	RegistrationByToken                     // whoever has one of the tokens of the configuration
)

// NewAccount is a request for an account.
type NewAccount struct {
	Username *string         // localpart; nil: the server makes one up (REG-2)
	Password string          // required, but only once everything else is fine
	Auth     json.RawMessage // of interactive authentication
	// InhibitLogin asks for the account only, without a session (REG-8).
	InhibitLogin bool
	// GuestToken is the access token of a guest, who is to become this user and
	// has its username (REG-14).
	GuestToken string
	Client     Client
}

// Register creates an account and, unless inhibited, signs it in (REG-1 to
// REG-12). Repeating a request that has succeeded, with the session of its
// interactive authentication, gives the same answer again (REG-10).
func (s *Service) Register(ctx context.Context, in NewAccount) (Session, error) {
	op := uia.Operation{Name: uia.OpRegister, Flows: s.registrationFlows()}
	if len(op.Flows) == 0 {
		return Session{}, mxerr.Forbidden("registration is closed") // REG-6
	}
	var user events.UserID // empty: made up
	if in.Username != nil {
		var err error
		if user, err = s.newUserID(*in.Username); err != nil {
			return Session{}, err
		}
		op.Allowed = func(ctx context.Context) error { return s.free(ctx, user) } // REG-5, REG-4
	}
	if in.GuestToken != "" {
		op.Allowed = func(ctx context.Context) error { return s.mayUpgrade(ctx, user, in.GuestToken) }
	}
	session, err := uia.Do(ctx, s.engine, op, in.Auth, func(ctx context.Context, proof uia.Proof) (Session, error) {
		if in.Password == "" {
			return Session{}, mxerr.MissingParam("password") // REG-9
		}
		if err := s.checkNewPassword(in.Password); err != nil {
			return Session{}, err
		}
		id := user
		if id == "" {
			id = events.UserID("@" + randomLetters('a', 12) + ":" + string(s.Server))
			if err := s.unreserved(id); err != nil {
				return Session{}, err
			}
		}
		return s.create(ctx, id, in, proof)
	})
	if err == nil && user != "" && session.User != user {
		return Session{}, mxerr.Forbidden("this authentication session has registered another user")
	}
	return session, err
}

// registrationFlows are what people have to pass to register; none where they
// cannot.
func (s *Service) registrationFlows() []uia.Flow {
	if s.Registration == RegistrationClosed {
		return nil
	}
	var flow uia.Flow
	if s.Registration == RegistrationByToken {
		flow = append(flow, uia.TypeRegistrationToken)
	}
	if s.Captcha != nil {
		flow = append(flow, uia.TypeReCaptcha)
	}
	if len(s.Policies) > 0 {
		flow = append(flow, uia.TypeTerms)
	}
	flows := s.withContacts(flow)
	if s.Flows != nil {
		flows = s.Flows(uia.OpRegister, "", flows)
	}
	return flows
}

// withContacts adds the stages that show an address to a flow: to its end those
// that are required, and as flows of their own those that are optional. A flow
// that another one would begin with gets a last stage that tells them apart
// (UIA-23).
func (s *Service) withContacts(flow uia.Flow) []uia.Flow {
	var optional []string
	for _, medium := range []string{MediumEmail, MediumMSISDN} {
		contact, typ := s.contact(medium), contactStage{s, medium}.Type()
		switch {
		case contact.Sender == nil:
		case contact.AtRegistration == Required:
			flow = append(flow, typ)
		case contact.AtRegistration == Optional:
			optional = append(optional, typ)
		}
	}
	first := slices.Clone(flow)
	if len(first) == 0 || len(optional) > 0 {
		first = append(first, uia.TypeDummy)
	}
	flows := []uia.Flow{first}
	for _, typ := range optional {
		flows = append(flows, append(slices.Clone(flow), typ))
	}
	return flows
}

// CreateUser creates an account for the host, whatever the policy of
// registration. The username is a localpart. M_INVALID_USERNAME, M_USER_IN_USE.
// An account without a password cannot sign in with one.
func (s *Service) CreateUser(ctx context.Context, username, password string) (events.UserID, error) {
	user, err := s.newUserID(username)
	if err != nil {
		return "", err
	}
	session, err := s.create(ctx, user, NewAccount{Password: password, InhibitLogin: true}, uia.Proof{})
	return session.User, err
}

// Available refuses usernames that cannot be registered (REG-15).
func (s *Service) Available(ctx context.Context, username string) error {
	user, err := s.newUserID(username)
	if err != nil {
		return err
	}
	return s.free(ctx, user)
}

// newUserID returns the ID of a new user with a name (REG-3, ID-2, ID-4).
func (s *Service) newUserID(username string) (events.UserID, error) {
	user, err := events.NewUserID(lowerASCII(username), s.Server)
	if err != nil {
		return "", mxerr.InvalidUsername("a username has the characters a-z 0-9 . _ = - / + only, " +
			"and with the server name at most 255 bytes").Because(err)
	}
	return user, nil
}

// free refuses an ID that is kept to an application service, and one that is taken,
// also in another spelling or by a deactivated account (REG-4, REG-11).
func (s *Service) free(ctx context.Context, user events.UserID) error {
	if err := s.unreserved(user); err != nil {
		return err
	}
	return s.Store.View(ctx, func(v store.View) error { return freeIn(v, user) })
}

func freeIn(v store.View, user events.UserID) error {
	_, err := v.UserFold(user)
	switch {
	case err == nil:
		return mxerr.UserInUse("this username is taken")
	case errors.Is(err, store.ErrNotFound):
		return nil
	}
	return err
}

// create stores a new account with what its owner has proved, and its first
// session unless that is inhibited.
func (s *Service) create(ctx context.Context, user events.UserID, in NewAccount, proof uia.Proof) (Session, error) {
	login, err := s.newLogin(in.Client)
	if err != nil {
		return Session{}, err
	}
	account := store.User{ID: user}
	if in.Password != "" {
		if account.PasswordHash, err = s.hasher.hash(ctx, in.Password); err != nil {
			return Session{}, err
		}
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if in.GuestToken != "" {
			err = s.upgrade(tx, account)
		} else if err = freeIn(tx, user); err == nil { // REG-5
			err = s.createUser(tx, account)
		}
		if err == nil {
			err = s.keepProof(tx, user, proof)
		}
		if err != nil || in.InhibitLogin {
			return err
		}
		return login.store(tx, user)
	})
	switch {
	case err != nil:
		return Session{}, err
	case in.InhibitLogin:
		return Session{User: user}, nil
	}
	return login.session, nil
}

// keepProof records what a new user has shown: it counts the use of the
// registration token and keeps which policies were agreed to (UIA-25).
func (s *Service) keepProof(tx store.Tx, user events.UserID, proof uia.Proof) error {
	if hash, ok := proof.Details[uia.TypeRegistrationToken].(store.TokenHash); ok {
		if err := s.spend(tx, hash); err != nil {
			return err
		}
	}
	if err := s.useUp(tx, user, proof); err != nil {
		return err
	}
	policies, _ := proof.Details[uia.TypeTerms].([]uia.Policy)
	for _, p := range policies {
		err := tx.PutConsent(store.Consent{User: user, Policy: p.ID, Version: p.Version, TS: s.nowMillis()})
		if err != nil {
			return err
		}
	}
	return nil
}

// createUser adds an account, whose display name is its localpart at first
// (REG-12).
func (s *Service) createUser(tx store.Tx, account store.User) error {
	account.CreatedTS = s.nowMillis()
	if err := tx.CreateUser(account); err != nil {
		return err
	}
	return putProfileField(tx, account.ID, fieldDisplayName, events.AppendString(nil, account.ID.Localpart()))
}
