package sync

import (
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
)

const typeAvatar = "m.room.avatar"

// state reads the state that is asked for: all of it if the client does not have it,
// or else what has changed (SLIDE-27, SLIDE-33).
func (g *glance) state(ctx context.Context) ([]*live.Event, error) {
	var list []*live.Event
	var err error
	if g.initial || g.raised {
		list, err = g.allState(ctx)
	} else {
		list, err = g.stateChanges(ctx)
	}
	if err != nil || !g.want.lazy {
		return list, err
	}
	users, err := g.concerned(ctx)
	if err != nil {
		return nil, err
	}
	users = slices.DeleteFunc(users, func(u events.UserID) bool {
		return slices.ContainsFunc(list, func(e *live.Event) bool { return e.Type == events.TypeMember && *e.StateKey == string(u) })
	})
	members, err := g.Reader.MembersAt(ctx, g.room, g.end, users)
	return append(list, members...), err
}

// allState reads everything that is asked for.
func (g *glance) allState(ctx context.Context) ([]*live.Event, error) {
	search, members := g.want.searches()
	if search {
		list, err := g.Reader.StateAt(ctx, g.room, g.end, members)
		list = slices.DeleteFunc(list, func(e *live.Event) bool { return !g.want.wants(e.Type, *e.StateKey) })
		if err != nil || members {
			return list, err
		}
		own, err := g.Reader.StateEventsAt(ctx, g.room, g.end, g.want.memberKeys())
		return append(list, own...), err
	}
	return g.Reader.StateEventsAt(ctx, g.room, g.end, g.want.exactKeys())
}

// stateChanges reads what has changed of what is asked for, also by redaction, and
// all changes of members if they are loaded lazily and the client has missed nothing
// (SLIDE-25).
func (g *glance) stateChanges(ctx context.Context) ([]*live.Event, error) {
	list, err := g.Reader.StateChanges(ctx, g.room, g.was.pos, g.end)
	if err != nil {
		return nil, err
	}
	allMembers := g.want.lazy && !g.page.limited
	list = slices.DeleteFunc(list, func(e *live.Event) bool {
		return !g.want.wants(e.Type, *e.StateKey) && !(allMembers && e.Type == events.TypeMember)
	})
	if g.room.StateChanged() <= g.was.pos || g.end < g.until {
		return list, nil
	}
	for _, e := range g.room.State(false) {
		if e.RedactedBy > g.was.pos && e.Pos <= g.was.pos && g.want.wants(e.Type, *e.StateKey) {
			list = append(list, e)
		}
	}
	return list, nil
}

// concerned lists those whom the timeline is about: who has sent its events, and
// whose membership they change.
func (g *glance) concerned(ctx context.Context) ([]events.UserID, error) {
	page := g.page
	if g.raised && !g.was.interest.lazy && !g.expanded { // the client has a timeline without its members
		var err error
		if page, err = g.newest(ctx, 0); err != nil {
			return nil, err
		}
	}
	var users []events.UserID
	seen := map[events.UserID]bool{}
	add := func(u events.UserID) {
		if !seen[u] {
			seen[u] = true
			users = append(users, u)
		}
	}
	for _, e := range page.events {
		add(e.Sender)
		if e.Type == events.TypeMember && e.IsState() {
			add(events.UserID(*e.StateKey))
		}
	}
	return users, nil
}
