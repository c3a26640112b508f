package sync

import (
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// invite tells of a room that the user is invited to, unless they don't want to
// hear of it (SYNC-44, SYNC-46).
func (v *visit) invite() {
	if v.memo.settings.withholds(v.member.Sender) {
		return
	}
	v.stripped("invite", "invite_state")
}

// knock tells of a room that the user has knocked on.
func (v *visit) knock() { v.stripped("knock", "knock_state") }

func (v *visit) stripped(part, name string) {
	w := v.begin(part)
	w.key(name)
	w.open('{')
	w.key("events")
	w.raw(reader.AppendStripped(nil, v.room, store.MaxPos, v.member))
	w.close('}')
	w.close('}')
}
