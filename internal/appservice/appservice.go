// Package appservice knows the application services of a server: programs that the
// host trusts with namespaces of users, aliases and rooms, such as bridges to other
// networks.
//
// A [Registration] is what the host says about one of them, in Go or in the YAML file
// that comes with the service ([Parse]). [New] checks all of them together and makes
// the [Registry], which answers what the rest of the server asks: whose a token is
// ([Registry.ByToken]), whether somebody may take a user ID or an alias
// ([Registry.MayCreateUser], [Registry.MayCreateAlias]), and whom a service may act
// for ([Service.Owns]). The registry never changes, so everything in it may be called
// at once and from any goroutine; a nil registry is one without services.
//
// A [Client] sends requests to services. Their URLs are the host's configuration and
// not the choice of a user, so they may be in a private network. [Networks] asks them, in
// the name of users, who and what is on the networks that they connect to.
//
// # Namespaces
//
// The expressions of a namespace are looked for at the beginning of the whole ID,
// sigil and server name included, as the bridges in use expect. They are POSIX
// extended regular expressions (ASC-2); what Go's syntax has beyond those is
// understood, too.
package appservice

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/ca4c8834/homeserver/events"
)

// Registration describes an application service.
type Registration struct {
	// ID tells the service from others; it is never shown to users.
	ID string
	// URL is where the service is reached, http or https, perhaps with a path.
	// Empty: it is never called.
	URL string
	// Token is what the service shows to the server (as_token), a secret; it needs
	// no login.
	Token string
	// ServerToken is what the server shows to the service (hs_token), a secret.
	ServerToken string
	// Sender is the localpart of the user that the service acts as unless it says
	// otherwise. The account is made if it is not there yet.
	Sender string
	// Users, Aliases and Rooms are the namespaces of the service.
	Users, Aliases, Rooms []Namespace
	// Unlimited exempts all users of the service from rate limits; its sender always
	// is (RATE-6).
	Unlimited bool
	// Protocols are the networks that the service connects to, and is asked about.
	Protocols []string
	// Ephemeral says that the service wants to hear of typing, receipts and presence.
	// It has no effect as long as the server does not push to services.
	Ephemeral bool
}

// Namespace is a set of IDs.
type Namespace struct {
	// Regex is a POSIX regular expression, matched with the beginning of the ID.
	Regex string
	// Exclusive keeps everybody else from making users or aliases of the namespace.
	Exclusive bool
}

// Service is an application service of the registry.
type Service struct {
	Registration
	// User is who the service acts as unless it says otherwise (ASC-4).
	User    events.UserID
	users   namespaces
	aliases namespaces
}

// Owns reports whether a service may act for a local user, and make the user's
// account: those of its namespace and its sender (ASC-4, ASC-7).
func (s *Service) Owns(user events.UserID) bool {
	return user == s.User || user.Server() == s.User.Server() && s.users.match(string(user), false)
}

// Registry is the services of a server.
type Registry struct {
	all     []*Service
	byID    map[string]*Service
	byToken map[[sha256.Size]byte]*Service
}

// New checks the registrations of a server and makes its registry. The error joins
// all faults (ASC-1, ASC-2).
func New(server events.ServerName, registrations []Registration) (*Registry, error) {
	r := &Registry{byID: make(map[string]*Service), byToken: make(map[[sha256.Size]byte]*Service)}
	var faults []error
	for _, reg := range registrations {
		s, err := reg.check(server)
		token := sha256.Sum256([]byte(reg.Token))
		switch {
		case err != nil:
		case r.byID[reg.ID] != nil:
			err = errors.New("another one has the same ID")
		case r.byToken[token] != nil:
			err = errors.New("another one has the same token")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("application service %q: %w", reg.ID, err))
			continue
		}
		r.all = append(r.all, s)
		r.byID[reg.ID], r.byToken[token] = s, s
	}
	return r, errors.Join(faults...)
}

// check makes the service of a registration that is complete and sound.
func (r Registration) check(server events.ServerName) (*Service, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if r.ID == "" {
		fault("the ID is missing")
	}
	if r.URL != "" {
		u, err := url.Parse(r.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			fault("%q is not an absolute http or https URL without query and fragment", r.URL)
		}
	}
	for _, t := range []struct{ name, token string }{{"as_token", r.Token}, {"hs_token", r.ServerToken}} {
		if t.token == "" || strings.ContainsFunc(t.token, func(c rune) bool { return c <= ' ' || c > '~' }) {
			fault("the %s is missing, or has other characters than visible ones of ASCII", t.name)
		}
	}
	s := &Service{Registration: r}
	var err error
	if s.User, err = events.NewUserID(r.Sender, server); err != nil {
		fault("the sender %q is no localpart: %w", r.Sender, err)
	}
	if s.users, err = compile(r.Users); err != nil {
		fault("users: %w", err)
	}
	if s.aliases, err = compile(r.Aliases); err != nil {
		fault("aliases: %w", err)
	}
	if _, err = compile(r.Rooms); err != nil {
		fault("rooms: %w", err)
	}
	return s, errors.Join(faults...)
}

// All returns the services in the order of their registration. The slice is the
// registry's.
func (r *Registry) All() []*Service {
	if r == nil {
		return nil
	}
	return r.all
}

// ByID returns a service, or nil.
func (r *Registry) ByID(id string) *Service {
	if r == nil {
		return nil
	}
	return r.byID[id]
}

// ByToken returns the service that a token belongs to, or nil. How long it takes
// says nothing about the tokens there are: only their hashes are compared.
func (r *Registry) ByToken(token string) *Service {
	if r == nil || len(r.byToken) == 0 || token == "" {
		return nil
	}
	return r.byToken[sha256.Sum256([]byte(token))]
}

// MayCreateUser reports whether a service, or with an empty ID anybody else, may make
// an account with a user ID (ASC-7, ASC-8).
func (r *Registry) MayCreateUser(service string, user events.UserID) bool {
	for _, s := range r.All() {
		if s.ID != service && s.users.match(string(user), true) {
			return false
		}
	}
	return service == "" || r.byID[service].Owns(user)
}

// MayCreateAlias does for aliases what MayCreateUser does for users.
func (r *Registry) MayCreateAlias(service string, alias events.RoomAlias) bool {
	return r.MayDeleteAlias(service, alias) && (service == "" || r.byID[service].aliases.match(string(alias), false))
}

// MayDeleteAlias reports whether an alias is not kept to another service.
func (r *Registry) MayDeleteAlias(service string, alias events.RoomAlias) bool {
	for _, s := range r.All() {
		if s.ID != service && s.aliases.match(string(alias), true) {
			return false
		}
	}
	return true
}

type namespaces []namespace

type namespace struct {
	regex     *regexp.Regexp
	exclusive bool
}

func compile(list []Namespace) (namespaces, error) {
	var out namespaces
	for _, n := range list {
		if n.Regex == "" {
			return nil, errors.New("an expression is missing")
		}
		if _, err := regexp.Compile(n.Regex); err != nil {
			return nil, err // of the expression as it was given
		}
		regex, err := regexp.Compile("^(?:" + n.Regex + ")")
		if err != nil {
			return nil, err
		}
		out = append(out, namespace{regex, n.Exclusive})
	}
	return out, nil
}

// match reports whether an ID is in one of the namespaces, or one of those that are
// exclusive.
func (list namespaces) match(id string, exclusive bool) bool {
	for _, n := range list {
		if (n.exclusive || !exclusive) && n.regex.MatchString(id) {
			return true
		}
	}
	return false
}
