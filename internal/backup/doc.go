// Package backup is the service for the backups of room keys that users keep on
// the server, encrypted for themselves.
//
// # Versions
//
// A user has versions of a backup, made when their encryption is set up anew. The newest
// is the one that is written to; the others can be read until they are deleted. A
// version is named by a number that is never used twice for a user, even after it was
// deleted, so that a client with an old name in mind gets a refusal, with the current
// name, and not somebody else's keys under its own.
//
// # Sessions
//
// Keys are kept as the client sent them, by room and session. Clients of one user upload
// the same sessions from what each of them knows, in any order; which of two copies is
// kept is told by what they say about it, without reading the key: one from a verified
// device before one that is not, then the one that begins earlier, then the one that was
// passed on fewer times. The same bytes again change nothing.
//
// # Etags
//
// Every change of the keys of a version gives it another etag, and none else does.
// Clients compare it to find out whether others have written since; it counts up with
// the changes, and clients do not depend on that.
//
// Each call is one transaction, and those that write answer with the count and etag of
// just that moment.
package backup
