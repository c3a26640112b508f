package events

import (
	"errors"
	"fmt"
	"strconv"
)

// Filter is a filter as `/user/{userId}/filter` stores it. The zero value and a nil *Filter let everything through. It
// is immutable and safe for concurrent use.
type Filter struct {
	EventFields []string // paths for AppendFields; nil: whole events
	EventFormat string   // "client" or "federation"; "" means client
	Presence    EventFilter
	AccountData EventFilter
	Room        RoomFilter
}

// EventFilter selects events by type, sender and content. In each list nil does not restrict, and a list without
// entries matches nothing. "*" in a list of IDs stands for all.
type EventFilter struct {
	Limit      *int // nil: the default of the endpoint; 0 is a valid limit
	Types      []string
	NotTypes   []string
	Senders    []UserID
	NotSenders []UserID
	// ContainsURL keeps events whose content.url is a string, or drops them. Room event filters only.
	ContainsURL *bool
}

// RoomEventFilter is an EventFilter for the events of rooms.
type RoomEventFilter struct {
	EventFilter
	Rooms                     []RoomID
	NotRooms                  []RoomID
	LazyLoadMembers           bool
	IncludeRedundantMembers   bool
	UnreadThreadNotifications bool
	// LegacyThreadNotifications asks for the same under the name that it had before it was specified.
	LegacyThreadNotifications bool
}

// RoomFilter is the `room` part of a Filter. Its own lists apply before those of the inner filters, and also to
// invites, knocks and departed rooms.
type RoomFilter struct {
	Rooms        []RoomID
	NotRooms     []RoomID
	IncludeLeave bool
	Ephemeral    RoomEventFilter
	State        RoomEventFilter
	Timeline     RoomEventFilter
	AccountData  RoomEventFilter
}

// FilterError says which key of a filter has a value of the wrong kind.
type FilterError struct {
	Key    string // path of the key, such as "room.timeline.types"
	Reason error
}

// Error implements error.
func (e *FilterError) Error() string { return fmt.Sprintf("parse filter key %q: %v", e.Key, e.Reason) }

// Unwrap returns the reason.
func (e *FilterError) Unwrap() error { return e.Reason }

// ParseFilter reads a filter definition. Unknown keys are ignored; a null counts as absent. The error is a
// [JSONError] or a [FilterError].
func ParseFilter(raw []byte) (*Filter, error) {
	f := &Filter{}
	return f, parseObject(raw, func(d *filterDecoder) {
		d.strings("event_fields", &f.EventFields)
		d.format("event_format", &f.EventFormat)
		d.sub("presence", f.Presence.decode)
		d.sub("account_data", f.AccountData.decode)
		d.sub("room", f.Room.decode)
	})
}

// ParseRoomEventFilter reads the filter that /messages and /context take. Errors are those of [ParseFilter].
func ParseRoomEventFilter(raw []byte) (*RoomEventFilter, error) {
	f := &RoomEventFilter{}
	return f, parseObject(raw, f.decode)
}

func (f *EventFilter) decode(d *filterDecoder) {
	d.limit("limit", &f.Limit)
	d.strings("types", &f.Types)
	d.strings("not_types", &f.NotTypes)
	decodeIDs(d, "senders", &f.Senders, ParseUserID)
	decodeIDs(d, "not_senders", &f.NotSenders, ParseUserID)
}

func (f *RoomEventFilter) decode(d *filterDecoder) {
	f.EventFilter.decode(d)
	decodeIDs(d, "rooms", &f.Rooms, ParseRoomID)
	decodeIDs(d, "not_rooms", &f.NotRooms, ParseRoomID)
	if d.member("contains_url") != nil {
		f.ContainsURL = new(bool)
		d.boolean("contains_url", f.ContainsURL)
	}
	d.boolean("lazy_load_members", &f.LazyLoadMembers)
	d.boolean("include_redundant_members", &f.IncludeRedundantMembers)
	d.boolean("unread_thread_notifications", &f.UnreadThreadNotifications)
	d.boolean("org.matrix.msc3773.unread_thread_notifications", &f.LegacyThreadNotifications)
}

func (f *RoomFilter) decode(d *filterDecoder) {
	decodeIDs(d, "rooms", &f.Rooms, ParseRoomID)
	decodeIDs(d, "not_rooms", &f.NotRooms, ParseRoomID)
	d.boolean("include_leave", &f.IncludeLeave)
	d.sub("ephemeral", f.Ephemeral.decode)
	d.sub("state", f.State.decode)
	d.sub("timeline", f.Timeline.decode)
	d.sub("account_data", f.AccountData.decode)
}

var (
	errNotObject  = errors.New("not an object")
	errNotStrings = errors.New("not an array of strings")
	errNotBoolean = errors.New("not a boolean")
	errNotLimit   = errors.New("not a non-negative integer")
	errFormat     = errors.New(`neither "client" nor "federation"`)
)

// filterDecoder reads the members of one object and keeps the first error.
type filterDecoder struct {
	obj  []byte
	path string
	err  *error
}

func parseObject(raw []byte, decode func(*filterDecoder)) error {
	obj, err := CanonicalLoose(raw)
	if err != nil {
		return err
	}
	d := &filterDecoder{obj: obj, err: &err}
	if !isObject(obj) {
		d.fail("", errNotObject)
		return err
	}
	decode(d)
	return err
}

func (d *filterDecoder) fail(key string, reason error) {
	if *d.err == nil {
		*d.err = &FilterError{d.path + key, reason}
	}
}

// member returns the value of a key, nil if it is absent or null.
func (d *filterDecoder) member(key string) []byte {
	v := lookup(d.obj, key)
	if string(v) == "null" {
		return nil
	}
	return v
}

func (d *filterDecoder) sub(key string, decode func(*filterDecoder)) {
	v := d.member(key)
	switch {
	case v == nil:
	case !isObject(v):
		d.fail(key, errNotObject)
	default:
		decode(&filterDecoder{v, d.path + key + ".", d.err})
	}
}

func (d *filterDecoder) strings(key string, out *[]string) {
	v := d.member(key)
	if v == nil {
		return
	}
	if !isArray(v) {
		d.fail(key, errNotStrings)
		return
	}
	*out = []string{}
	list := elementsOf(v)
	for {
		item, ok := list.next()
		if !ok {
			return
		}
		s, ok := stringValue(item)
		if !ok {
			d.fail(key, errNotStrings)
			return
		}
		*out = append(*out, s)
	}
}

func decodeIDs[ID ~string](d *filterDecoder, key string, out *[]ID, parse func(string) (ID, error)) {
	var items []string
	d.strings(key, &items)
	if items == nil {
		return
	}
	*out = make([]ID, len(items))
	for i, s := range items {
		(*out)[i] = ID(s)
		if s == "*" {
			continue
		}
		if _, err := parse(s); err != nil {
			d.fail(key, err)
		}
	}
}

func (d *filterDecoder) boolean(key string, out *bool) {
	switch v := d.member(key); string(v) {
	case "":
	case "true":
		*out = true
	case "false":
		*out = false
	default:
		d.fail(key, errNotBoolean)
	}
}

func (d *filterDecoder) limit(key string, out **int) {
	v := d.member(key)
	if v == nil {
		return
	}
	n, err := strconv.Atoi(string(v))
	if err != nil || n < 0 {
		d.fail(key, errNotLimit)
		return
	}
	*out = &n
}

func (d *filterDecoder) format(key string, out *string) {
	v := d.member(key)
	if v == nil {
		return
	}
	*out, _ = stringValue(v)
	if *out != "client" && *out != "federation" {
		d.fail(key, errFormat)
	}
}
