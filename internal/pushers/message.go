package pushers

import (
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
)

// message is what a gateway is told. All of it but the pusher and the number is zero
// when only the number of unread events has changed.
type message struct {
	pusher Pusher
	unread int
	scope  *reader.Scope
	event  *live.Event
	notice notice
}

// append appends the body of the request (GW-2 to GW-9).
func (m *message) append(dst []byte) []byte {
	dst = append(dst, `{"notification":{"counts":{`...)
	if m.unread > 0 || m.event == nil { // GW-7
		dst = strconv.AppendInt(append(dst, `"unread":`...), int64(m.unread), 10)
	}
	dst = append(dst, '}')
	onlyID := gjson.GetBytes(m.pusher.Data, "format").Str == "event_id_only"
	dst = m.appendDevice(dst, onlyID)
	if m.event != nil {
		dst = appendText(dst, "event_id", string(m.event.ID))
		dst = appendText(dst, "room_id", string(m.scope.Room.ID))
		prio := "high"
		if m.notice.low { // GW-5
			prio = "low"
		}
		dst = appendText(dst, "prio", prio)
		if !onlyID { // GW-3
			dst = m.appendEvent(dst)
		}
	}
	return append(dst, "}}"...)
}

// appendDevice appends who it is for (GW-4).
func (m *message) appendDevice(dst []byte, onlyID bool) []byte {
	p := &m.pusher
	dst = events.AppendString(append(dst, `,"devices":[{"app_id":`...), p.AppID)
	dst = appendData(append(dst, `,"data":`...), p.Data)
	dst = appendText(dst, "pushkey", p.Key)
	dst = strconv.AppendInt(append(dst, `,"pushkey_ts":`...), p.KeyTS/1000, 10)
	if m.event != nil && !onlyID {
		dst = append(append(dst, `,"tweaks":`...), m.notice.tweaks...)
	}
	return append(dst, "}]"...)
}

// appendData appends what a client has given for its gateway, as it was given.
func appendData(dst, data []byte) []byte {
	separator := byte('{')
	gjson.ParseBytes(data).ForEach(func(name, value gjson.Result) bool {
		if name.Str != "url" {
			dst = append(append(dst, separator), name.Raw...)
			dst = append(append(dst, ':'), value.Raw...)
			separator = ','
		}
		return true
	})
	if separator == '{' {
		dst = append(dst, '{')
	}
	return append(dst, '}')
}

// appendEvent appends what the full format tells of an event.
func (m *message) appendEvent(dst []byte) []byte {
	e, room := m.event, m.scope.Room
	dst = append(append(dst, `,"content":`...), e.Content...)
	dst = appendText(dst, "id", string(e.ID)) // as gateways knew it before (GW-9)
	dst = appendText(dst, "type", e.Type)
	dst = appendText(dst, "sender", string(e.Sender))
	if sender := room.Member(e.Sender); sender != nil {
		dst = appendText(dst, "sender_display_name", textIn(sender, "displayname"))
	}
	alias := textIn(room.StateEvent("m.room.canonical_alias", ""), "alias")
	name := textIn(room.StateEvent("m.room.name", ""), "name")
	if name == "" { // GW-9
		name = alias
	}
	dst = appendText(dst, "room_alias", alias)
	dst = appendText(dst, "room_name", name)
	if e.Type == events.TypeMember && e.IsState() {
		dst = appendText(dst, "membership", e.Membership())
		if *e.StateKey == string(m.scope.User) {
			dst = append(dst, `,"user_is_target":true`...)
		}
	}
	return dst
}

// appendText appends a member of an object, unless it is empty.
func appendText(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return events.AppendString(dst, value)
}

// textIn returns a string of the content of an event, which may be nil.
func textIn(e *live.Event, key string) string {
	if e == nil {
		return ""
	}
	return gjson.GetBytes(e.Content, key).Str
}
