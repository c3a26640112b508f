package reader

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// Nearest returns the visible event whose origin_server_ts is the first at or after
// ts, or the last at or before it; of several with the same, the one that comes first
// in that direction (READ-24). It returns nil if there is none.
//
// The work is bounded. Where thousands of hidden events lie nearer than any visible
// one, the search goes on in the order of the room, which is that of the clock but for
// events whose time was chosen by their sender.
func (r *Reader) Nearest(ctx context.Context, s *Scope, ts int64, forward bool) (*live.Event, error) {
	find := finder{reader: r, scope: s, forward: forward, at: store.Moment{TS: ts, Pos: store.MaxPos}}
	if forward {
		find.at.Pos = 0
	}
	e, err := find.run(ctx)
	if e != nil || err != nil || find.ended {
		return e, err
	}
	var page Page
	if at := find.at; forward {
		page, err = r.Forward(ctx, s, at.Pos, store.MaxPos, 1, func(e *events.Event) bool { return e.TS >= at.TS })
	} else {
		page, err = r.Back(ctx, s, at.Pos, 0, 1, func(e *events.Event) bool { return e.TS <= at.TS })
	}
	if err != nil || len(page.Events) == 0 {
		return nil, err
	}
	return page.Events[0], nil
}

// finder looks for a visible event along the clock.
type finder struct {
	reader  *Reader
	scope   *Scope
	forward bool
	at      store.Moment // everything up to here is hidden
	ended   bool         // there is nothing further
}

// run looks at no more than maxScan events beyond at and returns the first visible
// one, or nil.
func (f *finder) run(ctx context.Context) (found *live.Event, err error) {
	return found, f.reader.Memory.View(ctx, func(v store.View) error {
		if !f.scope.decides(0) {
			if err := f.scope.Load(v); err != nil {
				return err
			}
		}
		moments := v.MomentsBefore
		if f.forward {
			moments = v.MomentsAfter
		}
		n := 4
		for scanned := 0; found == nil && scanned < maxScan; scanned += n {
			n = min(2*n, maxChunk)
			chunk, err := moments(f.scope.Room.Num, f.at, n)
			if err != nil {
				return err
			}
			if found, err = f.first(v, chunk); err != nil {
				return err
			}
			if f.ended = len(chunk) < n; f.ended {
				break
			}
			f.at = chunk[n-1]
		}
		return nil
	})
}

// first returns the first of the events at some moments that the user sees, or nil.
func (f *finder) first(v store.View, chunk []store.Moment) (*live.Event, error) {
	var candidates []store.Pos
	for _, m := range chunk {
		if low, high := f.scope.stretch(m.Pos-1, m.Pos, false); low < high {
			candidates = append(candidates, m.Pos)
		}
	}
	rows, err := v.EventsAt(candidates)
	if err != nil {
		return nil, err
	}
	list, err := live.ParseAll(f.scope.Room.Version, rows)
	if err != nil {
		return nil, err
	}
	visible := make(map[store.Pos]*live.Event, len(list))
	for _, e := range list {
		if f.scope.Sees(e) {
			visible[e.Pos] = e
		}
	}
	for _, m := range chunk {
		if e := visible[m.Pos]; e != nil {
			return e, nil
		}
	}
	return nil, nil
}
