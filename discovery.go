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
	Role         string // "m.role.admin", "m.role.security" or a namespaced one
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
			switch {
			case !strings.Contains(contact.Role, "."):
				c.fault("WithSupport: the role %q is none of m.role.admin, m.role.security and namespaced ones", contact.Role)
			case contact.MatrixID == "" && contact.EmailAddress == "":
				c.fault("WithSupport: the contact for %s has neither a Matrix ID nor an e-mail address", contact.Role)
			case contact.MatrixID != "" && err != nil:
				c.fault("WithSupport: %w", err)
			}
			c.discovery.Contacts = append(c.discovery.Contacts, api.Contact(contact))
		}
	}
}

// WithWellKnown adds a member to what /.well-known/matrix/client tells beside the
// server's URL, such as m.identity_server, or a namespaced one that some
// client looks for. The value is marshalled to JSON. It is only told together
// with the URL; see [WithPublicURL].
func WithWellKnown(name string, value any) Option {
	return func(c *config) {
		body, err := json.Marshal(value)
		switch {
		case name == "m.homeserver" || !strings.Contains(name, "."):
			c.fault("WithWellKnown: %q is not a name to be added", name)
		case err != nil:
			c.fault("WithWellKnown: %s: %w", name, err)
		}
		if c.discovery.Extra == nil {
			c.discovery.Extra = make(map[string]json.RawMessage)
		}
		c.discovery.Extra[name] = body
	}
}
