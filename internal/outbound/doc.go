// Package outbound makes the HTTP client for addresses that users of the server have
// chosen: those of identity servers, push gateways, pages to be previewed.
//
//	client := outbound.New(nil) // public addresses only
//	defer client.CloseIdleConnections()
//
// # The guard
//
// Such an address may lead into the network that the server stands in, where other
// services trust whoever can reach them. So the client refuses to connect to addresses
// that are not public. It looks at the address of the connection itself, after the name
// has been resolved and again for every redirect: what a name resolves to is up to
// whoever owns it, and may be another address the second time. [Public] says what is
// public; a host may permit more, or less, by a function of its own.
//
// # Limits
//
// A request, with its redirects and the reading of its body, takes half a minute at
// most, and a connection ten seconds to come about; there are five redirects, and 64 KiB
// of headers. How much of a body is read is for the caller to limit, who knows what is
// expected. Idle connections are kept for a minute, and few of them.
//
// The client knows nothing of proxies: the guard would see their address in place of the
// one that counts. It keeps no cookies.
package outbound
