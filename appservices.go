package homeserver

import "github.com/ca4c8834/homeserver/internal/appservice"

// AppService is an application service, such as a bridge to another network: a
// program that acts for users of its own. See [WithAppServices].
type AppService struct {
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
	// otherwise.
	Sender string
	// Users, Aliases and Rooms are the namespaces of the service.
	Users, Aliases, Rooms []AppServiceNamespace
	// Unlimited exempts all users of the service from rate limits; its sender always
	// is.
	Unlimited bool
	// Protocols are the networks that the service connects to, and is asked about.
	Protocols []string
	// Ephemeral says that the service wants to hear of typing, receipts and presence.
	// It has no effect as long as the server does not push to services.
	Ephemeral bool
}

// AppServiceNamespace is a set of user IDs, aliases or room IDs of an [AppService]:
// those that begin with what its Regex matches, a POSIX regular expression. If it is
// Exclusive nobody else makes users or aliases in it.
type AppServiceNamespace = appservice.Namespace

// WithAppServices adds application services. Each may act for the users of its
// namespace and for its sender, whose account [New] makes if it is not there yet. A
// service is trusted: it makes accounts whoever else may register, chooses the time
// of its events, and need not confirm what users have to.
//
// Events are not pushed to services yet: those that want to hear of something have to
// sync, user by user.
//
// Default: none.
func WithAppServices(services ...AppService) Option {
	return func(c *config) {
		for _, s := range services {
			c.appServices = append(c.appServices, appservice.Registration(s))
		}
	}
}

// ParseAppService reads the registration file of an application service: YAML, as the
// services themselves make it. [New] checks what it says.
func ParseAppService(file []byte) (AppService, error) {
	r, err := appservice.Parse(file)
	return AppService(r), err
}
