package outbound

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// ErrPrivate is wrapped by the error of a request that would have left the public
// network, or gone where it is not permitted to.
var ErrPrivate = errors.New("the address is not public")

// Limits of one request; the caller's context may be stricter.
const (
	timeout      = 30 * time.Second
	dialTimeout  = 10 * time.Second
	maxRedirects = 5
	maxHeader    = 64 << 10
	maxIdle      = 100
	maxIdleHost  = 32
	idleTime     = time.Minute
)

// New makes a client. It uses no proxy and keeps no cookies. permit says which addresses
// it may connect to, in place of [Public], and is asked about every one; nil: Public.
// Connections that are idle are closed by CloseIdleConnections, or after a minute.
func New(permit func(netip.Addr) bool) *http.Client {
	if permit == nil {
		permit = Public
	}
	dialer := &net.Dialer{
		Timeout: dialTimeout,
		Control: func(_, address string, _ syscall.RawConn) error {
			peer, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("connect to %s: %w", address, err)
			}
			ip := peer.Addr().Unmap()
			if permit(ip) {
				return nil
			}
			return fmt.Errorf("connect to %s: %w", ip, ErrPrivate)
		},
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTimeout,
			MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdleHost, IdleConnTimeout: idleTime, MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("too many redirects")
			}
			return nil
		},
	}
}

// Public reports whether an address is one of the public network.
func Public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
		return false
	}
	for _, p := range reserved() {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// reserved are the ranges that look public and are not: for carriers, documentation,
// measurements and the future, and those that hold an IPv4 address of any kind.
func reserved() []netip.Prefix {
	prefix := netip.MustParsePrefix
	return []netip.Prefix{
		prefix("0.0.0.0/8"), prefix("100.64.0.0/10"), prefix("192.0.0.0/24"), prefix("192.0.2.0/24"),
		prefix("192.88.99.0/24"), prefix("198.18.0.0/15"), prefix("198.51.100.0/24"), prefix("203.0.113.0/24"),
		prefix("240.0.0.0/4"), prefix("64:ff9b::/96"), prefix("64:ff9b:1::/48"), prefix("100::/64"),
		prefix("2001::/23"), prefix("2001:db8::/32"), prefix("2002::/16"), prefix("fec0::/10"),
	}
}
