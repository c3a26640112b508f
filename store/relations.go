package store

import "github.com/ca4c8834/homeserver/events"

// Relation is what an event says about an earlier one of its room.
type Relation struct {
	Room   RoomNum
	Pos    Pos           // of the event that has the relation
	Event  *events.Event // the same
	Target Pos
	Type   string // rel_type
	// Key is the key of an m.annotation.
	Key string
	// Edits says that an m.replace is a valid edit of its target.
	Edits bool
	// Starter is who sent the target, for an m.thread.
	Starter events.UserID
}

// RelatedQuery says which events that lead to a target are wanted.
type RelatedQuery struct {
	Target Pos
	// Type and EventType, if not empty, are what every relation and every event on
	// the way have to be. EventType needs Type.
	Type, EventType string
	// Recurse wants also those that lead there through up to RelationDepth
	// relations.
	Recurse bool
}

// RelationDepth is through how many relations an event is led to at most.
const RelationDepth = 3

// Edit says which event edits another one.
type Edit struct{ Target, Pos Pos }

// Reference is an event with an m.reference to another one.
type Reference struct {
	Target, Pos Pos
	ID          events.EventID
	Sender      events.UserID
}

// Relations reads how events are related.
type Relations interface {
	// RelationsBefore returns up to limit events that q wants with after < Pos <=
	// from, newest first.
	RelationsBefore(q RelatedQuery, from, after Pos, limit int) ([]Event, error)

	// RelationsAfter returns up to limit events that q wants with from < Pos <=
	// until, oldest first.
	RelationsAfter(q RelatedQuery, from, until Pos, limit int) ([]Event, error)

	// Annotation returns the position of an annotation. ErrNotFound.
	Annotation(target Pos, sender events.UserID, typ, key string) (Pos, error)

	// LatestEdits returns for each of the targets that have valid edits the one
	// with the latest origin_server_ts, of those the one with the largest ID. In no particular order.
	LatestEdits(targets []Pos) ([]Edit, error)

	// EditsOf returns the positions of up to limit valid edits of an event, the
	// latest first.
	EditsOf(target Pos, limit int) ([]Pos, error)

	// References returns the events with an m.reference to one of the targets:
	// up to limit for each, the oldest, ordered by target and position.
	References(targets []Pos, limit int) ([]Reference, error)

	// NewestRelation returns the position of the newest event that was ever
	// related to another one of a room by anything but an m.annotation; 0 if
	// there was none.
	NewestRelation(room RoomNum) (Pos, error)
}

// RelationWriter changes how events are related.
type RelationWriter interface {
	// PutRelation adds the relation of an event that was just appended, and an
	// m.thread to the thread that it belongs to. An event has at most one.
	PutRelation(r Relation) error

	// DeleteRelation takes away the relation of an event, if it has one. What is
	// related to the event itself stays, and no longer leads beyond it.
	DeleteRelation(pos Pos) error
}
