package sync

import (
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// readTimeline reads the newest events: those that the client was not told of, or
// as many as are asked for.
func (g *glance) readTimeline(ctx context.Context) error {
	after := g.was.pos
	if g.initial || g.expanded {
		after = 0
	}
	page, err := g.newest(ctx, after)
	if err != nil {
		return err
	}
	g.page = page
	g.now.limit = g.was.limit
	if g.initial || g.expanded || page.limited {
		g.now.limit = int32(g.want.limit) //nolint:gosec // at most maxSlidingTimeline
	}
	return nil
}

// newest reads the newest events after a position, as many as are asked for.
func (g *glance) newest(ctx context.Context, after store.Pos) (timeline, error) {
	page, err := g.Reader.Back(ctx, g.scope, g.end, after, g.want.limit, func(e *events.Event) bool {
		return !g.memo.settings.hides(e) // SLIDE-36
	})
	slices.Reverse(page.Events)
	t := timeline{events: page.Events, limited: page.More, start: page.Next} // SLIDE-35
	if len(t.events) > 0 {
		t.start = t.events[0].Pos - 1
	}
	return t, err
}

func (g *glance) writeTimeline(ctx context.Context) error {
	if g.initial || g.expanded || g.page.limited { // REL-9: else the client has heard of it all
		if err := g.form.Bundle(ctx, g.scope, g.page.events...); err != nil {
			return err
		}
	}
	fresh := 0
	g.field(g.name("timeline", "timeline_events")).open('[')
	for _, e := range g.page.events {
		g.event(e)
		if !g.first && e.Pos > g.since { // SLIDE-34
			fresh++
		}
	}
	g.out.close(']')
	g.field("num_live").int(fresh)
	g.field("limited").bool(g.page.limited)
	g.field("prev_batch").string(reader.Token(g.page.start))
	return nil
}
