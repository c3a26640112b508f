package events

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
)

// maxKeyID is the longest signing key ID the size check leaves room for; see [Signer].
const maxKeyID = 32

// Build makes the next event of a room from a draft: it writes the raw format, the content hash and the event
// ID. server is the name that will sign the event; the room for its signature counts towards the size limit. newID
// returns a locally unique string, and is called for the event ID of room versions 1 and 2 only.
//
// Errors: a [SizeError] when a field or the event is too large, a [FieldError] when the draft cannot
// be an event of this version. The authorisation rules are not checked; see [Check].
//
// The event shares d.StateKey; d.Content and the references are copied.
func (v *RoomVersion) Build(d Draft, server ServerName, newID func() string) (*Event, error) {
	if err := v.checkDraft(&d); err != nil {
		return nil, err
	}
	e := &Event{
		Room: d.Room, Type: d.Type, Sender: d.Sender, StateKey: d.StateKey, TS: d.TS, Depth: d.Depth,
		Redacts: d.Redacts, Version: v,
	}
	if v.EventIDFormat == IDOpaque {
		e.ID = EventID("$" + newID() + ":" + string(server))
		if len(e.ID) > MaxIDBytes {
			return nil, &SizeError{"event_id", len(e.ID), MaxIDBytes}
		}
	}
	if v.RedactsInContent && d.Type == TypeRedaction {
		if d.Redacts != "" {
			d.Content = withMember(d.Content, "redacts", AppendString(nil, string(d.Redacts)))
		} else {
			e.Redacts = redactsOf(d.Content)
		}
	}
	content := e.write(&d)
	if size := len(e.Raw) + signatureSize(server); size > MaxEventBytes {
		return nil, &SizeError{"", size, MaxEventBytes}
	}
	e.Content = e.Raw[content : content+len(d.Content) : content+len(d.Content)]
	if v.EventIDFormat != IDOpaque {
		e.ID = v.eventID(e.ReferenceHash())
	}
	if e.Room == "" {
		e.Room = RoomID("!" + e.ID[1:])
	}
	return e, nil
}

func (v *RoomVersion) checkDraft(d *Draft) error {
	hashed := v.HashRoomID && d.Type == TypeCreate
	switch {
	case d.Type == "":
		return &FieldError{"type", "is empty"}
	case len(d.Type) > MaxFieldBytes:
		return &SizeError{"type", len(d.Type), MaxFieldBytes}
	case d.StateKey != nil && len(*d.StateKey) > MaxFieldBytes:
		return &SizeError{"state_key", len(*d.StateKey), MaxFieldBytes}
	case len(d.Sender) > MaxIDBytes:
		return &SizeError{"sender", len(d.Sender), MaxIDBytes}
	case len(d.Room) > MaxIDBytes:
		return &SizeError{"room_id", len(d.Room), MaxIDBytes}
	case len(d.Redacts) > MaxIDBytes:
		return &SizeError{"redacts", len(d.Redacts), MaxIDBytes}
	case hashed != (d.Room == ""):
		return &FieldError{"room_id", "is given by the create event in this room version, and only there absent"}
	case !isObject(d.Content):
		return &FieldError{"content", "is not an object"}
	case d.Depth < 0 || d.Depth > v.MaxDepth:
		return &FieldError{"depth", "is out of range"}
	case len(d.AuthEvents) > MaxAuthEvents:
		return &FieldError{"auth_events", "has more than 10 entries"}
	case len(d.PrevEvents) > MaxPrevEvents:
		return &FieldError{"prev_events", "has more than 20 entries"}
	}
	return nil
}

// write makes e.Raw, content hash included, in the order of the keys, and returns where the content begins.
func (e *Event) write(d *Draft) (content int) {
	v := e.Version
	const fixed = 216 // names, punctuation, numbers and the content hash: events stay in memory, slack would too
	size := fixed + len(d.Content) + len(d.Type) + len(d.Sender) + len(d.Room) + len(d.Redacts) + len(e.ID)
	if d.StateKey != nil {
		size += len(*d.StateKey)
	}
	if refs := len(d.AuthEvents) + len(d.PrevEvents); v.EventIDFormat == IDOpaque {
		size += refs * 128
	} else {
		size += refs * 48
	}
	b := make([]byte, 0, size)
	b = append(b, `{"auth_events":`...)
	b = v.appendRefs(b, d.AuthEvents)
	b = append(b, `,"content":`...)
	content = len(b)
	b = append(b, d.Content...)
	b = append(b, `,"depth":`...)
	b = strconv.AppendInt(b, d.Depth, 10)
	if v.EventIDFormat == IDOpaque {
		b = append(b, `,"event_id":`...)
		b = AppendString(b, string(e.ID))
	}
	head := len(b)
	b = append(b, `,"origin_server_ts":`...)
	b = strconv.AppendInt(b, d.TS, 10)
	b = append(b, `,"prev_events":`...)
	b = v.appendRefs(b, d.PrevEvents)
	if d.Redacts != "" && !v.RedactsInContent {
		b = append(b, `,"redacts":`...)
		b = AppendString(b, string(d.Redacts))
	}
	if d.Room != "" {
		b = append(b, `,"room_id":`...)
		b = AppendString(b, string(d.Room))
	}
	b = append(b, `,"sender":`...)
	b = AppendString(b, string(d.Sender))
	if d.StateKey != nil {
		b = append(b, `,"state_key":`...)
		b = AppendString(b, *d.StateKey)
	}
	b = append(b, `,"type":`...)
	b = AppendString(b, d.Type)
	b = append(b, '}')
	e.Raw = insertHash(b, head, sha256.Sum256(b))
	return content
}

// insertHash puts the content hash between the bytes before and from head on.
func insertHash(b []byte, head int, sum [32]byte) []byte {
	const open, shut = `,"hashes":{"sha256":"`, `"}`
	const width = len(open) + 43 + len(shut) // 32 bytes in unpadded base64
	end := len(b)
	for range width {
		b = append(b, 0)
	}
	copy(b[head+width:], b[head:end])
	i := head + copy(b[head:], open)
	base64.RawStdEncoding.Encode(b[i:i+43], sum[:])
	copy(b[i+43:], shut)
	return b
}

// appendRefs writes references as plain IDs, or with their hashes in room versions 1 and 2 (EVT-15).
func (v *RoomVersion) appendRefs(b []byte, refs []Ref) []byte {
	b = append(b, '[')
	for i, r := range refs {
		if i > 0 {
			b = append(b, ',')
		}
		if v.EventIDFormat != IDOpaque {
			b = AppendString(b, string(r.ID))
			continue
		}
		b = append(b, '[')
		b = AppendString(b, string(r.ID))
		b = append(b, `,{"sha256":"`...)
		b = base64.RawStdEncoding.AppendEncode(b, r.Hash[:])
		b = append(b, `"}]`...)
	}
	return append(b, ']')
}

func (v *RoomVersion) eventID(hash [32]byte) EventID {
	enc := base64.RawURLEncoding
	if v.EventIDFormat == IDHash {
		enc = base64.RawStdEncoding
	}
	var id [44]byte
	id[0] = '$'
	enc.Encode(id[1:], hash[:])
	return EventID(id[:])
}

// signatureSize is what the signature of server adds to the raw format: at most this, since the key ID is not known.
func signatureSize(server ServerName) int {
	return len(`,"signatures":{"":{"":""}}`) + len(server) + maxKeyID + 86 // 64 bytes in unpadded base64
}

// redactsOf returns content.redacts, "" if it is not a string.
func redactsOf(content []byte) EventID {
	id, _ := stringMember(content, "redacts")
	return EventID(id)
}
