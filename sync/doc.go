// Package sync tells clients what is new: the answers to GET /sync, to sliding sync,
// and to what there was before. It is a part of the server that package homeserver puts
// together; a host has no use for it by itself.
//
// # How it works
//
// A token is a position in the server's one stream of changes; an answer covers what
// lies after the client's token and up to the position at which the answer was begun,
// which becomes the next token. Everything in it is read at, or bounded by, those two
// positions, so an answer can be asked for again and says the same and perhaps more,
// and two clients never take anything from each other.
//
// The rooms that changed come from the user's list in memory (live.User), newest
// change first: an incremental sync costs work for the rooms in its answer, and
// nothing for the others. A sync that finds nothing waits for the user's next change
// without costing anything, and looks again.
//
// # Which section a room is in
//
// The user's membership at the end of the interval decides: join, invite,
// knock, or leave for those who left or were banned within it. A room that the user
// joined within the interval is told from the beginning, like all rooms in a first
// sync; of others only the difference is told. Each section is made in the
// file of its name.
//
// # How the answer is made
//
// The JSON is written piece by piece into one buffer; stored events are copied and
// never parsed. What other parts of the server add (push rules, receipts, to-device
// messages …) comes through small interfaces in [Config].
//
// # Sliding sync
//
// In /sync everything that a client knows follows from its token, but for the members
// that lazy loading has sent it: those are remembered as long as there is room for it
// (acquainted.go). In sliding sync
// ([Service.Sliding], the files that begin with "sliding") clients look at windows of
// their list of rooms, so what they know of a room depends on when it was in a window,
// and in what detail. That is the memory of a connection (connection.go): for each
// room the position up to which the client was told of it, and what was asked for
// then. What an answer adds to it counts when the client comes back with the answer's
// position, which proves that it has received it; until then the answer may be lost
// and the memory stays as it was. A position names the answer and is good for that
// connection only. The memory is not stored: after a restart, or when there are too
// many connections, a position is unknown and the client begins anew.
//
// Clients ask in the form that they have spoken while sliding sync was a proposal, or in
// the one in which it was accepted. Both become the same request, and an answer differs
// in the names of some members and in what else it says of a room (SlidingRequest.V4).
//
// Which rooms are in the windows follows from the rooms as they are now (roster.go):
// for each list of a connection the rooms that match its filters are kept in order and
// brought up to date by the changes alone. As long as a client asks for the same,
// only rooms that have changed are looked at; when it asks for something else, or
// rooms have moved up because others have gone, all windows are.
package sync
