// Package typing is the service that knows who is typing where.
//
// # In memory, with a place in the stream
//
// That somebody types is kept in memory only, but each change takes a position in the
// stream like everything else that /sync tells, and wakes the members who wait. So a
// sync needs to compare two numbers to know whether a room has something to tell, and
// a client that was away for a moment misses nothing that still holds.
//
// The store remembers nothing but the rooms that are in memory, one row each: after a
// restart nobody types, and clients that were told otherwise have to be told (TYP-6),
// also those that come only after the next restart.
//
// # Ends
//
// Typing ends when the user says so, sends a message, leaves the room, or has not said
// so again for the time that their client gave. Each of these is one transaction, with
// the message in the second case, so that nobody sees a message of somebody who still
// types it. The last case is a timer of its own for each who types, not a loop that looks
// for them; repeating that one still types sets the timer anew and writes nothing. When the
// store does not take the end, it is tried again later.
//
// [Service.Close] stops all timers and waits for those that have just fired. What is
// remembered of rooms where nobody types any more is dropped after an hour: until then it
// tells a client that comes back that it is over.
package typing
