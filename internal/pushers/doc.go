// Package pushers is the service for pushers: where users want to be notified
// while none of their clients is connected, and the notifying.
//
// Its methods are called by the HTTP handlers and by the host's Go code alike.
// They return *mxerr.Error for what the specification wants refused; any other
// error is a fault. All of them may be called at once and from any goroutine.
//
// # From an event to a request
//
// Nothing of it happens where events are sent or synced (GW-13). When a
// transaction commits, its rooms are noted, unless it is known that nobody in a
// room has a pusher; that is all the sender waits for. One goroutine then finds
// whom the new events of those rooms notify: the push rules of all members with
// pushers are asked about an event at once. What it finds goes into the lanes of
// their pushers, and a bounded number of workers takes one notice at a time from
// one lane at a time and sends it. There are no goroutines while there is nothing
// to do.
//
// A lane exists while its pusher has something to do. It keeps order: a notice
// goes out when the one before has arrived or is given up (GW-11). Whether the
// event still is to be pushed, and how much is unread, is asked right before
// sending: it may have been read meanwhile (GW-14).
//
// # Positions instead of queues
//
// What is to be pushed can be found again as long as it is known from where on, so
// no queue is stored and none is long. There is one position up to which all
// events were put into lanes. A lane whose gateway does not answer forgets what is
// in it and remembers only the position it has come to; so does one that gets more
// than it can hold. What is behind such a position is found again in the rooms of
// the user, a few notices at a time.
//
// The position of all, and those of the lanes that are not as far, are stored in
// one transaction every few seconds while they move, and on Close. After a crash
// the last seconds are pushed once more; nothing is lost (GW-12).
//
// # Locks
//
// Service.mu (lanes and positions) and the locks of the audience are leaves: none
// is held while another one is taken, or while anything is read or sent.
package pushers
