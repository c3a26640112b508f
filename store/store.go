// Package store is the persistence contract of the homeserver: everything that
// has to survive a restart passes through it, and nothing else does.
//
// # Shape
//
// A [Store] hands out two things: a [View], one consistent snapshot to read
// from, and a [Tx], the same plus writing. Both exist only inside a closure, so
// there is nothing to forget to close, and both are composed of small areas
// (users, devices, rooms, timeline, state …), each in a file of its own, under
// the name it has in every other layer.
//
//	err := st.Update(ctx, func(tx store.Tx) error {
//		if _, err := tx.User(alice); !errors.Is(err, store.ErrNotFound) {
//			return errTaken
//		}
//		return tx.CreateUser(store.User{ID: alice})
//	})
//
// The methods carry no policy: who may do what, and what a change brings with
// it, is decided by the services above. What the store does keep true by itself
// is said at each method, above all at [TimelineWriter.Append].
//
// # One stream
//
// Everything that a client can learn through /sync has a position ([Pos]) from
// one counter, taken with [Tx.Next]. The invariant that /sync lives on:
// positions become visible in order. Who has seen a View with Position p never
// later meets a row at or below p that was not there. An implementation with
// several writers has to hand out positions under a lock that it keeps until
// the commit; one with a single writer has it for free.
//
// # Group commit
//
// An implementation may run the closures of many concurrent Update calls inside
// one transaction and commit them together; [Store] says what follows for the
// closures. Update returns only after its changes are durable.
//
// # Errors
//
// [ErrNotFound], [ErrExists], [ErrClosed] and the errors of the context; any
// other error is a fault of the storage itself (a full disk, a broken file) and
// carries the driver's error. Nothing is half done after an error. A closure
// that met a fault of the storage cannot succeed any more: its Update or View
// returns the fault even if the closure does not.
//
// # Ownership
//
// Byte slices given to a method are not kept or changed after it returns. Byte
// slices in results belong to the caller and never alias memory of the store.
//
// # Writing an implementation
//
// Package storetest has the conformance suite; store/sqlite is the
// implementation to read first.
package store

import (
	"context"
	"errors"
)

// The errors an implementation returns by name; compare with errors.Is.
var (
	// ErrNotFound says that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrExists says that a row with this key is there already.
	ErrExists = errors.New("exists already")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("store is closed")
	// ErrNewer is returned on opening data that a later version of the
	// library has written.
	ErrNewer = errors.New("the data was written by a newer version")
)

// Pos is a position in the one stream of changes. The first change has
// position 1; 0 is before everything.
type Pos int64

// Store keeps a homeserver's data.
//
// Called from: every service. Concurrency: any number of calls at once.
// Context: bounds the waiting and the running of a call; an Update whose
// context ends while its closure runs is not committed, one whose context ends
// later may be. Errors: see the package comment.
type Store interface {
	// View runs fn on one consistent snapshot that includes every Update that
	// returned before. It returns fn's error. fn must not call the Store
	// again, and must not keep the View.
	View(ctx context.Context, fn func(View) error) error

	// Update runs fn and makes all of its changes durable, or none of them.
	//
	// Closures run one after the other, each seeing what those before it
	// wrote. An error from fn is returned as it is, and undoes all that this
	// fn wrote. fn may run more than once, when a neighbour in the same
	// transaction failed: it must have no effect outside of tx but assigning
	// its results, and must not call the Store again or keep tx. A panic in fn
	// is returned as an error.
	Update(ctx context.Context, fn func(Tx) error) error

	// Position is the position of the newest committed change.
	Position() Pos

	// Close waits for running calls and closes the store. Later calls return
	// ErrClosed. Closing twice is harmless.
	Close() error
}

// View reads one consistent snapshot. It is only valid inside the closure it
// was given to and must not be used by several goroutines at once.
type View interface {
	// Position is the position of the newest change in the snapshot. Inside
	// an Update it is the newest position taken so far.
	Position() Pos

	Settings
	Users
	Profiles
	Devices
	Tokens
	Tickets
	Registrations
	Identities
	ThreePIDs
	Validations
	Filters
	AccountData
	PushRules
	Pushers
	Media
	Blobs
	Previews
	Rooms
	Aliases
	Directory
	UserDirectory
	Timeline
	State
	Members
	Deletion
	Relations
	Threads
	Receipts
	Typing
	Search
	DeviceKeys
	OneTimeKeys
	CrossSigning
	DeviceLists
	Backups
	ToDevice
	DehydratedDevices
}

// Tx is a View that can write. Reads see the writes made before them.
type Tx interface {
	View

	// Next takes the next position of the stream. Positions that are taken
	// and not used leave a gap, which is harmless.
	Next() Pos

	// OnCommit registers f to run once this closure's changes are durable,
	// before its Update returns. The functions of one closure run in the
	// order of registration, those of different closures in the order in
	// which their closures ran; never two at once. A View begun meanwhile
	// already sees the changes. f must be quick, must not call the Store and
	// must not fail.
	OnCommit(f func())

	// OnRollback registers f to run if the changes made by this run of the
	// closure do not become durable, before anything else runs in the store:
	// for undoing what a service keeps in memory beside the transaction. When
	// several are undone together, the newest registered runs first, across
	// closures too.
	OnRollback(f func())

	SettingWriter
	UserWriter
	ProfileWriter
	DeviceWriter
	TokenWriter
	TicketWriter
	RegistrationWriter
	IdentityWriter
	ThreePIDWriter
	ValidationWriter
	FilterWriter
	AccountDataWriter
	PushRuleWriter
	PusherWriter
	MediaWriter
	BlobWriter
	PreviewWriter
	RoomWriter
	AliasWriter
	DirectoryWriter
	UserDirectoryWriter
	TimelineWriter
	MemberWriter
	DeletionWriter
	RelationWriter
	ReceiptWriter
	TypingWriter
	SearchWriter
	DeviceKeyWriter
	OneTimeKeyWriter
	CrossSigningWriter
	DeviceListWriter
	BackupWriter
	ToDeviceWriter
	DehydratedDeviceWriter
}
