package events

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Event types that the rules of rooms name.
const (
	TypeCreate            = "m.room.create"
	TypeMember            = "m.room.member"
	TypePowerLevels       = "m.room.power_levels"
	TypeJoinRules         = "m.room.join_rules"
	TypeHistoryVisibility = "m.room.history_visibility"
	TypeEncryption        = "m.room.encryption"
	TypeThirdPartyInvite  = "m.room.third_party_invite"
	TypeRedaction         = "m.room.redaction"
	TypeAliases           = "m.room.aliases"
)

// Values of content.membership.
const (
	MembershipJoin   = "join"
	MembershipInvite = "invite"
	MembershipLeave  = "leave"
	MembershipBan    = "ban"
	MembershipKnock  = "knock"
)

// Limits of events.
const (
	MaxEventBytes = 65536
	MaxFieldBytes = 255
	MaxAuthEvents = 10
	MaxPrevEvents = 20
)

// ErrTooLarge is wrapped by every [SizeError].
var ErrTooLarge = errors.New("too large")

// SizeError says that an event or one of its fields is over its limit; Field is "" for the event as a whole.
type SizeError struct {
	Field     string
	Size, Max int
}

// Error implements error.
func (e *SizeError) Error() string {
	field := e.Field
	if field == "" {
		field = "event"
	}
	return fmt.Sprintf("%s has %d bytes, at most %d are allowed", field, e.Size, e.Max)
}

// Unwrap returns [ErrTooLarge].
func (e *SizeError) Unwrap() error { return ErrTooLarge }

// FieldError says that a field of an event has the wrong shape.
type FieldError struct{ Field, Reason string }

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// Event is one event of a room, immutable once made, safe for concurrent reading. Make it with Build or Parse.
type Event struct {
	ID       EventID
	Room     RoomID
	Type     string
	Sender   UserID
	StateKey *string      // nil: not a state event
	TS       int64        // origin_server_ts, ms
	Depth    int64        // 1 for the create event
	Redacts  EventID      // target of a redaction, wherever the version keeps it; "" otherwise
	Content  []byte       // JSON object, part of Raw
	Raw      []byte       // canonical JSON in the raw format of the room version, without signatures and unsigned; with event_id in v1-2
	Version  *RoomVersion // of the room

	// levels memoises what PowerLevels made of this event, so that later checks do not parse it again.
	levels atomic.Pointer[PowerLevels]
}

// StateKey names one entry of a room's state.
type StateKey struct{ Type, Key string }

// Ref names an earlier event in auth_events or prev_events.
type Ref struct {
	ID   EventID
	Hash [32]byte // reference hash, written in v1-2 only
}

// Draft is what Build makes an event of.
type Draft struct {
	Room       RoomID // "" for the create event of a version with HashRoomID
	Sender     UserID
	Type       string
	StateKey   *string
	Content    []byte // canonical JSON object
	TS, Depth  int64
	Redacts    EventID // of a redaction; Build writes it where the version keeps it
	PrevEvents []Ref
	AuthEvents []Ref
}

// RoomType returns what a create event says the room is, content.type; "" if it is a plain room.
func (e *Event) RoomType() string {
	v, _ := stringMember(e.Content, "type")
	return v
}

// IsState reports whether e has a state key.
func (e *Event) IsState() bool { return e.StateKey != nil }

// Membership returns content.membership, "" if it is absent or not a string.
func (e *Event) Membership() string {
	switch v := lookup(e.Content, "membership"); string(v) {
	case `"join"`: // without an allocation, since every check asks
		return MembershipJoin
	case `"invite"`:
		return MembershipInvite
	case `"leave"`:
		return MembershipLeave
	case `"ban"`:
		return MembershipBan
	case `"knock"`:
		return MembershipKnock
	default:
		return text(v)
	}
}
