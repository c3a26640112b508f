package store

// Deletion finds rooms that nobody wants any more.
type Deletion interface {
	// ForgottenRooms returns up to limit rooms with numbers after one, ordered by
	// number, that somebody has forgotten and that were not kept since.
	ForgottenRooms(after RoomNum, limit int) ([]Room, error)

	// Abandoned reports whether nobody is in a room, invited to it or knocking on
	// it, and all who were ever in it have forgotten it.
	Abandoned(room RoomNum) (bool, error)
}

// DeletionWriter deletes rooms.
type DeletionWriter interface {
	// KeepRoom takes a room from those that ForgottenRooms returns, until somebody
	// forgets it again.
	KeepRoom(room RoomNum) error

	// DeleteRoom deletes a room with its aliases and its entries in directories:
	// from then on none of its members has it, and it cannot be found by its ID or
	// theirs. What was said in it is left to PurgeRooms. ErrNotFound.
	DeleteRoom(room RoomNum) error

	// PurgeRooms removes what is left of deleted rooms, up to limit events with all
	// that hangs on them, and what belongs to the members they are of: memberships,
	// receipts, account data for the room. It reports whether there is more.
	PurgeRooms(limit int) (more bool, err error)
}
