// Package receipts is the service for how far users have read: read receipts,
// public and private, for rooms and for threads, and the marker of what was read in
// full.
//
// # What there is
//
// A receipt says that a user has read a timeline up to an event. Of each there is one
// for a user, a room, a type and a thread, and it only moves forward: clients on a slow
// line repeat old ones, which must not bring back what was read. Forward means by the
// position of its event in the stream, not by when it was sent.
//
// m.read is seen by everybody in the room, m.read.private by its user only, on all
// their devices. m.fully_read comes through the same endpoints, but is the user's own
// note and no statement about anything unread: it is account data of the room, as the
// specification has it.
//
// Several receipts of one request are set in one transaction: a client that moves its
// marker and its receipt sees both or neither.
//
// # Who hears of it
//
// A public receipt takes one position for the room, whatever the number of its members,
// and wakes those of them who wait; a private one wakes its user. Nothing is done for
// members who are away. Package unread notices from the position that what it has
// counted for the user does not hold any more.
package receipts
