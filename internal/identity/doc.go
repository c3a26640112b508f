// Package identity is what the homeserver says to identity servers: services
// that know which e-mail address or phone number is whose.
//
// There are two occasions. A user may have an address bound, so that others find
// them by it, and unbound again: [Bindings] passes that on. And somebody may have been
// invited by an address; whether the key in such an invite still counts is asked of
// the URL that came with it: [Keys] does so when the invite is taken up.
//
// # Trust
//
// Users name the server, and what is sent there tells whose an address is, so
// bindings are made only at servers that the host has named; by default there are
// none. The URLs in invites are chosen by whoever wrote the event. Both are asked
// through the client of package outbound, which connects to no address of a private
// network.
//
// The user's own token for the identity server is passed on and never kept. Where
// none is at hand, because an address has to be unbound for somebody whose account
// ends, the homeserver signs the request with its own key, as servers do among each
// other.
//
// # Errors
//
// What an identity server refuses in Matrix terms is passed on as it is, since
// the user has to mend it there. Everything else, such as an answer that is too long or
// no answer in time, is an internal error, and never taken for a yes.
package identity
