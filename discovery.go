package homeserver

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/api"
)

// Contact is a person or a team to turn to; see [WithSupport]. At least one of
// MatrixID and EmailAddress is set.
type Contact struct {
	Role         string // "m.role.admin", "m.role.security" or one of a namespace, such as "org.example.role"
	MatrixID     string // a user ID, of any server
	EmailAddress string
}

// WithSupport tells clients whom their users may turn to: the
// URL of a page, "" for none, and contacts, which add up. Default: neither.
func WithSupport(page string, contacts ...Contact) Option {
	return func(c *config) {
		if u, err := url.Parse(page); page != "" && (err != nil || u.Scheme == "" || u.Host == "") {
			c.fault("WithSupport: %q is not an absolute URL", page)
		}
		c.discovery.SupportPage = page
		for _, contact := range contacts {
			_, err := events.ParseUserID(contact.MatrixID)
			_, noEmail := events.CanonicalEmail(contact.EmailAddress)
			specified := contact.Role == "m.role.admin" || contact.Role == "m.role.security"
			switch {
			case !specified && !namespaced(contact.Role):
				c.fault("WithSupport: the role %q is none of m.role.admin, m.role.security and namespaced ones", contact.Role)
			case contact.MatrixID == "" && contact.EmailAddress == "":
				c.fault("WithSupport: the contact for %s has neither a Matrix ID nor an e-mail address", contact.Role)
			case contact.MatrixID != "" && err != nil:
				c.fault("WithSupport: %w", err)
			case contact.EmailAddress != "" && noEmail != nil:
				c.fault("WithSupport: %q is not an e-mail address", contact.EmailAddress)
			}
			c.discovery.Contacts = append(c.discovery.Contacts, api.Contact(contact))
		}
	}
}

// WithWellKnown adds a member to what /.well-known/matrix/client tells beside the
// server's URL: m.identity_server, or one that some client looks for, whose name is
// of a namespace, such as org.example.name in small letters, digits and "._-". The value is marshalled to JSON. It is only told together
// with the URL; see [WithPublicURL].
func WithWellKnown(name string, value any) Option {
	return func(c *config) {
		body, err := json.Marshal(value)
		switch {
		case name != "m.identity_server" && !namespaced(name):
			c.fault("WithWellKnown: %q is neither m.identity_server nor a namespaced name", name)
		case err != nil:
			c.fault("WithWellKnown: %s: %w", name, err)
		}
		if c.discovery.Extra == nil {
			c.discovery.Extra = make(map[string]json.RawMessage)
		}
		c.discovery.Extra[name] = body
	}
}

// namespaced reports whether a name is of a namespace, and not of the specification's
// own (ID-9).
func namespaced(name string) bool {
	return events.ValidNamespacedID(name) && strings.Contains(name, ".") && !strings.HasPrefix(name, "m.")
}
