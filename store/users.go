package store

import "github.com/ca4c8834/homeserver/events"

// User is an account.
type User struct {
	ID           events.UserID
	PasswordHash string // encoded as the account service writes it; empty: no password login
	CreatedTS    int64  // milliseconds
	Guest        bool
	Admin        bool
	Deactivated  bool
	Locked       bool
	Suspended    bool
	Erased       Pos    // when the account was erased, hidden from those who come later; 0: it was not
	AppService   string // ID of the application service that registered the user; empty for people
}

// Users reads accounts.
type Users interface {
	// User returns an account. ErrNotFound.
	User(id events.UserID) (User, error)

	// UserFold returns the account whose ID equals id when both are
	// lower-cased, preferring an exact match. ErrNotFound.
	UserFold(id events.UserID) (User, error)

	// AdminUsers returns the administrators, ordered by ID.
	AdminUsers() ([]events.UserID, error)

	// ErasedUsers returns the accounts that were erased, by ID with the position.
	ErasedUsers() (map[events.UserID]Pos, error)

	// ExistingUsers returns those of the given IDs that have an account, in
	// no particular order.
	ExistingUsers(ids []events.UserID) ([]events.UserID, error)

	// Guests returns those of the given IDs that are guests, in no particular
	// order.
	Guests(ids []events.UserID) ([]events.UserID, error)
}

// UserWriter changes accounts.
type UserWriter interface {
	// CreateUser adds an account. ErrExists if the ID is taken, also by a
	// deactivated account.
	CreateUser(u User) error

	// UpdateUser replaces everything but the ID and the time of creation.
	// ErrNotFound.
	UpdateUser(u User) error
}
