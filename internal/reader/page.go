package reader

import (
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// maxScan bounds how many events a page looks at, so that a filter which nothing
// passes does not read a whole room in one request (READ-14).
const maxScan = 5000

// maxChunk bounds how many events are read from the store at once.
const maxChunk = 500

// Page is a stretch of a timeline.
type Page struct {
	// Events are linked, in the direction of the walk.
	Events []*live.Event
	// Next is the position from which to walk on.
	Next store.Pos
	// More says that there are further events in this direction, or that it is
	// not known.
	More bool
}

// Match says whether an event is wanted; nil wants all.
type Match func(*events.Event) bool

// Back returns the newest visible events with after < Pos <= from that match,
// newest first and at most limit.
func (r *Reader) Back(ctx context.Context, s *Scope, from, after store.Pos, limit int, match Match) (Page, error) {
	w := walk{reader: r, scope: s, limit: limit, match: match, at: min(from, s.horizon())}
	w.past = func(e *live.Event) store.Pos { return e.Pos - 1 }
	w.memory = func(n int) ([]*live.Event, bool) {
		tail, ok := s.Room.Tail(after, w.at, n)
		slices.Reverse(tail)
		return tail, ok
	}
	w.store = func(v store.View, n int) ([]store.Event, error) {
		return v.TimelineBefore(s.Room.Num, w.at, after, n)
	}
	return w.run(ctx)
}

// Forward returns the oldest visible events with from < Pos <= until that match,
// oldest first and at most limit.
func (r *Reader) Forward(ctx context.Context, s *Scope, from, until store.Pos, limit int, match Match) (Page, error) {
	until = min(until, s.horizon())
	w := walk{reader: r, scope: s, limit: limit, match: match, at: from}
	w.past = func(e *live.Event) store.Pos { return e.Pos }
	w.memory = func(n int) ([]*live.Event, bool) { return s.Room.TailAfter(w.at, until, n) }
	w.store = func(v store.View, n int) ([]store.Event, error) {
		return v.TimelineAfter(s.Room.Num, w.at, until, n)
	}
	return w.run(ctx)
}

// walk is the making of one page.
type walk struct {
	reader *Reader
	scope  *Scope
	limit  int
	match  Match
	at     store.Pos                                    // how far the walk has come
	past   func(*live.Event) store.Pos                  // the position beyond an event
	memory func(n int) ([]*live.Event, bool)            // the next n events, if memory has them
	store  func(store.View, int) ([]store.Event, error) // the same from the store
}

// run reads chunks until the page is full and it is known whether there is more.
func (w *walk) run(ctx context.Context) (Page, error) {
	page := Page{Next: w.at}
	n, scanned := w.limit+1, 0
	for !page.More {
		n = min(n, maxChunk)
		chunk, err := w.chunk(ctx, n)
		if err != nil {
			return Page{}, err
		}
		for _, e := range chunk {
			w.at = w.past(e)
			wanted := w.scope.Sees(e) && (w.match == nil || w.match(e.Event))
			if wanted && len(page.Events) == w.limit {
				page.More = true
				break
			}
			if wanted {
				page.Events = append(page.Events, e)
			}
			if wanted || len(page.Events) < w.limit {
				page.Next = w.at
			}
		}
		if len(chunk) < n {
			break
		}
		if scanned += n; scanned >= maxScan {
			page.More = true
		}
		n *= 2
	}
	return page, w.reader.Link(ctx, w.scope.Room, page.Events)
}

// chunk returns the next n events, fewer at the end, and sees to it that the scope
// knows them.
func (w *walk) chunk(ctx context.Context, n int) ([]*live.Event, error) {
	chunk, ok := w.memory(n)
	if ok && w.knows(chunk) {
		return chunk, nil
	}
	return chunk, w.reader.Memory.View(ctx, func(v store.View) error {
		if !ok {
			rows, err := w.store(v, n)
			if err != nil {
				return err
			}
			if chunk, err = live.ParseAll(w.scope.Room.Version, rows); err != nil {
				return err
			}
			if len(chunk) <= w.limit+1 { // most of it will be served
				if err := live.Link(v, w.scope.Room.Version, chunk); err != nil {
					return err
				}
			}
		}
		if !w.knows(chunk) {
			return w.scope.Load(v)
		}
		return nil
	})
}

// knows reports whether the scope can decide about all of the events.
func (w *walk) knows(chunk []*live.Event) bool {
	if len(chunk) == 0 {
		return true
	}
	return w.scope.Knows(min(chunk[0].Pos, chunk[len(chunk)-1].Pos) - 1)
}
