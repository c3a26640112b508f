package homeserver

import (
	"net/netip"
	"slices"

	"github.com/ca4c8834/homeserver/internal/outbound"
)

// PushGateways says which push gateways users may choose: the services that
// deliver notifications to their devices. By default these are all that have a
// public address and are asked over TLS. Denied addresses are denied even if they
// are allowed as well.
type PushGateways struct {
	Allow []netip.Prefix // in spite of being private, for example
	Deny  []netip.Prefix // in spite of being public
	// Insecure also permits http, over which everybody on the way can read what
	// is pushed.
	Insecure bool
}

// permits decides on an address that a name has been resolved to.
func (p PushGateways) permits(ip netip.Addr) bool {
	contains := func(prefix netip.Prefix) bool { return prefix.Contains(ip) }
	return !slices.ContainsFunc(p.Deny, contains) && (outbound.Public(ip) || slices.ContainsFunc(p.Allow, contains))
}

// WithPushGateways says which push gateways users may choose. Addresses are
// checked when the server connects to them, whatever name leads there; redirects
// are not followed.
//
// Default: those with a public address, over TLS.
func WithPushGateways(gateways PushGateways) Option {
	return func(c *config) {
		for _, prefix := range slices.Concat(gateways.Allow, gateways.Deny) {
			if !prefix.IsValid() {
				c.fault("WithPushGateways: %v is not a range of addresses", prefix)
			}
		}
		c.pushGateways = gateways
	}
}
