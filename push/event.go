package push

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// Room is what rules ask about the room of an event, with the event in force.
type Room struct {
	// Joined is the number of members who are joined.
	Joined int
	// Power is who may notify everybody; nil: nobody.
	Power *events.PowerLevels
}

// Event is an event of a room under evaluation. It remembers what the rules of one
// user have looked up for those of the next. It is for one goroutine at a time.
type Event struct {
	*events.Event
	room    Room
	content gjson.Result // parsed when it is asked for first
	// verdicts are those of the server-default rules.
	verdicts [maxDefaults]verdict
	fields   [maxFields]field
	known    int   // fields in use
	other    field // the last one asked for that had no place

	// The evaluation under way.
	user   events.UserID
	member *events.Event // the user's own
	budget int           // bytes that may still be looked at
}

// maxFields is how many properties are remembered; the server-default rules ask
// for nine.
const maxFields = 16

// field is a property of the event.
type field struct {
	key     string // as in the conditions; empty: not in use
	value   gjson.Result
	folded  string // the value, once foldedText was asked for
	isFold  bool
	strings map[string]struct{} // the strings in the value, once hasString was asked for
}

// NewEvent prepares an event for evaluation. Neither the event nor what is in room
// may change meanwhile.
func NewEvent(e *events.Event, room Room) *Event { return &Event{Event: e, room: room} }

// path is a property's name, cut at the dots (EVAL-10).
type path struct {
	key      string
	segments []string
}

func compilePath(key string) path {
	p := path{key: key}
	var segment strings.Builder
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case c == '.':
			p.segments = append(p.segments, segment.String())
			segment.Reset()
			continue
		case c == '\\' && i+1 < len(key) && (key[i+1] == '.' || key[i+1] == '\\'):
			i++
		}
		segment.WriteByte(key[i])
	}
	p.segments = append(p.segments, segment.String())
	return p
}

// field returns a property, whose value does not exist if the event lacks it. It
// is valid until the next call.
func (ev *Event) field(p *path) *field {
	for i := range ev.known {
		if ev.fields[i].key == p.key {
			return &ev.fields[i]
		}
	}
	f := &ev.other
	if ev.known < maxFields {
		f = &ev.fields[ev.known]
		ev.known++
	} else if ev.other.key == p.key {
		return f
	} else if !ev.afford(len(ev.Content)) {
		*f = field{}
		return f
	}
	*f = field{key: p.key, value: ev.find(p.segments)}
	return f
}

// find looks a property up in the event as clients see it.
func (ev *Event) find(segments []string) gjson.Result {
	v := ev.top(segments[0])
	for _, name := range segments[1:] {
		if !v.IsObject() {
			return gjson.Result{}
		}
		v = member(v, name)
	}
	return v
}

func (ev *Event) top(name string) gjson.Result {
	switch name {
	case "content":
		if !ev.content.Exists() {
			ev.content = gjson.ParseBytes(ev.Content)
		}
		return ev.content
	case "type":
		return textResult(ev.Type)
	case "sender":
		return textResult(string(ev.Sender))
	case "room_id":
		return textResult(string(ev.Room))
	case "event_id":
		return textResult(string(ev.ID))
	case "state_key":
		if ev.StateKey != nil { // EVAL-11
			return textResult(*ev.StateKey)
		}
	case "redacts":
		if ev.Redacts != "" {
			return textResult(string(ev.Redacts))
		}
	case "origin_server_ts":
		return gjson.Result{Type: gjson.Number, Raw: strconv.FormatInt(ev.TS, 10)}
	}
	return gjson.Result{}
}

func textResult(s string) gjson.Result { return gjson.Result{Type: gjson.String, Str: s} }

// foldedText returns the property without case, and whether it is a string.
func (f *field) foldedText() (string, bool) {
	if f.value.Type != gjson.String {
		return "", false
	}
	if !f.isFold {
		f.folded, f.isFold = fold(f.value.Str), true
	}
	return f.folded, true
}

// hasString reports whether the property is an array with that string.
func (f *field) hasString(s string) bool {
	if !f.value.IsArray() {
		return false
	}
	if f.strings == nil {
		f.strings = make(map[string]struct{})
		f.value.ForEach(func(_, v gjson.Result) bool {
			if v.Type == gjson.String {
				f.strings[v.Str] = struct{}{}
			}
			return true
		})
	}
	_, ok := f.strings[s]
	return ok
}

// afford takes n bytes from the budget of the evaluation, or reports that it does
// not have them.
func (ev *Event) afford(n int) bool {
	ev.budget -= n
	return ev.budget >= 0
}
