package reader

import (
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// Form is how events look in the answer to one request. Make it with
// [Reader.Form] and change the exported fields before use.
type Form struct {
	// OmitRoomID leaves out what the key of a map implies (EVT-3).
	OmitRoomID bool
	// Legacy repeats at top level what stood there before it moved into unsigned,
	// and the sender as user_id (LEG-9).
	Legacy bool
	// Filter reduces events to its event_fields, and asks for the raw format if its
	// event_format is "federation" (FILT-9, FILT-10). Nil is the whole event in
	// client format.
	Filter *events.Filter

	// Ignored are those whom the user ignores, if that is known; nil: to be read
	// where it matters.
	Ignored map[events.UserID]bool

	reader  *Reader
	device  string
	now     time.Time
	spare   []byte               // for unsigned
	bundles map[store.Pos][]byte // m.relations by the position of the event
}

// Form makes the form for the answers to a device.
func (r *Reader) Form(device string) *Form {
	return &Form{reader: r, device: device, now: r.Now()}
}

// Append appends an event as the user of the scope sees it.
func (f *Form) Append(dst []byte, s *Scope, e *live.Event) []byte {
	e = f.withoutErased(s, e)
	unsigned := f.appendUnsigned(f.spare[:0], s, e)
	f.spare = unsigned[:0]
	if f.Legacy {
		return appendLegacy(dst, e, f.OmitRoomID, unsigned)
	}
	if f.Filter == nil {
		return e.AppendClient(dst, events.ClientFormat{OmitRoomID: f.OmitRoomID, Unsigned: unsigned})
	}
	if f.Filter.EventFormat == "federation" { // EVT-13
		return e.AppendRaw(dst, f.reader.Signer, unsigned)
	}
	if f.Filter.EventFields == nil {
		return e.AppendClient(dst, events.ClientFormat{OmitRoomID: f.OmitRoomID, Unsigned: unsigned})
	}
	return f.Filter.AppendFields(dst, e.AppendClient(nil, events.ClientFormat{OmitRoomID: f.OmitRoomID, Unsigned: unsigned}))
}

// appendLegacy appends an event in client format with what clients of the very first
// versions look for.
func appendLegacy(dst []byte, e *live.Event, omitRoomID bool, unsigned []byte) []byte {
	dst = e.AppendClient(dst, events.ClientFormat{OmitRoomID: omitRoomID, Unsigned: unsigned})
	dst = append(dst[:len(dst)-1], `,"user_id":`...)
	dst = events.AppendString(dst, string(e.Sender))
	gjson.ParseBytes(unsigned).ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "age", "prev_content", "replaces_state", "redacted_because", "invite_room_state":
			dst = append(append(append(dst, ','), key.Raw...), ':')
			dst = append(dst, value.Raw...)
		}
		return true
	})
	return append(dst, '}')
}

// withoutErased returns an event as it is for those who were not in the room
// before its sender was erased: redacted (DEACT-4). What a scope does not know
// without being loaded counts as absence.
func (f *Form) withoutErased(s *Scope, e *live.Event) *live.Event {
	if f.reader.Erased == nil {
		return e
	}
	if e.Prev != nil {
		if prev := f.withoutErased(s, e.Prev); prev != e.Prev {
			e = e.Linked(prev, nil)
		}
	}
	at := f.reader.Erased(e.Sender)
	if at == 0 || s.MembershipAt(e.Pos) == events.MembershipJoin || s.MembershipAt(at) == events.MembershipJoin {
		return e
	}
	redacted, err := e.Redacted()
	if err != nil { // never: it was parsed
		return e
	}
	c := *e
	c.Event = redacted
	return &c
}

// AppendList appends events as a JSON array.
func (f *Form) AppendList(dst []byte, s *Scope, list []*live.Event) []byte {
	size := 2
	for _, e := range list {
		size += len(e.Raw) // in client format it is shorter, but for what unsigned adds
	}
	dst = append(slices.Grow(dst, size), '[')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = f.Append(dst, s, e)
	}
	return append(dst, ']')
}

// appendUnsigned appends the unsigned object, keys in canonical order.
func (f *Form) appendUnsigned(dst []byte, s *Scope, e *live.Event) []byte {
	dst = append(dst, `{"age":`...)
	dst = strconv.AppendInt(dst, max(0, f.now.UnixMilli()-e.TS), 10)                 // EVT-5
	if e.Type == events.TypeMember && e.IsState() && *e.StateKey == string(s.User) { // EVT-38
		switch e.Membership() {
		case events.MembershipInvite:
			dst = AppendStripped(append(dst, `,"invite_room_state":`...), s.Room, e.Pos, e)
		case events.MembershipKnock:
			dst = AppendStripped(append(dst, `,"knock_room_state":`...), s.Room, e.Pos, e)
		}
	}
	if bundle := f.bundles[e.Pos]; bundle != nil { // REL-9
		dst = append(dst, `,"m.relations":`...)
		dst = append(dst, bundle...)
	}
	if membership := s.MembershipAt(e.Pos); membership != "" { // EVT-9
		dst = append(dst, `,"membership":`...)
		dst = events.AppendString(dst, membership)
	}
	if e.Prev != nil && s.decides(e.Prev.Pos) && s.Sees(e.Prev) { // EVT-7
		dst = append(dst, `,"prev_content":`...)
		dst = append(dst, e.Prev.Content...)
	}
	if e.Because != nil { // EVT-10
		dst = append(dst, `,"redacted_because":`...)
		age := strconv.AppendInt([]byte(`{"age":`), max(0, f.now.UnixMilli()-e.Because.TS), 10)
		dst = e.Because.AppendClient(dst, events.ClientFormat{OmitRoomID: f.OmitRoomID, Unsigned: append(age, '}')})
	}
	if e.Prev != nil { // EVT-8
		dst = append(dst, `,"replaces_state":`...)
		dst = events.AppendString(dst, string(e.Prev.ID))
	}
	if e.Txn.ID != "" && e.Txn.Device == f.device && e.Sender == s.User { // EVT-6
		dst = append(dst, `,"transaction_id":`...)
		dst = events.AppendString(dst, e.Txn.ID)
	}
	return append(dst, '}')
}
