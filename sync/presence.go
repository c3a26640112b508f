package sync

import (
	"context"
	"slices"

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
	var list []presence.Presence
	consider := func(p presence.Presence) {
		if a.Filter.Presence.Match(typePresence, p.User, nil) {
			list = append(list, p)
		}
	}
	if changed {
		for _, p := range a.Presence.ChangedSince(since) {
			consider(p)
		}
	}
	if a.device.lists.Changed != nil { // those they have met are among them (DL-9)
		seen := make(map[events.UserID]bool, len(list))
		for _, p := range list {
			seen[p.User] = true
		}
		for _, u := range a.device.lists.Changed {
			if p, ok := a.Presence.Of(u); ok && p.State != presence.Offline && !seen[u] {
				consider(p)
			}
		}
	}
	list, err := a.ofSharing(ctx, list)
	if err != nil {
		return err
	}
	buf := make([]byte, 0, 160*len(list))
	for _, p := range list {
		start := len(buf)
		buf = a.Presence.AppendJSON(buf, p)
		a.presence = append(a.presence, buf[start:len(buf):len(buf)])
	}
	return nil
}

// ofSharing leaves of a list those whom the user shares a room with, and the user. The
// store is asked about those only whom memory does not know.
func (a *answer) ofSharing(ctx context.Context, list []presence.Presence) ([]presence.Presence, error) {
	var unknown []events.UserID
	list = slices.DeleteFunc(list, func(p presence.Presence) bool {
		shares, known := a.Memory.Shares(a.user, p.User)
		if !known {
			unknown = append(unknown, p.User)
		}
		return known && !shares
	})
	if unknown == nil {
		return list, nil
	}
	apart := make(map[events.UserID]bool, len(unknown))
	for _, u := range unknown {
		apart[u] = true
	}
	err := a.Memory.View(ctx, func(v store.View) error {
		users, err := v.SharingRoom(a.User, unknown)
		for _, u := range users {
			delete(apart, u)
		}
		return err
	})
	return slices.DeleteFunc(list, func(p presence.Presence) bool { return apart[p.User] }), err
}
