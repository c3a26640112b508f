package events

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
