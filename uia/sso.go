package uia

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/ca4c8834/homeserver/events"
)

// IdentityProvider signs people in on a site of its own: single sign-on. The
// server sends the browser there with Begin and takes what it comes back with to
// Finish. Package uia/oidc has one for OpenID Connect.
//
// Called from: the redirects of single sign-on, for login and for the m.login.sso
// stage of interactive authentication. Concurrency: any number of calls at once.
// Context: ends with the browser's request; may block on the network. Errors:
// ErrDenied says that the provider or the person at it has refused; any other is
// a fault. Ownership: do not keep arguments, do not log secrets.
type IdentityProvider interface {
	// About describes the provider. It never changes.
	About() ProviderInfo

	// Begin returns the URL to send the browser to.
	Begin(ctx context.Context, r SSORequest) (SSOStart, error)

	// Finish returns who has come back.
	Finish(ctx context.Context, r SSOResponse) (External, error)
}

// ProviderInfo is what clients and people see of an [IdentityProvider].
type ProviderInfo struct {
	ID    string // opaque, 1 to 255 letters, digits and ._~-
	Name  string // for people
	Icon  string // mxc: URI, or empty
	Brand string // such as "github", for well-known buttons; or empty
}

// Check returns what is wrong with the description.
func (i ProviderInfo) Check() error {
	var errs []error
	if !events.ValidOpaqueID(i.ID) {
		errs = append(errs, fmt.Errorf("identity provider %q: the ID is not 1 to 255 letters, digits and ._~-", i.ID))
	}
	if i.Name == "" {
		errs = append(errs, fmt.Errorf("identity provider %q has no name", i.ID))
	}
	if i.Icon != "" && !strings.HasPrefix(i.Icon, "mxc://") {
		errs = append(errs, fmt.Errorf("identity provider %q: the icon is no mxc: URI", i.ID))
	}
	if i.Brand != "" && !events.ValidNamespacedID(i.Brand) {
		errs = append(errs, fmt.Errorf("identity provider %q: the brand is not a-z followed by a-z, 0-9 and ._-", i.ID))
	}
	return errors.Join(errs...)
}

// SSORequest is what the browser is sent with.
type SSORequest struct {
	Callback string // the URL to come back to
	State    string // comes back in the query under this name, unchanged
	Register bool   // the person said that they want a new account
}

// SSOStart is where the browser is sent to.
type SSOStart struct {
	URL string
	// Secret is given to Finish again; until then it is kept, encrypted, in the
	// browser. At most 512 bytes.
	Secret string
}

// SSOResponse is what the browser has come back with.
type SSOResponse struct {
	Callback string     // as in the SSORequest
	Secret   string     // of the SSOStart
	Query    url.Values // of the request to the callback; the state has been checked
}

// External is a person as an identity provider knows them.
type External struct {
	// Subject names the person at the provider: always the same, and never
	// another person's.
	Subject string
	// User, if not empty, is the account that is theirs, made if there is none; with it the provider
	// vouches for the link between the two, whoever made the account. Where people may
	// register (homeserver.WithRegistration) that can have been anybody who liked the name, and
	// who still has the password: name only accounts there that are known to be this
	// person's, such as those that the host made with Server.CreateUser. Without it the
	// server remembers which account it made for the subject, which never is one that
	// was there before.
	User events.UserID
	// Username is what a new account may be called like: any text. It is turned
	// into a valid username that is not taken.
	Username string
	// DisplayName is that of a new account; empty: the username.
	DisplayName string
}
