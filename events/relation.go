package events

import (
	"bytes"

	"github.com/tidwall/gjson"
)

// The rel_types that the specification gives a meaning.
const (
	RelAnnotation = "m.annotation"
	RelReference  = "m.reference"
	RelReplace    = "m.replace"
	RelThread     = "m.thread"
)

// TypeEncrypted is the type of events whose content only their readers know.
const TypeEncrypted = "m.room.encrypted"

// Relation is what an event says about another one in m.relates_to.
type Relation struct {
	Type  string // rel_type
	Event EventID
}

// Relation returns the event's relation; zero if it has none that is well-formed. A
// reply alone is none.
func (e *Event) Relation() Relation {
	if !bytes.Contains(e.Content, []byte("m.relates_to")) { // as most have none
		return Relation{}
	}
	r := gjson.GetBytes(e.Content, `m\.relates_to`)
	typ, id := r.Get("rel_type"), r.Get("event_id")
	if !r.IsObject() || typ.Type != gjson.String || typ.Str == "" || id.Type != gjson.String || id.Str == "" {
		return Relation{}
	}
	return Relation{typ.Str, EventID(id.Str)}
}
