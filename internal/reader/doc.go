// Package reader decides what a user may see of the rooms and how an event looks
// to them. Every endpoint that serves events goes through it.
//
// # Who sees what
//
// A [Scope] is one user's view of one room: their membership and the history
// visibility at every position. [Scope.Sees] is the one place where it is decided
// whether they may see an event (VIS-6). [Reader.Enter] decides whether they may
// read the room at all.
//
// A scope knows what it needs from memory in the common case, a member who reads
// what has happened since they came. It asks the store, once, for the rest of the
// user's memberships when somebody looks further back.
//
// # Pages
//
// [Reader.Back] and [Reader.Forward] walk a timeline in either direction and
// return what is visible and wanted, from memory as far as that reaches. Positions
// are between events: a page that begins at a position has the events up to it, or
// those after it. Clients see positions as tokens ([Token]), which are the same for
// /sync, /messages and all others.
//
// The rules decide by position, so a scope knows the stretches of a timeline outside
// of which its user sees nothing, and a walk steps over what lies between them, be
// it a million events. [Reader.Nearest] walks along the clock instead.
//
// # How events look
//
// A [Form] renders events for one request: the fields of `unsigned` depend on who
// asks and when. The stored JSON is copied, never parsed again.
//
// What is related to events comes with them if [Form.Bundle] is told of them before:
// it reads what there is for a whole page at once, and nothing where a look at the
// room in memory shows that there can be nothing.
package reader
