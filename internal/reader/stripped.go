package reader

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// strippedTypes is the state that those who are not yet in a room are shown, beside
// the member events of those concerned (EVT-37).
func strippedTypes() []string {
	return []string{
		events.TypeCreate, "m.room.name", "m.room.avatar", "m.room.topic", events.TypeJoinRules,
		"m.room.canonical_alias", events.TypeEncryption,
	}
}

// AppendStripped appends, as a JSON array, what somebody who is invited to a room or
// knocks on it is shown of it: its state as it was right after a position, as far as
// memory knows that, and at the end their own member event.
func AppendStripped(dst []byte, room *live.Room, at store.Pos, member *live.Event) []byte {
	dst = append(dst, '[')
	for _, typ := range strippedTypes() {
		dst = appendStripped(dst, room, at, typ, "")
	}
	if string(member.Sender) != *member.StateKey {
		dst = appendStripped(dst, room, at, events.TypeMember, string(member.Sender))
	}
	return append(member.AppendStripped(dst), ']')
}

func appendStripped(dst []byte, room *live.Room, at store.Pos, typ, key string) []byte {
	if e, _ := room.StateEventAt(at, typ, key); e != nil {
		dst = append(e.AppendStripped(dst), ',')
	}
	return dst
}
