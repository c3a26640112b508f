package events

import "strconv"

// Parse makes an event from its raw format, as Raw of an earlier event held it; the signatures and unsigned of other
// servers are dropped. id is the stored event ID; "" computes it. Parse trusts the text: it takes one pass over the
// top-level keys, verifies no hash and validates no ID. It keeps raw, which must not change afterwards.
//
// A text without the keys no event can miss gives a [FieldError].
func (v *RoomVersion) Parse(raw []byte, id EventID) (*Event, error) {
	e := &Event{ID: id, Raw: raw, Version: v}
	var redacts EventID
	foreign := false
	m := membersOf(raw)
	for {
		key, value, ok := m.next()
		if !ok {
			break
		}
		switch string(key) {
		case "content":
			e.Content = value[:len(value):len(value)]
		case "depth":
			e.Depth = integer(value)
		case "event_id":
			if e.ID == "" {
				e.ID = EventID(text(value))
			}
		case "origin_server_ts":
			e.TS = integer(value)
		case "redacts":
			redacts = EventID(text(value))
		case "room_id":
			e.Room = RoomID(text(value))
		case "sender":
			e.Sender = UserID(text(value))
		case "signatures", "unsigned":
			foreign = true
		case "state_key":
			if isString(value) {
				s := text(value)
				e.StateKey = &s
			}
		case "type":
			e.Type = typeName(value)
		}
	}
	switch {
	case m.bad:
		return nil, &FieldError{"event", "is not a JSON object"}
	case e.Type == "":
		return nil, &FieldError{"type", "is missing"}
	case e.Sender == "":
		return nil, &FieldError{"sender", "is missing"}
	case !isObject(e.Content):
		return nil, &FieldError{"content", "is not an object"}
	}
	if foreign {
		return v.Parse(appendWithout(make([]byte, 0, len(raw)), raw, unsignedKey), id)
	}
	return e, e.derive(redacts)
}

// derive fills what the room version computes from the rest.
func (e *Event) derive(redacts EventID) error {
	if e.Type == TypeRedaction {
		e.Redacts = redacts
		if e.Version.RedactsInContent {
			e.Redacts = redactsOf(e.Content)
		}
	}
	if e.ID == "" {
		if e.Version.EventIDFormat == IDOpaque {
			return &FieldError{"event_id", "is missing"}
		}
		e.ID = e.Version.eventID(e.ReferenceHash())
	}
	if e.Room == "" && e.Version.HashRoomID && e.Type == TypeCreate {
		e.Room = RoomID("!" + e.ID[1:])
	}
	if e.Room == "" {
		return &FieldError{"room_id", "is missing"}
	}
	return nil
}

// integer is the integer in value, 0 if it is none.
func integer(value []byte) int64 {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// typeName is text, without an allocation for the types that fill a timeline.
func typeName(value []byte) string {
	switch string(value) {
	case `"m.room.message"`:
		return "m.room.message"
	case `"m.room.encrypted"`:
		return "m.room.encrypted"
	case `"m.reaction"`:
		return "m.reaction"
	case `"m.room.member"`:
		return TypeMember
	case `"m.room.redaction"`:
		return TypeRedaction
	}
	return text(value)
}
