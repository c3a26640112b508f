package homeserver

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/uia"
)

// Requirement says whether people have to show something to register.
type Requirement = account.Requirement

// The requirements.
const (
	Unasked  = account.Unasked  // nobody is asked for it
	Optional = account.Optional // those who like may show it
	Required = account.Required // nobody registers without
)

// SSO is single sign-on at identity providers: see [WithSSO].
type SSO = account.SSO

// TURN is a relay for calls: see [WithTURN].
type TURN = account.TURN

// ProfileFields restricts which fields of their profile users may change.
type ProfileFields = account.ProfileFields

// AccountRules are what users may do with their accounts. The zero value is what
// holds by default.
type AccountRules = account.Rules

// WithAccountRules sets what users may do with their accounts; clients are told
// as far as there are words for it.
func WithAccountRules(rules AccountRules) Option {
	return func(c *config) { c.accounts.Rules = rules }
}

// WithSSO lets users sign in at identity providers, such as those that uia/oidc
// makes. It needs [WithPublicURL], where the providers send browsers back to.
//
// Whoever signs in for the first time gets an account. Apps that are not trusted
// have to be confirmed by the user.
func WithSSO(sso SSO) Option {
	return func(c *config) {
		c.accounts.SSO = sso
		c.needsURL(len(sso.Providers) > 0, "WithSSO")
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
		if c.accounts.Email = (account.Contact{Sender: sender, AtRegistration: atRegistration}); sender == nil {
			c.fault("WithEmail: the sender is nil")
		}
		c.needsURL(true, "WithEmail")
	}
}

// WithTextMessages does for phone numbers what [WithEmail] does for e-mail
// addresses. parse returns the E.164 form of a number as it is written in a
// country, given as two capital letters; uia/phone has one.
func WithTextMessages(sender uia.Sender, parse func(country, number string) (string, error), atRegistration Requirement) Option {
	return func(c *config) {
		c.accounts.Phone, c.accounts.ParsePhone = account.Contact{Sender: sender, AtRegistration: atRegistration}, parse
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
		c.accounts.TURN = relay
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
// be chosen without this option. No flow at all forbids the operation.
//
// choose is called for any number of requests at once and must be quick.
func WithFlows(choose func(operation string, user events.UserID, usual []uia.Flow) []uia.Flow) Option {
	return func(c *config) {
		if c.accounts.Flows = choose; choose == nil {
			c.fault("WithFlows: the function is nil")
		}
	}
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
