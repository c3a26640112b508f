package store

// Text is what is found of an event, and by what.
type Text struct {
	Pos               Pos // of the event
	Room              RoomNum
	Body, Name, Topic string // what can be searched; usually all but one are empty
}

// TextQuery asks for events by their text.
type TextQuery struct {
	Rooms []RoomNum
	// Words must all occur in one of the fields asked for, as whole words
	// whose letter case and accents don't matter.
	Words []string
	Body  bool // which fields
	Name  bool
	Topic bool
	// Before is the position before which events are looked for.
	Before Pos
	Limit  int
}

// Search finds events by their text.
type Search interface {
	// SearchText returns the positions of the newest events that match,
	// newest first.
	SearchText(q TextQuery) ([]Pos, error)
}

// SearchWriter changes by what events are found.
type SearchWriter interface {
	// PutText makes an event found. There must be no text of that position.
	PutText(t Text) error

	// DeleteText makes an event found no more. One that was not found is no
	// error.
	DeleteText(pos Pos) error
}
