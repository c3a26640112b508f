package store

import "github.com/ca4c8834/homeserver/events"

// MaxQueryWords bounds UserQuery.Words.
const MaxQueryWords = 5

// UserQuery asks for users by their words.
type UserQuery struct {
	// Words are what words begin with: users are found who have a word for each
	// of them. There are 1 to MaxQueryWords; the first should be in the fewest
	// words.
	Words []string
	// For, if not empty, finds only those who are joined to a room that this
	// user is joined to as well, or to one that is open (Room.Open).
	For events.UserID
	// Limit bounds how many are found, Scan how many of the words that begin
	// with the first one are looked at. With For nobody is missed
	// where these are too many: then the words of all who may be found are.
	Limit, Scan int
}

// UserDirectory finds users.
type UserDirectory interface {
	// FindUsers returns users, each once, ordered by their first word that
	// begins with the query's first and then by ID, so that whole words come
	// before others; and whether these are all.
	FindUsers(q UserQuery) (users []events.UserID, all bool, err error)
}

// UserDirectoryWriter changes how users are found.
type UserDirectoryWriter interface {
	// PutUserWords replaces the words of a user. Without words they are not
	// found. The comparison is of bytes: folding is the caller's business.
	PutUserWords(user events.UserID, words []string) error
}
