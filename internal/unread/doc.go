// Package unread counts what users have not read: the events after their read
// receipts that their push rules notify them of.
//
// # When it is counted
//
// Nothing is counted when an event is sent. Counting is done for those who sync,
// when they do, and what was counted is remembered together with the position up
// to which it holds: the next time only what is new is looked at. So an event costs
// nothing for members who are away (the counts they find when they come back are
// made then), and nothing is stored that could be wrong.
//
// What was remembered is dropped when a receipt moves, when something is redacted that
// may have been counted, when the user ignores others than before, and at random when there
// is too much of it; then it is counted from the receipt on. That has an end too: who has not read a room for very long is told
// of the latest twenty thousand events.
//
// # What counts
//
// An event counts if the user's rules, as they are when it is counted, say notify, and is a
// highlight if they say that too. It does not if the user sent it, it was redacted, its sender is
// ignored now, or the user could not see it. Whoever sends something has read what is before
// it.
//
// Threads are counted each on its own. An unthreaded receipt covers everything up to
// its event, one of a thread what is in that thread, and one of the thread "main" what is in
// none (UNRD-11, UNRD-12). What an endpoint tells as one number is the sum of them.
//
// # Notifications
//
// [Service.Notifications] answers "what was I notified of?" from the same rules: it goes back
// through the rooms of the user, the latest event first, and evaluates them. There is no
// list of notifications in the store that would grow with members times messages.
package unread
