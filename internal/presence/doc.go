// Package presence is the service that knows who is there.
//
// Presence lives in memory: after a restart everybody is offline until they sync.
// What changes takes a position in the stream like everything else that /sync tells
// and wakes those who share a room with the user and wait, nobody else.
//
// # What is counted
//
// Each device of a user has a state: the one it set last, by a request or with a
// sync. It counts while the device syncs and for a short [Grace] after; the most
// available of them is the user's (PRES-6). Who has been online without doing
// anything for [IdleAfter] is unavailable until they do something (PRES-7, PRES-8).
//
// While somebody is online nothing is announced however active they are
// (PRES-9): a change is a change of the state or the message. One timer a user
// looks when the next such change may be due, and again later when the store did not
// take it.
//
// # What is kept
//
// A user who has gone is remembered for a day, so that a client which was away meanwhile
// is told that they have gone. What others see of a profile is told with presence once it
// has changed (PROF-12).
package presence
