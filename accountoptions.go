package homeserver

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/uia"
)

// Requirement says whether people have to show something to register.
type Requirement uint8

// The requirements.
const (
	Unasked  = Requirement(account.Unasked)  // nobody is asked for it
	Optional = Requirement(account.Optional) // those who like may show it
	Required = Requirement(account.Required) // nobody registers without
)

// SSO is single sign-on at identity providers: see [WithSSO].
type SSO struct {
	// Providers are offered in this order.
	Providers []uia.IdentityProvider
	// Trusted are URLs of apps that people need not confirm to sign in to: each
	// stands for those that begin with its scheme, host and path.
	Trusted []string
	// TokenLifetime is how long the app has to fetch its session; zero: five seconds.
	TokenLifetime time.Duration
}

// TURN is a relay for calls: see [WithTURN]. It needs either a Secret or a Username.
type TURN struct {
	URIs []string // "turn:…" and "turns:…"
	// Secret is shared with the relay, which lets in whoever has a password made
	// with it.
	Secret string
	// Username and Password are for a relay without a shared secret.
	Username, Password string
	// Lifetime is how long credentials are valid; zero: a day.
	Lifetime time.Duration
}

// ProfileFields restricts which fields of their profile users may change: none
// unless Enabled; otherwise the Allowed ones if there are any, else all but the
// Disallowed ones. Clients are told.
type ProfileFields struct {
	Enabled    bool
	Allowed    []string
	Disallowed []string
}

// AccountRules are what users may do with their accounts. The zero value is what
// holds by default. The functions are called for any number of requests at once.
type AccountRules struct {
	// PasswordPolicy refuses passwords that the host thinks too weak; users read
	// the text of the error. Nil accepts all but the empty one.
	PasswordPolicy func(password string) error
	// FixedPasswords keeps users from changing their passwords.
	FixedPasswords bool
	// NoPasswords ends signing in with a password, for servers that have other
	// ways.
	NoPasswords bool
	// LoginTokens lets users get tokens to sign in with elsewhere.
	LoginTokens bool
	// Guests lets people in without an account of their own, where rooms allow it.
	Guests bool
	// TokenLifetime is how long an access token is valid that its client can renew;
	// zero: [DefaultTokenLifetime].
	TokenLifetime time.Duration
	// SessionLifetime is how long an access token is valid that its client cannot
	// renew; then it has to sign in again, with the same device if it likes. Zero:
	// for ever.
	SessionLifetime time.Duration
	// FixedThreePIDs keeps users from changing their e-mail addresses and phone
	// numbers.
	FixedThreePIDs bool
	// CheckThreePID refuses addresses that the host does not want; users read the
	// text of the error. Nil accepts all.
	CheckThreePID func(medium, address string) error
	// ProfileFields restricts which profile fields users may change; nil: they may
	// change all.
	ProfileFields *ProfileFields
}

// DefaultTokenLifetime is how long an access token is valid that its client can
// renew, unless [AccountRules] say otherwise.
const DefaultTokenLifetime = account.DefaultTokenLifetime

func (r AccountRules) rules() account.Rules {
	return account.Rules{
		PasswordPolicy:  r.PasswordPolicy,
		FixedPasswords:  r.FixedPasswords,
		NoPasswords:     r.NoPasswords,
		LoginTokens:     r.LoginTokens,
		Guests:          r.Guests,
		TokenLifetime:   r.TokenLifetime,
		SessionLifetime: r.SessionLifetime,
		FixedThreePIDs:  r.FixedThreePIDs,
		CheckThreePID:   r.CheckThreePID,
		ProfileFields:   (*account.ProfileFields)(r.ProfileFields),
	}
}

// WithAccountRules sets what users may do with their accounts; clients are told
// as far as there are words for it.
func WithAccountRules(rules AccountRules) Option {
	return func(c *config) {
		c.accounts.Rules = rules.rules()
		if rules.TokenLifetime < 0 || rules.SessionLifetime < 0 {
			c.fault("WithAccountRules: a lifetime is negative")
		}
	}
}

// WithSSO lets users sign in at identity providers, such as those that uia/oidc
// makes. It needs [WithPublicURL], where the providers send browsers back to.
//
// Whoever signs in for the first time gets an account. Apps that are not trusted
// have to be confirmed by the user.
func WithSSO(sso SSO) Option {
	return func(c *config) {
		c.accounts.SSO = account.SSO(sso)
		c.needsURL(len(sso.Providers) > 0, "WithSSO")
		if sso.TokenLifetime < 0 {
			c.fault("WithSSO: the lifetime of tokens is negative")
		}
		seen := make(map[string]bool)
		for _, p := range sso.Providers {
			if p == nil {
				c.fault("WithSSO: a provider is nil")
				continue
			}
			about := p.About()
			if err := about.Check(); err != nil {
				c.fault("WithSSO: %w", err)
			}
			if seen[about.ID] {
				c.fault("WithSSO: two providers have the ID %q", about.ID)
			}
			seen[about.ID] = true
		}
		for _, trusted := range sso.Trusted {
			if u, err := url.Parse(trusted); err != nil || u.Scheme == "" {
				c.fault("WithSSO: the trusted app %q is no URL", trusted)
			}
		}
	}
}

// WithTerms adds policies to which people have to agree when they register. What
// they agreed to is kept with its version.
func WithTerms(policies ...uia.Policy) Option {
	return func(c *config) {
		for _, p := range policies {
			if err := p.Check(); err != nil {
				c.fault("WithTerms: %w", err)
			}
		}
		c.accounts.Policies = append(c.accounts.Policies, policies...)
	}
}

// WithCaptcha has people solve a captcha when they register.
func WithCaptcha(captcha uia.Captcha) Option {
	return func(c *config) {
		if c.accounts.Captcha = &captcha; captcha.SiteKey == "" || captcha.Secret == "" {
			c.fault("WithCaptcha: the site key or the secret is missing")
		}
	}
}

// WithEmail lets users have e-mail addresses, with which they can sign in and set
// a new password; uia/mail has a sender. It needs [WithPublicURL], where the
// links in the mails lead. atRegistration says whether people need an address to
// register.
//
// Default: there are no e-mail addresses.
func WithEmail(sender uia.Sender, atRegistration Requirement) Option {
	return func(c *config) {
		if c.accounts.Email = (account.Contact{Sender: sender, AtRegistration: account.Requirement(atRegistration)}); sender == nil {
			c.fault("WithEmail: the sender is nil")
		}
		c.needsURL(true, "WithEmail")
	}
}

// WithTextMessages does for phone numbers what [WithEmail] does for e-mail
// addresses. parse returns the E.164 form, without "+", of a number as it is
// written in a country, given as two capital letters, or an error if it is none;
// uia/phone has such a function.
func WithTextMessages(sender uia.Sender, parse func(country, number string) (string, error), atRegistration Requirement) Option {
	return func(c *config) {
		c.accounts.Phone, c.accounts.ParsePhone = account.Contact{Sender: sender, AtRegistration: account.Requirement(atRegistration)}, parse
		if sender == nil || parse == nil {
			c.fault("WithTextMessages: the sender or the function that parses numbers is nil")
		}
		c.needsURL(true, "WithTextMessages")
	}
}

// WithIdentityServers adds host names of identity servers at which users may have
// their addresses bound, so that others find them by these. Default: none.
func WithIdentityServers(hosts ...string) Option {
	return func(c *config) {
		for _, host := range hosts {
			if _, err := events.ParseServerName(host); err != nil {
				c.fault("WithIdentityServers: %q is no host name", host)
			}
		}
		c.identityServers = append(c.identityServers, hosts...)
	}
}

// WithTURN names a relay for calls between people who cannot reach each other.
// Default: none.
func WithTURN(relay TURN) Option {
	return func(c *config) {
		c.accounts.TURN = account.TURN(relay)
		ok := func(uri string) bool { return strings.HasPrefix(uri, "turn:") || strings.HasPrefix(uri, "turns:") }
		if len(relay.URIs) == 0 || slices.ContainsFunc(relay.URIs, func(uri string) bool { return !ok(uri) }) {
			c.fault("WithTURN: the URIs have to begin with turn: or turns:")
		}
		if (relay.Secret == "") == (relay.Username == "") {
			c.fault("WithTURN: the relay needs either a secret or a username")
		}
	}
}

// WithStages adds stages of the host's own to interactive authentication, under
// namespaced types. They are used where [WithFlows] says.
func WithStages(stages ...uia.Stage) Option {
	return func(c *config) {
		if slices.Contains(stages, nil) {
			c.fault("WithStages: a stage is nil")
		}
		c.accounts.Stages = append(c.accounts.Stages, stages...)
	}
}

// WithFlows lets the host choose how to authenticate for an operation, one of the
// uia.Op… constants. user is empty without an access token; usual is what would
// be chosen without this option: none for users who have neither a password nor an
// identity provider to show. No flow at all forbids the operation; a flow of
// uia.TypeDummy alone asks for nothing but the access token.
//
// choose is called for any number of requests at once and must be quick.
func WithFlows(choose func(operation string, user events.UserID, usual []uia.Flow) []uia.Flow) Option {
	return func(c *config) {
		if c.accounts.Flows = choose; choose == nil {
			c.fault("WithFlows: the function is nil")
		}
	}
}

// accountConfig is what all options say about accounts. The services that they work
// with are not in it.
func (c *config) accountConfig() account.Config {
	a := c.accounts
	a.Store, a.Server, a.Now, a.Logger = c.store, c.name, c.now, c.logger
	a.Provider, a.PublicURL, a.Cost, a.Services = c.provider, c.publicURL, c.cost, c.services
	a.Registration, a.RegistrationTokens = account.Registration(c.registration), c.registrationTokens
	a.AllUsersFindable = c.openUserDirectory
	return a
}

// needsURL remembers what does not work without the public URL.
func (c *config) needsURL(needed bool, option string) {
	if needed {
		c.urlNeededBy = append(c.urlNeededBy, option)
	}
}

// checkURL finds options that lack the public URL.
func (c *config) checkURL() {
	if c.publicURL == "" && len(c.urlNeededBy) > 0 {
		c.faults = append(c.faults, fmt.Errorf("%s needs WithPublicURL", strings.Join(c.urlNeededBy, ", ")))
	}
}
