package homeserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/api"
	"github.com/ca4c8834/homeserver/internal/appservice"
	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/room"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// Option changes a server from its defaults. Making an option has no effect by
// itself. Of options for the same thing the last one wins, but those that take
// a list add to it. A nil where something is wanted is a fault, not the default.
type Option func(*config)

type config struct {
	faults []error

	name               events.ServerName
	store              store.Store
	provider           uia.Provider
	publicURL          string
	discovery          api.Discovery
	registration       RegistrationPolicy
	registrationTokens []string
	accounts           account.Config // what the options of accountoptions.go say
	identityServers    []string
	urlNeededBy        []string // options
	limits             map[ratelimit.Class]ratelimit.Limit
	userLimits         func(class ratelimit.Class, key string, usual ratelimit.Limit) ratelimit.Limit
	clientAddress      func(*http.Request) string
	media              content.Config // what the options of media.go say
	previews           *PreviewAddresses
	pushRules          push.Options
	pushGateways       PushGateways
	roomVersion        *events.RoomVersion
	forgetting         room.Forgetting
	cost               account.Cost
	openUserDirectory  bool
	noPresence         bool
	roomMemory         int
	reports            func(context.Context, Report) error
	appServices        []appservice.Registration
	services           *appservice.Registry
	notices            string // localpart
	noticesName        string
	noticesUser        events.UserID
	logger             *slog.Logger
	now                func() time.Time
}

// configure applies the options and returns all faults at once.
func configure(name string, options []Option) (*config, error) {
	c := &config{
		limits: ratelimit.Defaults(),
		cost:   account.DefaultCost(),
		logger: slog.Default(),
		now:    time.Now,

		roomMemory: live.DefaultLimit,
	}
	c.roomVersion, _ = events.LookupVersion(events.DefaultVersion)
	var err error
	if c.name, err = events.ParseServerName(name); err != nil {
		c.fault("%w; it is a host name or address with an optional port, such as example.org", err)
	}
	for _, option := range options {
		if option == nil {
			c.fault("an option is nil")
			continue
		}
		option(c)
	}
	if c.services, err = appservice.New(c.name, c.appServices); err != nil {
		c.fault("WithAppServices: %w", err)
	}
	if events.ValidLocalpart(c.notices) { // else the option has told
		if c.noticesUser, err = events.NewUserID(c.notices, c.name); err != nil {
			c.fault("WithServerNotices: %w", err)
		}
	}
	if c.reports == nil {
		c.reports = logReports(c.logger)
	}
	if c.registration != RegistrationByToken && len(c.registrationTokens) > 0 {
		c.fault("WithRegistrationTokens needs RegistrationByToken")
	}
	if c.provider != nil && c.registration != RegistrationClosed {
		c.fault("WithRegistration: nobody registers beside WithAuthProvider, or they would get the accounts of those whom it knows")
	}
	c.checkURL()
	c.discovery.BaseURL = c.publicURL
	return c, errors.Join(c.faults...)
}

func (c *config) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Errorf(format, args...))
}

// WithStore keeps the server's data in st, such as sqlite.Open("chat.db"). The
// server owns it from then on and closes it with itself; only if [New] returns
// an error it is still the caller's. A store serves one server at a time.
//
// Default: a database in memory.
func WithStore(st store.Store) Option {
	return func(c *config) {
		if c.store = st; st == nil {
			c.fault("WithStore: the store is nil")
		}
	}
}

// WithAuthProvider lets the host decide who may sign in with a password. Users
// it accepts get an account when they first sign in. See [uia.Provider] for how
// it is called, and [Server.SignIn] for users whom the host signs in by itself.
// A provider that is a [uia.TokenVerifier], [uia.TokenRevoker] or [uia.PasswordSetter]
// as well is used as such; package uia/uiatest checks all of it.
//
// Nobody registers then: whoever took a name first would have the account of whom the
// host knows by it. So this option takes back an earlier [WithRegistration], and a
// later one that opens registration is a fault. [Server.CreateUser] makes accounts in
// advance; guests ([AccountRules]) and application services are let in as ever.
//
// Default: the passwords that users set, in the store.
func WithAuthProvider(p uia.Provider) Option {
	return func(c *config) {
		if c.provider, c.registration = p, RegistrationClosed; p == nil {
			c.fault("WithAuthProvider: the provider is nil")
		}
	}
}

// WithPublicURL tells under which URL clients reach the server: what comes
// before "/_matrix/", such as "https://app.example.org/chat". It is what
// /.well-known/matrix/client leads clients to, and part of links that the server
// makes.
//
// The URL is absolute, http or https, without query and fragment. Default:
// none; the well-known document is 404 then.
func WithPublicURL(base string) Option {
	return func(c *config) {
		u, err := url.Parse(base)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			c.fault("WithPublicURL: %q is not an absolute http or https URL without query and fragment", base)
		} else if strings.Contains(u.Path+"/", "/_matrix/") {
			c.fault("WithPublicURL: %q goes too far: it is what comes before /_matrix", base)
		}
		c.publicURL = strings.TrimSuffix(base, "/")
	}
}

// RegistrationPolicy says who may make an account through the client-server API.
// The host itself always may, with [Server.CreateUser].
type RegistrationPolicy uint8

// The policies of registration.
const (
	// RegistrationClosed lets nobody register.
	RegistrationClosed = RegistrationPolicy(account.RegistrationClosed)
	// RegistrationOpen lets everybody register who can reach the server: wanted
	// on a private network, and an invitation to abuse on a public one.
	RegistrationOpen = RegistrationPolicy(account.RegistrationOpen)
	// RegistrationByToken lets register who has one of the tokens of
	// [WithRegistrationTokens] or of [Server.CreateRegistrationToken].
	RegistrationByToken = RegistrationPolicy(account.RegistrationByToken)
)

// WithRegistration says who may register; not beside [WithAuthProvider]. Beside
// [WithSSO] nobody can register an account that single sign-on has made, and none that
// was registered is given to somebody who signs on, unless the provider names it
// outright: see User of [uia.External], and [Server.SignIn] for the host itself.
// Default: [RegistrationClosed].
func WithRegistration(policy RegistrationPolicy) Option {
	return func(c *config) {
		if c.registration = policy; policy > RegistrationByToken {
			c.fault("WithRegistration: %d is not a policy", policy)
		}
	}
}

// WithRegistrationTokens adds tokens for [RegistrationByToken], each of 1 to 64
// letters, digits and "._~-". A token may be used any number of times.
func WithRegistrationTokens(tokens ...string) Option {
	return func(c *config) {
		for _, token := range tokens {
			if !events.ValidRegistrationToken(token) {
				c.fault("WithRegistrationTokens: %q is not 1 to 64 letters, digits and ._~-", token)
			}
		}
		c.registrationTokens = append(c.registrationTokens, tokens...)
	}
}

// RateClass names requests that share a budget.
type RateClass uint8

// The classes of requests that are limited. What is read from memory, such as
// sync, belongs to none.
const (
	RateMessages = RateClass(ratelimit.Messages) // sending of any kind
	RateRooms    = RateClass(ratelimit.Rooms)    // creating, joining, inviting
	RateLogin    = RateClass(ratelimit.Login)    // signing in
	RateRegister = RateClass(ratelimit.Register) // making accounts
	RateProbe    = RateClass(ratelimit.Probe)    // asking whether a token is valid
	RateAccount  = RateClass(ratelimit.Account)  // other work on one's account
	RateGuess    = RateClass(ratelimit.Guess)    // trying passwords of one account, from wherever
	RateSearch   = RateClass(ratelimit.Search)   // searches, directories, threads
	RateMedia    = RateClass(ratelimit.Media)    // uploads and downloads
)

// WithRateLimit gives every user, and every network address of those who are
// not signed in, a budget for a class of requests: burst of them at once, and
// one more in every given time. Both are positive.
//
// Default: limits that stop loops and guessing and that people do not meet.
func WithRateLimit(class RateClass, every time.Duration, burst int) Option {
	return func(c *config) {
		if class < RateMessages || class > RateMedia || every <= 0 || burst < 1 {
			c.fault("WithRateLimit: class %d, one every %v, burst %d: not a known class with positive limits", class, every, burst)
			return
		}
		c.limits[ratelimit.Class(class)] = ratelimit.Limit{Every: every, Burst: burst}
	}
}

// RateLimit is a budget: Burst requests at once, and one more in every Every. Where
// that is zero, nothing is limited.
type RateLimit struct {
	Every time.Duration
	Burst int
}

// WithUserRateLimits lets the host give users budgets of their own, such as a
// larger one to a bot. choose returns that of a user for a class of requests; usual
// is what all others have. For [RateGuess] the user is the one whose password
// is tried.
//
// choose is called for every request of a class, any number at once, and must be
// quick; what it returns holds from then on. It is not asked about those who are not
// signed in, nor about application services that are not limited.
//
// Default: all users have the same.
func WithUserRateLimits(choose func(user events.UserID, class RateClass, usual RateLimit) RateLimit) Option {
	return func(c *config) {
		if choose == nil {
			c.fault("WithUserRateLimits: the function is nil")
			return
		}
		c.userLimits = func(class ratelimit.Class, key string, usual ratelimit.Limit) ratelimit.Limit {
			user, err := events.ParseUserID(key)
			if err != nil {
				return usual // an address
			}
			return ratelimit.Limit(choose(user, RateClass(class), RateLimit(usual)))
		}
	}
}

// WithoutRateLimits drops all limits that are set so far, those by default and
// of earlier options: for tests, and where something in front of the server
// limits requests already.
func WithoutRateLimits() Option {
	return func(c *config) { clear(c.limits) }
}

// WithClientAddress tells the network address of a client, by which requests
// are limited whose sender is not known yet and which users see at their
// devices. A server behind a proxy needs it, or all the world shares one
// address; see [ForwardedFor].
//
// address is called for any number of requests at once. Default: the peer of the
// connection.
func WithClientAddress(address func(*http.Request) string) Option {
	return func(c *config) {
		if c.clientAddress = address; address == nil {
			c.fault("WithClientAddress: the function is nil")
		}
	}
}

// WithRoomVersion sets the version of the rooms whose creators ask for none, such
// as "11" if bots are to look after them whose SDK does not know yet that the creators
// of a room of version 12 may do everything. Rooms that exist stay as they are.
// Default: "12", the newest.
func WithRoomVersion(version string) Option {
	return func(c *config) {
		v, ok := events.LookupVersion(version)
		if !ok {
			c.fault("WithRoomVersion: %q is not one of %v", version, events.Versions())
			return
		}
		c.roomVersion = v
	}
}

// Forgetting is what becomes of rooms that people have left: see [WithForgetting].
type Forgetting struct {
	// UponLeave forgets a room for everybody who leaves it or is removed from it, as
	// if they had asked for that: they do not see its history any more. Clients are
	// told that it is so.
	UponLeave bool
	// DeleteAfter is how long nothing may have happened in a room that everybody who
	// was ever in it has forgotten, before it is deleted: for good, with all that was
	// said in it and with its aliases. A device that has not synced since then does
	// not hear that its user has left; 30 days are a good choice. 0: no room is
	// deleted.
	DeleteAfter time.Duration
}

// WithForgetting says what becomes of rooms that people have left. Rooms that are to
// be deleted go within an hour.
//
// Default: people forget rooms if they like, and no room is deleted.
func WithForgetting(f Forgetting) Option {
	return func(c *config) {
		if c.forgetting = room.Forgetting(f); f.DeleteAfter < 0 {
			c.fault("WithForgetting: DeleteAfter is %v", f.DeleteAfter)
		}
	}
}

// WithPushRules chooses the push rules that every user has from the beginning.
// What users set about a rule that they do not have any more is kept, in case it
// comes back. Default: the rules of the specification and those it had before,
// which clients that do not say whom they mention still need.
func WithPushRules(o push.Options) Option {
	return func(c *config) { c.pushRules = o }
}

// WithInsecurePasswordHashing makes hashing a password cost microseconds instead
// of some 50 ms, to whoever guesses at stolen hashes as well: for tests only.
func WithInsecurePasswordHashing() Option {
	return func(c *config) { c.cost = account.InsecureCost() }
}

// WithOpenUserDirectory lets users find everybody on the server when they search
// for people: right where all know each other, such as in a company.
//
// Default: they find whom they share a room with, and who is in a room that
// anybody may join or read.
func WithOpenUserDirectory() Option {
	return func(c *config) { c.openUserDirectory = true }
}

// WithoutPresence keeps from users who else is online: telling them causes most of
// the wake-ups where many people share rooms. Clients may still set their presence; it
// has no effect.
func WithoutPresence() Option {
	return func(c *config) { c.noPresence = true }
}

// WithRoomMemory sets roughly how many bytes the rooms that are in use may take in
// memory: about 1 KB for a member or a state event. Rooms beyond that are read again
// when they are needed, which takes about a millisecond each. Default: 64 MiB, which are
// a thousand rooms of fifty members.
func WithRoomMemory(bytes int) Option {
	return func(c *config) {
		if c.roomMemory = bytes; bytes <= 0 {
			c.fault("WithRoomMemory: %d bytes", bytes)
		}
	}
}

// WithLogger sets where the server logs to: Error is a fault of the server,
// Warn something that a person should look at. Tokens, passwords and the content
// of messages are never logged. Default: slog.Default() at the time of [New].
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) {
		if c.logger = logger; logger == nil {
			c.fault("WithLogger: the logger is nil; slog.DiscardHandler makes a silent one")
		}
	}
}

// WithClock sets the clock, which is called from any goroutine: for tests.
// Default: time.Now.
func WithClock(now func() time.Time) Option {
	return func(c *config) {
		if c.now = now; now == nil {
			c.fault("WithClock: the function is nil")
		}
	}
}
