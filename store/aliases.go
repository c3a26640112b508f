package store

import "github.com/ca4c8834/homeserver/events"

// Alias is a name of a room.
type Alias struct {
	Alias   events.RoomAlias
	Room    events.RoomID
	Creator events.UserID
}

// Aliases reads room aliases.
type Aliases interface {
	// Alias returns an alias; comparison is exact. ErrNotFound.
	Alias(alias events.RoomAlias) (Alias, error)

	// AliasesOf returns the aliases of a room in order.
	AliasesOf(room events.RoomID) ([]events.RoomAlias, error)
}

// AliasWriter changes room aliases.
type AliasWriter interface {
	// CreateAlias adds an alias. ErrExists.
	CreateAlias(a Alias) error

	// DeleteAlias removes an alias. ErrNotFound.
	DeleteAlias(alias events.RoomAlias) error
}
