package sync

import (
	"github.com/ca4c8834/homeserver/events"
)

// strippedTypes is the state that those who are not yet in a room are shown, beside
// the member events of those concerned (EVT-37).
func strippedTypes() []string {
	return []string{
		events.TypeCreate, "m.room.name", "m.room.avatar", "m.room.topic", events.TypeJoinRules,
		"m.room.canonical_alias", "m.room.encryption",
	}
}

// invite tells of a room that the user is invited to, unless they don't want to
// hear of it (SYNC-44, SYNC-46).
func (v *visit) invite() {
	if v.memo.settings.blockInvites || v.memo.settings.ignored[v.member.Sender] {
		return
	}
	v.stripped("invite", "invite_state")
}

// knock tells of a room that the user has knocked on.
func (v *visit) knock() { v.stripped("knock", "knock_state") }

func (v *visit) stripped(part, name string) {
	w := &v.out
	w.open('{')
	w.openEvents(name)
	for _, typ := range strippedTypes() {
		if e := v.room.StateEvent(typ, ""); e != nil {
			w.separate()
			w.buf = e.AppendStripped(w.buf)
		}
	}
	if v.member.Sender != v.User {
		if e := v.room.Member(v.member.Sender); e != nil {
			w.separate()
			w.buf = e.AppendStripped(w.buf)
		}
	}
	w.separate()
	w.buf = v.member.AppendStripped(w.buf)
	w.closeEvents()
	w.close('}')
	v.add(part, v.room.ID, w.buf)
}
