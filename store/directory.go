package store

// ServerList is the list of the server itself, whose rooms are public without
// further questions. Others belong to networks of application services.
const ServerList = ""

// Listing is what the room directory shows of a room.
type Listing struct {
	Room   RoomNum
	Joined int64  // members; the order of the directory
	Type   string // empty: none
	Search string // what a search looks through, folded
	Entry  []byte // JSON object, as clients get it
}

// ListingQuery asks for a page of the directory.
type ListingQuery struct {
	// List is the list to look at; nil: all of them, each room once.
	List *string
	// Joined and Room say where the page begins, itself not included; the zero
	// values are before everything.
	Joined int64
	Room   RoomNum
	// Up turns round the order, which is from many members to few.
	Up bool
	// Search is contained in what is found; empty is in everything.
	Search string
	// Types, if not nil, are the types of what is found: at most
	// MaxListingTypes, "" for rooms without a type.
	Types []string
	Limit int
}

// MaxListingTypes bounds ListingQuery.Types.
const MaxListingTypes = 32

// Directory reads the room directory.
type Directory interface {
	// ListsOf returns the lists that a room is in, ordered.
	ListsOf(room RoomNum) ([]string, error)

	// Listings returns up to q.Limit listings from where the page begins,
	// ordered by members, the most first, and then by room, the latest first;
	// or the other way round.
	Listings(q ListingQuery) ([]Listing, error)

	// CountListings returns how many rooms are in a list.
	CountListings(list string) (int64, error)
}

// DirectoryWriter changes the room directory.
type DirectoryWriter interface {
	// PutListing puts a room into a list, or replaces what the list has of it.
	PutListing(list string, l Listing) error

	// DeleteListing takes a room out of a list; one that is not in it is no
	// error.
	DeleteListing(list string, room RoomNum) error
}
