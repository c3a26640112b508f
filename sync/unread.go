package sync

import (
	"context"
	"maps"
	"slices"

	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/internal/unread"
	"github.com/ca4c8834/homeserver/store"
)

// Unread counts what a user has not read.
type Unread interface {
	// Of counts what the user of the scope has not read up to a position.
	Of(ctx context.Context, scope *reader.Scope, until store.Pos, ignored reader.IgnoreList) (unread.Counts, error)
}

// unread reads and writes the counts of a joined room. They are in each section:
// clients take those of threads that are absent for zero (SYNC-39).
func (v *visit) unread(ctx context.Context, until store.Pos) error {
	counts, err := v.Unread.Of(ctx, v.scope, until, v.memo.settings.ignored)
	if err == nil {
		v.writeUnread(counts)
	}
	return err
}

// writeUnread writes the counts of a room (UNRD-1, UNRD-6, UNRD-7, SYNC-39), those of
// threads by the name that the client has asked for them with (CLIENT-17).
func (v *visit) writeUnread(c unread.Counts) {
	f := &v.Filter.Room.Timeline
	total := c.Total()
	if f.UnreadThreadNotifications || f.LegacyThreadNotifications {
		total = c.Main
	}
	v.out.key("unread_notifications")
	v.writeCount(total)
	if len(c.Threads) == 0 {
		return
	}
	if f.UnreadThreadNotifications {
		v.writeThreads("unread_thread_notifications", c)
	}
	if f.LegacyThreadNotifications {
		v.writeThreads("org.matrix.msc3773.unread_thread_notifications", c)
	}
}

func (v *visit) writeThreads(name string, c unread.Counts) {
	v.out.key(name)
	v.out.open('{')
	for _, root := range slices.Sorted(maps.Keys(c.Threads)) {
		v.out.key(string(root))
		v.writeCount(c.Threads[root])
	}
	v.out.close('}')
}

func (v *visit) writeCount(c unread.Count) {
	w := v.out
	w.open('{')
	w.key("highlight_count")
	w.int(c.Highlights)
	w.key("notification_count")
	w.int(c.Notifications)
	w.close('}')
}
