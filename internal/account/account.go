// Package account is the service for users and what belongs to them alone:
// registration, passwords, sessions, profiles, account data, filters and
// devices.
//
// Its methods are called by the HTTP handlers and by the host's Go code alike.
// They return *mxerr.Error for what the specification wants refused and
// *uia.Required where a client has to prove more; any other error is a fault.
// All of them may be called at once and from any goroutine.
//
// # Passwords and tokens
//
// Passwords are hashed with argon2id ([Cost]), always before the store's writer
// is asked for, and by few goroutines at a time so that memory stays bounded.
// Access tokens are 256 random bits and only their SHA-256 is stored;
// [Service.Authenticate] remembers the sessions of recently used ones, so that
// most requests don't touch the store.
//
// # Profiles
//
// A changed name or avatar goes into all rooms of its user, some at a time. That it is on
// its way is noted in the transaction of the change, so that it arrives even if the server
// is killed meanwhile ([Service.SpreadProfiles]).
//
// # The host's accounts
//
// Who may sign in with a password is up to a [uia.Provider]. The default one
// knows the passwords set at registration; with another, users who sign in for
// the first time get an account without a password of its own.
package account

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/appservice"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// Rooms carries what happens to an account into the rooms.
type Rooms interface {
	// ProfileChanged is called after fields of a user's profile have changed,
	// with their names: "displayname" or "avatar_url" (PROF-11).
	ProfileChanged(ctx context.Context, user events.UserID, fields ...string) error

	// LeaveAll makes a user leave all rooms and reject all invites and knocks,
	// before and after the account is deactivated (DEACT-3). It may be called again for
	// what is left after an error.
	LeaveAll(ctx context.Context, user events.UserID) error
}

// Presence tells those who share a room with a user what is new.
type Presence interface {
	// ProfileChanged is called after the display name or the avatar of a user has
	// changed (PROF-12).
	ProfileChanged(ctx context.Context, user events.UserID) error
}

// Waker wakes the waiting syncs of a user.
type Waker interface {
	// UserChanged says that there is something new for all devices of a user at
	// a position. It is called while the store commits, in the order of the
	// positions, and must be quick.
	UserChanged(user events.UserID, pos store.Pos)
}

// DeviceLists tells others about the devices of users (DL-4).
type DeviceLists interface {
	// Changed is called inside the transaction in which a device of a user is
	// added, renamed or removed.
	Changed(tx store.Tx, user events.UserID) error
}

// Limiter is a budget for requests, such as *ratelimit.Limiter: Allow takes one
// of the class from the key's budget and returns 0, or says how long to wait.
// It is safe for concurrent use.
type Limiter interface {
	Allow(class ratelimit.Class, key string) (wait time.Duration)
}

// PushRules knows the push rules of users, which clients also read as account
// data (AD-4).
type PushRules interface {
	// Ruleset returns the content of a user's m.push_rules.
	Ruleset(ctx context.Context, user events.UserID) (json.RawMessage, error)
}

// DefaultTokenLifetime is short enough that a token which got lost does little
// harm, and long enough that renewing it is no load.
const DefaultTokenLifetime = time.Hour

// Rules are what users may do with their accounts. The zero value is what holds
// by default.
type Rules struct {
	// PasswordPolicy refuses passwords that the host thinks too weak; users read
	// the text of the error, or get a Matrix error as it is. Nil accepts all but
	// the empty one.
	PasswordPolicy func(password string) error
	// FixedPasswords keeps users from changing their passwords (CAP-2).
	FixedPasswords bool
	// NoPasswords ends signing in with a password, for servers that have other
	// ways.
	NoPasswords bool
	// LoginTokens lets users get tokens to sign in with elsewhere (LOGIN-18).
	LoginTokens bool
	// Guests lets people in without an account of their own (REG-13).
	Guests bool
	// TokenLifetime is how long an access token is valid that its client can
	// renew (REFR-3); zero: DefaultTokenLifetime.
	TokenLifetime time.Duration
	// SessionLifetime is how long an access token is valid that its client
	// cannot renew; then it has to sign in again, with the same device if it
	// likes (REFR-7, REFR-9). Zero: for ever.
	SessionLifetime time.Duration
	// FixedThreePIDs keeps users from changing their e-mail addresses and phone
	// numbers (CAP-6).
	FixedThreePIDs bool
	// CheckThreePID refuses addresses that the host does not want (M_THREEPID_DENIED);
	// users read the text of the error. Nil accepts all.
	CheckThreePID func(medium, address string) error
	// ProfileFields restricts which profile fields users may change (CAP-4);
	// nil: they may change all.
	ProfileFields *ProfileFields
}

// Config is what the service needs. Fields that are not marked as required may
// be left out.
type Config struct {
	Store  store.Store       // required
	Server events.ServerName // required
	Now    func() time.Time  // the clock; required

	// Provider checks passwords; nil: those of the store.
	Provider uia.Provider
	// Stages are those that the host adds for interactive authentication.
	Stages []uia.Stage
	// Flows, if not nil, chooses how to authenticate for an operation, one of
	// the uia.Op… constants, of a user (empty without an access token). usual
	// is what would be chosen without it. No flow at all forbids the operation.
	Flows func(operation string, user events.UserID, usual []uia.Flow) []uia.Flow
	// Email and Phone are how people are reached, and show that an address is
	// theirs; PublicURL is needed for either.
	Email, Phone Contact
	// ParsePhone returns the E.164 form of a phone number as it is written in a
	// country, of two capital letters; nil takes international numbers only.
	ParsePhone func(country, number string) (msisdn string, err error)
	// IdentityServers tells others whose an address is; nil: nobody does.
	IdentityServers IdentityServers
	// TURN is the relay for calls.
	TURN TURN
	// SSO is how users sign in at identity providers.
	SSO SSO
	// PublicURL is what comes before "/_matrix/" in URLs for browsers, without a
	// slash at the end; single sign-on needs it.
	PublicURL string
	// Limiter slows down guessing at the password of one account; nil: nothing
	// does.
	Limiter Limiter
	Rules
	// Services are the application services, which have users of their own; nil: there
	// are none.
	Services *appservice.Registry
	// Registration says who may register; nobody by default.
	Registration Registration
	// RegistrationTokens are accepted with RegistrationByToken (UIA-24), any
	// number of times, beside those that are created with the service.
	RegistrationTokens []string
	// Policies have to be agreed to at registration (UIA-25).
	Policies []uia.Policy
	// Captcha has to be solved at registration (UIA-20); nil: there is none.
	Captcha *uia.Captcha
	// AllUsersFindable lets users find all others in the user directory, and not
	// only those they may meet in rooms (DIR-3).
	AllUsersFindable bool
	// Cost is what hashing a password costs; zero: DefaultCost.
	Cost Cost
	// Logger gets what happens beside a request; nil discards it.
	Logger *slog.Logger

	Rooms       Rooms
	Presence    Presence // nil: it is not told
	Waker       Waker
	DeviceLists DeviceLists
	PushRules   PushRules
}

// Service is the service for accounts.
type Service struct {
	Config
	hasher    *hasher
	passwords uia.Provider // Provider, slowed down
	engine    *uia.Engine
	sessions  *sessionCache
	sealer    *sealer
	erased    erased

	filtersMu sync.Mutex
	filters   map[filterKey]*events.Filter // see ParsedFilter
}

// New makes the service. It starts nothing that would have to be stopped.
func New(cfg Config) *Service {
	if cfg.Cost == (Cost{}) {
		cfg.Cost = DefaultCost()
	}
	if cfg.TokenLifetime == 0 {
		cfg.TokenLifetime = DefaultTokenLifetime
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{Config: cfg, hasher: newHasher(cfg.Cost), sessions: newSessionCache(maxCachedSessions), filters: map[filterKey]*events.Filter{}, sealer: &sealer{store: cfg.Store}}
	if s.Provider == nil {
		s.Provider = &storedPasswords{store: cfg.Store, hasher: s.hasher, log: cfg.Logger}
	}
	s.passwords = slowProvider{s.Provider, cfg.Limiter}
	stages := []uia.Stage{uia.Dummy(), uia.Password(s.passwords, s.identifyIn), registrationToken{s}}
	if len(cfg.Policies) > 0 {
		stages = append(stages, uia.Terms(cfg.Policies...))
	}
	for _, medium := range []string{MediumEmail, MediumMSISDN} {
		if s.contact(medium).Sender != nil {
			stages = append(stages, contactStage{s, medium})
		}
	}
	if cfg.Captcha != nil {
		stages = append(stages, cfg.Captcha.Stage())
	}
	s.engine = uia.New(cfg.Now, append(stages, cfg.Stages...)...)
	return s
}

func (s *Service) nowMillis() int64 { return s.Now().UnixMilli() }

// sameSecret compares in constant time, but for the length.
func sameSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
