package live

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Bumps reports whether an event of a type makes its room one where people are
// active, by which clients order their lists of rooms (SLIDE-37).
func Bumps(typ string) bool {
	switch typ {
	case events.TypeCreate, "m.room.message", "m.room.encrypted", "m.sticker", "m.call.invite",
		"m.poll.start", "org.matrix.msc3381.poll.start",
		"m.beacon_info", "org.matrix.msc3489.beacon_info", "org.matrix.msc3672.beacon_info":
		return true
	}
	return false
}

// Bump returns the position of the newest event that bumps the room, 0 if there is
// none. It is false if that lies too far back for memory to know.
func (r *Room) Bump() (store.Pos, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.bump, r.bump > 0 || r.tailFrom == 0
}

// SetBump tells memory what Bump did not know.
func (r *Room) SetBump(pos store.Pos) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bump = max(r.bump, pos)
}
