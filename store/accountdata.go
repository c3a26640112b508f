package store

import "github.com/ca4c8834/homeserver/events"

// AccountDatum is one type of a user's account data.
type AccountDatum struct {
	Room    events.RoomID // empty: global
	Type    string
	Content []byte // JSON object
	Pos     Pos    // of the latest change
}

// AccountData reads account data.
type AccountData interface {
	// AccountDatum returns one type, of a room or global (room empty).
	// ErrNotFound.
	AccountDatum(user events.UserID, room events.RoomID, typ string) (AccountDatum, error)

	// AccountDataSince returns everything of a user that changed after a
	// position, global and of all rooms, ordered by position; since 0 is
	// everything there is.
	AccountDataSince(user events.UserID, since Pos) ([]AccountDatum, error)

	// AccountDataOf returns all types of one room, or all global ones (room
	// empty), ordered by type.
	AccountDataOf(user events.UserID, room events.RoomID) ([]AccountDatum, error)

	// AccountDataOfType returns one type of all rooms where it is set, ordered
	// by room ID, and not the global one.
	AccountDataOfType(user events.UserID, typ string) ([]AccountDatum, error)
}

// AccountDataWriter changes account data.
type AccountDataWriter interface {
	// PutAccountDatum sets one type; d.Pos is taken with Tx.Next.
	PutAccountDatum(user events.UserID, d AccountDatum) error

	// DeleteAccountDatum removes one type, of a room or global (room empty), without
	// a trace; none is no error.
	DeleteAccountDatum(user events.UserID, room events.RoomID, typ string) error

	// DeleteAccountData removes all account data of a user; none is no error.
	DeleteAccountData(user events.UserID) error
}
