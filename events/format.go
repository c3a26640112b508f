package events

import "strconv"

// ClientFormat is what differs between the places that serve an event to clients.
type ClientFormat struct {
	OmitRoomID bool   // in /sync, where the map key implies it
	Unsigned   []byte // the `unsigned` object as JSON; nil leaves the key out
}

// AppendClient appends the event in client format: the stored content as it is, without the keys of
// the raw format. The room ID is shown on every event, create events of version 12 included, and the target
// of a redaction both at top level and in content, whatever the version.
func (e *Event) AppendClient(dst []byte, f ClientFormat) []byte {
	dst = append(dst, `{"content":`...)
	dst = e.appendContent(dst)
	dst = append(dst, `,"event_id":`...)
	dst = AppendString(dst, string(e.ID))
	dst = append(dst, `,"origin_server_ts":`...)
	dst = strconv.AppendInt(dst, e.TS, 10)
	if e.Redacts != "" {
		dst = append(dst, `,"redacts":`...)
		dst = AppendString(dst, string(e.Redacts))
	}
	if !f.OmitRoomID {
		dst = append(dst, `,"room_id":`...)
		dst = AppendString(dst, string(e.Room))
	}
	dst = append(dst, `,"sender":`...)
	dst = AppendString(dst, string(e.Sender))
	if e.StateKey != nil {
		dst = append(dst, `,"state_key":`...)
		dst = AppendString(dst, *e.StateKey)
	}
	dst = append(dst, `,"type":`...)
	dst = AppendString(dst, e.Type)
	if f.Unsigned != nil {
		dst = append(dst, `,"unsigned":`...)
		dst = append(dst, f.Unsigned...)
	}
	return append(dst, '}')
}

// appendContent appends the content, with `redacts` added where the version keeps it elsewhere.
func (e *Event) appendContent(dst []byte) []byte {
	if e.Redacts == "" || e.Version.RedactsInContent {
		return append(dst, e.Content...)
	}
	return append(dst, withMember(e.Content, "redacts", AppendString(nil, string(e.Redacts)))...)
}

// AppendStripped appends the event as stripped state: sender, type, state_key and content only.
func (e *Event) AppendStripped(dst []byte) []byte {
	dst = append(dst, `{"content":`...)
	dst = append(dst, e.Content...)
	dst = append(dst, `,"sender":`...)
	dst = AppendString(dst, string(e.Sender))
	dst = append(dst, `,"state_key":`...)
	key := ""
	if e.StateKey != nil {
		key = *e.StateKey
	}
	dst = AppendString(dst, key)
	dst = append(dst, `,"type":`...)
	dst = AppendString(dst, e.Type)
	return append(dst, '}')
}
