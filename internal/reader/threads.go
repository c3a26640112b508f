package reader

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// thread is what a user is told of a thread (REL-19, REL-20).
type thread struct {
	latest       store.Pos
	count        int
	participated bool
}

// threads returns the threads of those of the events that are roots of threads of
// which the user sees something, by the position of the root.
func threads(v store.View, s *Scope, ignored map[events.UserID]bool, roots []*live.Event) (map[store.Pos]thread, error) {
	rows, err := v.ThreadParticipants(positionsOf(roots))
	if err != nil || rows == nil {
		return nil, err
	}
	found := map[store.Pos]thread{}
	for _, p := range rows {
		t := found[p.Root]
		if !ignored[p.User] {
			t.count += p.Events
			t.latest = max(t.latest, p.Latest)
		}
		t.participated = t.participated || p.User == s.User
		found[p.Root] = t
	}
	for _, root := range roots {
		t, ok := found[root.Pos]
		if ok && t.count > 0 && !s.SeesAll(root.Pos) {
			if t, err = partOfThread(v, s, ignored, root); err != nil {
				return nil, err
			}
			found[root.Pos] = t
		}
		if t.count == 0 {
			delete(found, root.Pos)
		}
	}
	return found, nil
}

// partOfThread looks at the newest events of a thread for a user who may not see
// all of it.
func partOfThread(v store.View, s *Scope, ignored map[events.UserID]bool, root *live.Event) (thread, error) {
	t := thread{participated: root.Sender == s.User}
	q := store.RelatedQuery{Target: root.Pos, Type: events.RelThread}
	rows, err := v.RelationsBefore(q, s.asOf, 0, maxScan)
	if err != nil {
		return thread{}, err
	}
	list, err := live.ParseAll(s.Room.Version, rows)
	if err != nil {
		return thread{}, err
	}
	for _, e := range list {
		if ignored[e.Sender] || !s.Sees(e) {
			continue
		}
		t.count++
		t.latest = max(t.latest, e.Pos)
		t.participated = t.participated || e.Sender == s.User
	}
	return t, nil
}

// Threads returns the roots of the threads of a room whose newest event is not after
// from, the one with the newest first: of those that the user sees something of, and
// if participated is set takes part in (REL-22, REL-23). The roots by users they
// ignore are pruned.
func (r *Reader) Threads(ctx context.Context, s *Scope, from store.Pos, participated bool, limit int) (Page, error) {
	user := events.UserID("")
	if participated {
		user = s.User
	}
	page := Page{Next: from}
	err := r.Memory.View(ctx, func(v store.View) error {
		ignored, err := Ignored(v, s.User)
		if err != nil {
			return err
		}
		if !s.decides(0) {
			if err := s.Load(v); err != nil {
				return err
			}
		}
		n := min(limit+1, maxChunk)
		for scanned, at := 0, from; !page.More; scanned += n {
			rows, err := v.ThreadsBefore(s.Room.Num, at, user, n)
			if err != nil {
				return err
			}
			roots, err := visibleRoots(v, s, ignored.Users, participated, rows)
			if err != nil {
				return err
			}
			for _, row := range rows {
				root := roots[row.Root]
				if page.More = root != nil && len(page.Events) == limit; page.More {
					return nil
				}
				if at = row.Latest - 1; root != nil {
					page.Events = append(page.Events, root)
				}
				page.Next = at
			}
			if len(rows) < n {
				return nil
			}
			page.More = scanned+n >= maxScan
		}
		return nil
	})
	if err != nil {
		return Page{}, err
	}
	return page, r.Link(ctx, s.Room, page.Events)
}

// visibleRoots returns the roots of those of the threads that the user sees something
// of, by their positions.
func visibleRoots(v store.View, s *Scope, ignored map[events.UserID]bool, participated bool, rows []store.Thread) (map[store.Pos]*live.Event, error) {
	at := make([]store.Pos, len(rows))
	for i, row := range rows {
		at[i] = row.Root
	}
	list, err := eventsAt(v, s, at)
	if err != nil {
		return nil, err
	}
	told, err := threads(v, s, ignored, list)
	if err != nil {
		return nil, err
	}
	visible := map[store.Pos]*live.Event{}
	for _, root := range list {
		if t, ok := told[root.Pos]; !ok || participated && !t.participated {
			continue
		}
		if ignored[root.Sender] {
			pruned, err := root.Redacted()
			if err != nil {
				return nil, err
			}
			e := *root
			e.Event, root = pruned, &e
		}
		visible[root.Pos] = root
	}
	return visible, nil
}

// eventsAt returns those events at positions that the user sees, which must be known
// to the scope, ordered by position.
func eventsAt(v store.View, s *Scope, at []store.Pos) ([]*live.Event, error) {
	rows, err := v.EventsAt(at)
	if err != nil {
		return nil, err
	}
	list, err := live.ParseAll(s.Room.Version, rows)
	if err != nil {
		return nil, err
	}
	seen := list[:0]
	for _, e := range list {
		if s.Sees(e) {
			seen = append(seen, e)
		}
	}
	return seen, nil
}

func positionsOf(list []*live.Event) []store.Pos {
	at := make([]store.Pos, len(list))
	for i, e := range list {
		at[i] = e.Pos
	}
	return at
}
