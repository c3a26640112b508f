package sync

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/presence"
	"github.com/ca4c8834/homeserver/store"
)

// Presence knows who is there.
type Presence interface {
	// Of returns a user's presence; false if nothing is known of them.
	Of(user events.UserID) (presence.Presence, bool)
	// ChangedSince returns the presence of all users for whom it changed after a
	// position; since 0 leaves out those who are offline.
	ChangedSince(since store.Pos) []presence.Presence
	// AppendJSON appends a user's presence as m.presence.
	AppendJSON(dst []byte, p presence.Presence) []byte
}

const typePresence = "m.presence"

// readPresence reads the presence of the user and of those they share rooms with, as
// far as it has changed or they have only just met (SYNC-51, PRES-4, PRES-10, PRES-11).
func (a *answer) readPresence(ctx context.Context) error {
	changed := a.first || a.user.Presence() > a.since
	if !changed && a.device.lists.Changed == nil {
		return nil
	}
	since := a.since
	if a.first {
		since = 0
	}
	seen := map[events.UserID]bool{}
	var list []presence.Presence
	var others []events.UserID
	consider := func(p presence.Presence) {
		if seen[p.User] || !a.Filter.Presence.Match(typePresence, p.User, nil) {
			return
		}
		seen[p.User] = true
		list = append(list, p)
		if p.User != a.User {
			others = append(others, p.User)
		}
	}
	if changed {
		for _, p := range a.Presence.ChangedSince(since) {
			consider(p)
		}
	}
	for _, u := range a.device.lists.Changed { // those they have met are among them (DL-9)
		if p, ok := a.Presence.Of(u); ok && p.State != presence.Offline {
			consider(p)
		}
	}
	if len(list) == 0 {
		return nil
	}
	shared := map[events.UserID]bool{a.User: true}
	if others != nil {
		err := a.Memory.View(ctx, func(v store.View) error {
			users, err := v.SharingRoom(a.User, others)
			for _, u := range users {
				shared[u] = true
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, p := range list {
		if shared[p.User] {
			a.presence = append(a.presence, a.Presence.AppendJSON(nil, p))
		}
	}
	return nil
}
