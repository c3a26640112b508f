// Package sqlstore is the persistence contract of package store in SQL: all
// statements, the queue of writers and the pool of readers, once for every
// database. What differs between databases (how to open one, how a writing
// transaction begins, the schema) comes in with [Config]; store/sqlite is the
// one that is there.
//
// # Writing
//
// One goroutine writes. It takes what waits in a bounded queue, runs it inside
// one transaction, commits once and then releases the callers (group commit);
// while it commits, the next batch gathers, so batches grow with the load by
// themselves. There are no savepoints: a closure that fails before it wrote
// anything leaves nothing to undo. Only one that fails after its first write
// rolls the batch back; then each closure that had run is run again in a
// transaction of its own. Services check before they write, so this is rare.
//
// # Reading
//
// A View runs on one of a few connections kept open for it, inside a read
// transaction. A database in memory has only one connection, which the writer
// and the Views use in turn.
//
// # Statements
//
// Statements bypass the conversions of database/sql: they are prepared on the
// driver's connection, once per connection, and run there ([sql.Conn.Raw]);
// reading a page of a hundred events this way costs little more than half. The
// driver never gets a context that can end, because it would watch it with a
// goroutine per statement; the context is looked at between statements instead,
// which are all short.
//
// # Positions
//
// The counter of the stream lives in the writer and is one row of hs_stream,
// written once per batch. Since a transaction writes it along with its rows,
// every snapshot contains the exact position it is at.
//
// # The timeline
//
// An event is one row of hs_events and one INSERT, state or not: the row of a
// state event carries the interval of positions it was in force for, from its
// own to before `ends`. The indexes for state are partial, so a message pays
// nothing for them. There are no foreign keys: the methods keep references
// true, and the hot path does not pay for checking it twice.
package sqlstore
