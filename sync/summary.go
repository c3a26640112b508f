package sync

import (
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// summaryChanged reports whether something has changed that the summary tells:
// the members, or whether the room has a name of its own (SYNC-34, SYNC-35).
func (v *visit) summaryChanged(until store.Pos) bool {
	if v.room.MembersChanged() > v.since {
		return true
	}
	for _, typ := range []string{"m.room.name", "m.room.canonical_alias"} {
		if e := v.room.StateEvent(typ, ""); e != nil && (e.Pos > v.since || e.RedactedBy > v.since) && e.Pos <= until {
			return true
		}
	}
	return false
}

func (v *visit) summary() {
	w := v.out
	w.key("summary")
	w.open('{')
	w.key("m.joined_member_count")
	w.int(v.room.Count(events.MembershipJoin))
	w.key("m.invited_member_count")
	w.int(v.room.Count(events.MembershipInvite))
	if heroes := v.heroes(); heroes != nil {
		w.key("m.heroes")
		w.open('[')
		for _, e := range heroes {
			w.string(*e.StateKey)
		}
		w.close(']')
	}
	w.close('}')
}

// heroes are the members after whom clients name a room that has no name; nil if it
// has one (SYNC-35).
func (v *visit) heroes() []*live.Event {
	if named(v.room.StateEvent("m.room.name", ""), "name") || named(v.room.StateEvent("m.room.canonical_alias", ""), "alias") {
		return nil
	}
	return v.room.Heroes(v.User)
}

func named(e *live.Event, key string) bool {
	return e != nil && gjson.GetBytes(e.Content, key).Str != ""
}
