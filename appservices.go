package homeserver

import "github.com/ca4c8834/homeserver/internal/appservice"

// AppService is an application service, such as a bridge to another network: a
// program that acts for users of its own. See [WithAppServices].
type AppService = appservice.Registration

// AppServiceNamespace is a set of user IDs, aliases or room IDs of an [AppService].
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
	return func(c *config) { c.appServices = append(c.appServices, services...) }
}

// ParseAppService reads the registration file of an application service: YAML, as the
// services themselves make it. [New] checks what it says.
func ParseAppService(file []byte) (AppService, error) { return appservice.Parse(file) }
