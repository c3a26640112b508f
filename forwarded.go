package homeserver

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ForwardedFor returns a function for [WithClientAddress] that believes the
// header X-Forwarded-For as far as trusted proxies have written it: of the
// connection's peer and the header's addresses, from the last to the first, it
// takes the first one that is no trusted proxy. So a client cannot choose its
// address by sending the header itself.
//
//	homeserver.WithClientAddress(homeserver.ForwardedFor(netip.MustParsePrefix("127.0.0.0/8")))
func ForwardedFor(trusted ...netip.Prefix) func(*http.Request) string {
	proxy := func(addr netip.Addr) bool {
		for _, prefix := range trusted {
			if prefix.Contains(addr) {
				return true
			}
		}
		return false
	}
	return func(r *http.Request) string {
		peer, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			peer = r.RemoteAddr
		}
		client := peer
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for {
			addr, err := netip.ParseAddr(client)
			if err != nil || !proxy(addr.Unmap()) || len(hops) == 0 {
				return client
			}
			next := strings.TrimSpace(hops[len(hops)-1])
			if _, err := netip.ParseAddr(next); err != nil {
				return client
			}
			client, hops = next, hops[:len(hops)-1]
		}
	}
}
