package events

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
func (f *RoomEventFilter) Match(e *Event) bool   { return true }

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
