// Package sync tells clients what is new: the answer to GET /sync.
//
// # How it works
//
// A token is a position in the server's one stream of changes; an answer covers what
// lies after the client's token and up to the position at which the answer was begun,
// which becomes the next token. Everything in it is read at, or bounded by, those two
// positions, so an answer can be asked for again and says the same and perhaps more
// (SYNC-6), and two clients never take anything from each other (SYNC-9).
//
// The rooms that changed come from the user's list in memory (live.User), newest
// change first: an incremental sync costs work for the rooms in its answer, and
// nothing for the others. A sync that finds nothing waits for the user's next change
// without costing anything, and looks again.
//
// # Which section a room is in
//
// The user's membership at the end of the interval decides (SYNC-26): join, invite,
// knock, or leave for those who left or were banned within it. A room that the user
// joined within the interval is told from the beginning, like all rooms in a first
// sync (SYNC-25); of others only the difference is told. Each section is made in the
// file of its name.
//
// # How the answer is made
//
// The JSON is written piece by piece into one buffer; stored events are copied and
// never parsed. What other parts of the server add (push rules, receipts, to-device
// messages …) comes through small interfaces in [Config].
package sync
