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
	w := walk{reader: r, scope: s, back: true, low: after, high: from, limit: limit, match: match}
	return w.run(ctx)
}

// Forward returns the oldest visible events with from < Pos <= until that match,
// oldest first and at most limit.
func (r *Reader) Forward(ctx context.Context, s *Scope, from, until store.Pos, limit int, match Match) (Page, error) {
	w := walk{reader: r, scope: s, low: from, high: until, limit: limit, match: match}
	return w.run(ctx)
}

// Related is Back or Forward among the events that q wants, between two positions in
// the direction of the walk.
func (r *Reader) Related(ctx context.Context, s *Scope, q store.RelatedQuery, back bool, from, to store.Pos, limit int) (Page, error) {
	w := walk{reader: r, scope: s, back: back, low: from, high: to, limit: limit, query: &q}
	if back {
		w.low, w.high = to, from
	}
	return w.run(ctx)
}

// walk is the making of one page.
type walk struct {
	reader    *Reader
	scope     *Scope
	back      bool
	low, high store.Pos // what is left to walk over: low < Pos <= high
	limit     int
	match     Match
	query     *store.RelatedQuery // nil: the whole timeline
	page      Page
}

// run reads chunks until the page is full and it is known whether there is more.
func (w *walk) run(ctx context.Context) (Page, error) {
	w.page.Next = w.at()
	n, scanned := w.limit+1, 0
	for !w.page.More {
		low, high := w.scope.stretch(w.low, w.high, w.back)
		if low >= high {
			break
		}
		n = min(n, maxChunk)
		chunk, err := w.read(ctx, low, high, n)
		if err != nil {
			return Page{}, err
		}
		w.take(chunk)
		if len(chunk) < n {
			w.pass(low, high)
		}
		if scanned += len(chunk); scanned >= maxScan {
			w.page.More = true
		}
		n *= 2
	}
	return w.page, w.reader.Link(ctx, w.scope.Room, w.page.Events)
}

// at is where the walk stands.
func (w *walk) at() store.Pos {
	if w.back {
		return w.high
	}
	return w.low
}

// pass moves the walk beyond the positions low < Pos <= high.
func (w *walk) pass(low, high store.Pos) {
	if w.back {
		w.high = low
	} else {
		w.low = high
	}
}

// take puts what is wanted of a chunk on the page, until it is full.
func (w *walk) take(chunk []*live.Event) {
	for _, e := range chunk {
		wanted := w.scope.Sees(e) && (w.match == nil || w.match(e.Event))
		full := len(w.page.Events) == w.limit
		if wanted && full {
			w.page.More = true
			return
		}
		w.pass(e.Pos-1, e.Pos)
		if wanted {
			w.page.Events = append(w.page.Events, e)
		}
		if !full {
			w.page.Next = w.at()
		}
	}
}

// read returns the next n events with low < Pos <= high, fewer if there are no
// more, and sees to it that the scope knows them.
func (w *walk) read(ctx context.Context, low, high store.Pos, n int) ([]*live.Event, error) {
	chunk, ok := w.fromMemory(low, high, n)
	if ok && w.knows(chunk) {
		return chunk, nil
	}
	return chunk, w.reader.Memory.View(ctx, func(v store.View) (err error) {
		if !ok {
			if chunk, err = w.fromStore(v, low, high, n); err != nil {
				return err
			}
		}
		if !w.knows(chunk) {
			return w.scope.Load(v)
		}
		return nil
	})
}

func (w *walk) fromMemory(low, high store.Pos, n int) ([]*live.Event, bool) {
	if w.query != nil {
		return nil, false
	}
	if !w.back {
		return w.scope.Room.TailAfter(low, high, n)
	}
	tail, ok := w.scope.Room.Tail(low, high, n)
	slices.Reverse(tail)
	return tail, ok
}

func (w *walk) fromStore(v store.View, low, high store.Pos, n int) ([]*live.Event, error) {
	rows, err := w.rows(v, low, high, n)
	if err != nil {
		return nil, err
	}
	chunk, err := live.ParseAll(w.scope.Room.Version, rows)
	if err != nil || len(chunk) > w.limit+1 { // most of it will not be served
		return chunk, err
	}
	return chunk, live.Link(v, w.scope.Room.Version, chunk)
}

func (w *walk) rows(v store.View, low, high store.Pos, n int) ([]store.Event, error) {
	switch room := w.scope.Room.Num; {
	case w.query != nil && w.back:
		return v.RelationsBefore(*w.query, high, low, n)
	case w.query != nil:
		return v.RelationsAfter(*w.query, low, high, n)
	case w.back:
		return v.TimelineBefore(room, high, low, n)
	default:
		return v.TimelineAfter(room, low, high, n)
	}
}

// knows reports whether the scope can decide about all of the events.
func (w *walk) knows(chunk []*live.Event) bool {
	if len(chunk) == 0 {
		return true
	}
	return w.scope.Knows(min(chunk[0].Pos, chunk[len(chunk)-1].Pos) - 1)
}
