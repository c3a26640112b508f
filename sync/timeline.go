package sync

import (
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// timeline is a stretch of a room's history, oldest event first.
type timeline struct {
	events  []*live.Event
	limited bool
	// start is the position before the first event, which is also prev_batch
	// (SYNC-18).
	start store.Pos
}

// timeline reads the newest events up to a position: those after since if the
// client knows the room, or else as many as the filter allows (SYNC-16, SYNC-17,
// SYNC-25).
func (v *visit) timeline(ctx context.Context, until store.Pos, before bool) (timeline, error) {
	filter := &v.Filter.Room.Timeline
	after := store.Pos(0)
	if before || v.FullState {
		after = v.since
	}
	page, err := v.Reader.Back(ctx, v.scope, until, after, v.timelineLimit(), func(e *events.Event) bool {
		return filter.Match(e) && v.shown(e)
	})
	if err != nil {
		return timeline{}, err
	}
	slices.Reverse(page.Events)
	t := timeline{events: page.Events, limited: page.More || !before && !v.first && !v.FullState, start: page.Next}
	if len(t.events) > 0 {
		t.start = t.events[0].Pos - 1
	}
	return t, v.shorten(ctx, &t)
}

// shorten begins a timeline after the last change of the state that the user may not see,
// because they were out when it was made: clients make the state at its end out of that at
// its start and the events between (SYNC-19).
func (v *visit) shorten(ctx context.Context, t *timeline) error {
	if v.StateAfter != "" || v.scope.SeesAll(t.start) {
		return nil
	}
	if err := v.Memory.View(ctx, v.scope.Load); err != nil {
		return err
	}
	changes, err := v.Reader.StateChanges(ctx, v.room, t.start, v.end)
	for _, e := range changes {
		if e.Pos > t.start && !v.scope.Sees(e) {
			t.start, t.limited = e.Pos, true
		}
	}
	t.events = slices.DeleteFunc(t.events, func(e *live.Event) bool { return e.Pos <= t.start })
	return err
}

// timelineLimit is how many events a timeline has at most.
func (a *answer) timelineLimit() int {
	if limit := a.Filter.Room.Timeline.Limit; limit != nil {
		return min(*limit, maxTimeline)
	}
	return defaultTimeline
}
