// Package live keeps in memory what is true right now: the rooms people are
// in, and the people who are connected. Everything in it can be rebuilt from
// the store; an empty memory is only slower.
//
// # Who owns what
//
// There is one [Memory] a server. It changes in one place only: [Memory.Update]
// wraps store.Update, and what a closure did to rooms through its [Tx] is
// applied to memory when, and only when, the store has committed it, in the
// order of positions. So memory has one writer, the store's own, and it never
// shows what could still be lost.
//
// Inside a closure a room is seen as a [Draft]: the room as it will be if
// everything before in the same transaction commits. Outside it is a [Room],
// the committed truth, safe for concurrent reading.
//
// # Rooms
//
// A Room holds the whole current state, the members apart from the rest (a
// reader who wants the name of a room of ten thousand does not step over its
// members), and the newest events of the timeline. Rooms are loaded when asked
// for and the least recently used are dropped when together they weigh more
// than the bound given to [New]. Who goes through all rooms of somebody takes no place
// from those in use ([Memory.Look]), and need not have all the members of each read
// ([Memory.Sketch]).
//
// # Users
//
// A [User] is someone who has synced not long ago. Their rooms are kept in a
// list ordered by the newest change, so that finding what is new costs work
// per change and not per room, and finding that nothing is new costs nothing. Of what
// was before memory followed a user, receipts are read only for those who ask what has
// changed since then. A
// change is announced to the active users of its room only: a message in a room
// of ten thousand does no work for those who are away. What is announced is a
// position, never data: a slow reader has no queue to fill.
//
// # Locks
//
// Memory.mu (the rooms) is never held while another lock is taken. users.mu (who is
// active) comes before User.mu. Room.mu and User.mu are leaves, but that those of two
// users are taken together, in the order of their IDs. None is held while the store is
// asked.
package live
