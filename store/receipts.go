package store

import "github.com/ca4c8834/homeserver/events"

// Receipt says how far a user has read.
type Receipt struct {
	Room     RoomNum
	User     events.UserID
	Type     string // "m.read" or "m.read.private"
	Thread   string // event ID of the thread's root, or "main"; empty: unthreaded
	Event    events.EventID
	EventPos Pos
	TS       int64 // milliseconds
	Pos      Pos   // of the change
}

// Receipts reads receipts. There is one for each user, type and thread of a room.
type Receipts interface {
	// ReceiptsSince returns the receipts of a room that changed after a
	// position, ordered by it.
	ReceiptsSince(room RoomNum, since Pos) ([]Receipt, error)

	// ReceiptsOf returns a user's receipts in a room, ordered by position.
	ReceiptsOf(user events.UserID, room RoomNum) ([]Receipt, error)

	// ReceiptsChanged returns the position of the newest receipt of a room; 0
	// if there is none.
	ReceiptsChanged(room RoomNum) (Pos, error)
}

// ReceiptWriter changes receipts.
type ReceiptWriter interface {
	// PutReceipt sets the receipt of its user, type and thread. r.Pos is taken
	// with Tx.Next.
	PutReceipt(r Receipt) error
}
