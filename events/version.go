package events

// DefaultVersion is the room version for new rooms unless the host chooses another.
const DefaultVersion = "12"

// IDFormat is how a room version makes event IDs.
type IDFormat uint8

// The event ID formats.
const (
	IDOpaque   IDFormat = iota // "$opaque:server" (v1-2)
	IDHash                     // "$" + reference hash in standard base64 (v3)
	IDHashSafe                 // "$" + reference hash in URL-safe base64 (v4+)
)

// LevelForm is which JSON values may be a power level.
type LevelForm uint8

// The forms of power levels.
const (
	LevelInteger LevelForm = iota // integers only (v10+)
	LevelString                   // also strings of digits (v6-9)
	LevelFloat                    // also floats, truncated towards zero (v1-5)
)

// RoomVersion is one row of the table of room versions: every difference between versions is a field here and every
// algorithm asks the field, never the number. Values are shared and must not be changed.
type RoomVersion struct {
	ID                 string
	EventIDFormat      IDFormat
	HashRoomID         bool      // the room ID is the create event's hash, and the create event has no room_id (v12)
	StrictJSON         bool      // events must be canonical JSON (v6+)
	MaxDepth           int64     // cap of depth
	RedactionSet       byte      // 'A' to 'E'
	LevelForm          LevelForm // forms of power levels
	NotificationsPL    bool      // `notifications` takes part in the power level rules (v6+)
	Knock              bool      // join rule and membership "knock" (v7+)
	Restricted         bool      // join rule "restricted" (v8+)
	KnockRestricted    bool      // join rule "knock_restricted" (v10+)
	CreatorInContent   bool      // create events carry content.creator (v1-10)
	RedactsInContent   bool      // redactions carry their target in content (v11+)
	PrivilegedCreators bool      // creators stand above every power level (v12)
	AliasesRule        bool      // m.room.aliases has an auth rule of its own (v1-5)
	RedactionRule      bool      // m.room.redaction has an auth rule of its own (v1-2)
}

const (
	maxInt63 = 1<<63 - 1
	maxInt53 = 1<<53 - 1
)

// LookupVersion finds a room version by its identifier, which is compared as an opaque string.
func LookupVersion(id string) (*RoomVersion, bool) {
	for _, v := range versions {
		if v.ID == id {
			return v, true
		}
	}
	return nil, false
}

// VersionOf finds the room version that the content of a create event names, "1" if it names none. What is no
// string names no version.
func VersionOf(createContent []byte) (*RoomVersion, bool) {
	value := lookup(createContent, "room_version")
	if value == nil {
		return LookupVersion("1")
	}
	return LookupVersion(text(value))
}

// Versions lists the identifiers of all supported room versions, oldest first.
func Versions() []string {
	ids := make([]string, len(versions))
	for i, v := range versions {
		ids[i] = v.ID
	}
	return ids
}

// NextDepth returns the depth of an event that follows events of at most this depth.
func (v *RoomVersion) NextDepth(depth int64) int64 { return min(depth, v.MaxDepth-1) + 1 }

// versions is never written after initialisation.
var versions = func() []*RoomVersion {
	v1 := RoomVersion{
		ID: "1", EventIDFormat: IDOpaque, MaxDepth: maxInt63, RedactionSet: 'A', LevelForm: LevelFloat,
		CreatorInContent: true, AliasesRule: true, RedactionRule: true,
	}
	v2 := v1.with("2", func(*RoomVersion) {}) // state resolution v2, which a linear history never needs (EVT-20)
	v3 := v2.with("3", func(v *RoomVersion) { v.EventIDFormat, v.RedactionRule = IDHash, false })
	v4 := v3.with("4", func(v *RoomVersion) { v.EventIDFormat = IDHashSafe })
	v5 := v4.with("5", func(*RoomVersion) {}) // validity of remote signing keys
	v6 := v5.with("6", func(v *RoomVersion) {
		v.StrictJSON, v.MaxDepth, v.RedactionSet, v.LevelForm = true, maxInt53, 'B', LevelString
		v.NotificationsPL, v.AliasesRule = true, false
	})
	v7 := v6.with("7", func(v *RoomVersion) { v.Knock = true })
	v8 := v7.with("8", func(v *RoomVersion) { v.Restricted, v.RedactionSet = true, 'C' })
	v9 := v8.with("9", func(v *RoomVersion) { v.RedactionSet = 'D' })
	v10 := v9.with("10", func(v *RoomVersion) { v.KnockRestricted, v.LevelForm = true, LevelInteger })
	v11 := v10.with("11", func(v *RoomVersion) {
		v.RedactionSet, v.CreatorInContent, v.RedactsInContent = 'E', false, true
	})
	v12 := v11.with("12", func(v *RoomVersion) { v.HashRoomID, v.PrivilegedCreators = true, true })
	return []*RoomVersion{&v1, &v2, &v3, &v4, &v5, &v6, &v7, &v8, &v9, &v10, &v11, &v12}
}()

func (v RoomVersion) with(id string, change func(*RoomVersion)) RoomVersion {
	v.ID = id
	change(&v)
	return v
}
