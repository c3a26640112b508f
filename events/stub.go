package events

import "crypto/ed25519"

var errTodo = &FieldError{"todo", "todo"}

type JSONErrorKind uint8

const (
	NotJSON JSONErrorKind = iota + 1
	BadJSON
)

type JSONError struct {
	Kind   JSONErrorKind
	Offset int
	Reason string
}

func (e *JSONError) Error() string                          { return e.Reason }
func Canonical(raw []byte) ([]byte, error)                  { return raw, nil }
func CanonicalLoose(raw []byte) ([]byte, error)             { return raw, nil }
func Valid(raw []byte) error                                { return nil }
func (v *RoomVersion) Canonical(raw []byte) ([]byte, error) { return raw, nil }
func AppendString(dst []byte, s string) []byte              { return dst }
func stringMember(obj []byte, key string) (string, bool)    { return "", false }
func (v *RoomVersion) Build(d Draft, server ServerName, newID func() string) (*Event, error) {
	return nil, errTodo
}
func (v *RoomVersion) Parse(raw []byte, id EventID) (*Event, error) { return nil, errTodo }
func (e *Event) ReferenceHash() [32]byte                            { return [32]byte{} }

// PowerLevels
type PowerLevels struct{}

func (v *RoomVersion) PowerLevels(s State) *PowerLevels              { return nil }
func (p *PowerLevels) User(u UserID) int64                           { return 0 }
func (p *PowerLevels) Required(eventType string, isState bool) int64 { return 0 }
func (p *PowerLevels) Invite() int64                                 { return 0 }
func (p *PowerLevels) Kick() int64                                   { return 0 }
func (p *PowerLevels) Ban() int64                                    { return 0 }
func (p *PowerLevels) Redact() int64                                 { return 0 }
func (p *PowerLevels) Notification(key string) int64                 { return 0 }

// State
type State interface {
	Event(typ, key string) *Event
}
type AuthError struct{ Rule, Reason string }

func (e *AuthError) Error() string                  { return e.Reason }
func Check(e *Event, s State) error                 { return nil }
func CheckAuthEvents(e *Event, auth []*Event) error { return nil }
func AuthKeys(v *RoomVersion, typ string, sender UserID, stateKey *string, content []byte) []StateKey {
	return nil
}
func RedactionAllowed(sender UserID, target *Event, pl *PowerLevels) bool { return false }

func (v *RoomVersion) Redact(raw []byte) ([]byte, error) { return nil, errTodo }
func (e *Event) Redacted() (*Event, error)               { return nil, errTodo }

// Signer
type Signer struct {
	Server ServerName
	KeyID  string // "ed25519:<id>"
	Key    ed25519.PrivateKey
}

func SignJSON(obj []byte, server ServerName, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	return nil, errTodo
}
func VerifyJSON(obj []byte, server ServerName, keyID string, key ed25519.PublicKey) error {
	return errTodo
}
func (e *Event) AppendRaw(dst []byte, s *Signer, unsigned []byte) []byte { return dst }

// ClientFormat
type ClientFormat struct {
	OmitRoomID bool
	Unsigned   []byte
}

func (e *Event) AppendClient(dst []byte, f ClientFormat) []byte { return dst }
func (e *Event) AppendStripped(dst []byte) []byte               { return dst }

// Filters
type EventFilter struct {
	Limit       *int // nil: the default of the endpoint; never negative
	Types       []string
	NotTypes    []string
	Senders     []UserID
	NotSenders  []UserID
	ContainsURL *bool // room event filters only
}

func (f *EventFilter) Match(typ string, sender UserID, content []byte) bool { return true }

type RoomEventFilter struct {
	EventFilter
	Rooms                     []RoomID
	NotRooms                  []RoomID
	LazyLoadMembers           bool
	IncludeRedundantMembers   bool
	UnreadThreadNotifications bool
}

func (f *RoomEventFilter) MatchRoom(room RoomID) bool { return true }
func (f *RoomEventFilter) MatchEvent(e *Event) bool   { return true }

type RoomFilter struct {
	Rooms        []RoomID
	NotRooms     []RoomID
	IncludeLeave bool
	Ephemeral    RoomEventFilter
	State        RoomEventFilter
	Timeline     RoomEventFilter
	AccountData  RoomEventFilter
}

func (f *RoomFilter) MatchRoom(room RoomID) bool { return true }

type Filter struct {
	EventFields []string
	EventFormat string // "client" or "federation"
	Presence    EventFilter
	AccountData EventFilter
	Room        RoomFilter
}

func ParseFilter(raw []byte) (*Filter, error)                   { return &Filter{}, nil }
func ParseRoomEventFilter(raw []byte) (*RoomEventFilter, error) { return &RoomEventFilter{}, nil }
func (f *Filter) AppendFields(dst, event []byte) []byte         { return append(dst, event...) }
