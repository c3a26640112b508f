package sync

import (
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// state reads the state that goes with a timeline: all of it, or what has changed
// since the client's token; as it was before the timeline or, with StateAfter, at
// its end (SYNC-19 to SYNC-24).
func (v *visit) state(ctx context.Context, t timeline, until store.Pos, whole bool) ([]*live.Event, error) {
	at := min(t.start, v.end)
	if v.StateAfter != "" {
		at = min(until, v.end)
	}
	filter := &v.Filter.Room.State
	lazy := filter.LazyLoadMembers
	var list []*live.Event
	var err error
	switch {
	case whole:
		if list, err = v.Reader.StateAt(ctx, v.room, at, !lazy); err == nil && lazy && !v.first {
			list, err = v.addChangedMembers(ctx, list, at)
		}
	case t.limited, v.StateAfter != "":
		list, err = v.Reader.StateChanges(ctx, v.room, v.since, at) // SYNC-31: members too
	}
	if err != nil {
		return nil, err
	}
	if lazy {
		if list, err = v.addMembers(ctx, list, t, at, whole); err != nil {
			return nil, err
		}
	}
	if v.StateAfter != "" && v.member.Pos > at { // who has left is told of later own events, a ban for one (SYNC-23)
		list = append(slices.DeleteFunc(list, v.isOwn), v.member)
	}
	list = slices.DeleteFunc(list, func(e *live.Event) bool { return !filter.Match(e.Event) })
	v.introduce(list)
	return list, nil
}

// isOwn reports whether an event is about the user's membership.
func (v *visit) isOwn(e *live.Event) bool {
	return e.Type == events.TypeMember && *e.StateKey == string(v.User)
}

// addChangedMembers adds to a state without members those that have changed since
// the client was told of the room, which may be long before its token if the user has
// been out since: it may know the members as they were then (SYNC-31).
func (v *visit) addChangedMembers(ctx context.Context, list []*live.Event, at store.Pos) ([]*live.Event, error) {
	since := v.since
	if v.scope.MembershipAt(since) != events.MembershipJoin {
		if err := v.Memory.View(ctx, v.scope.Load); err != nil {
			return nil, err
		}
		if since = v.scope.ToldBefore(since); since == 0 { // never told
			return list, nil
		}
	}
	// A client may drop a room that it has left. What it knows is not remembered by
	// room, so it is introduced to everybody again.
	v.known, v.mark = nil, ""
	changes, err := v.Reader.StateChanges(ctx, v.room, since, at)
	for _, e := range changes {
		if e.Type == events.TypeMember {
			list = append(list, e)
		}
	}
	return list, err
}

// addMembers adds to a state without members those that lazy loading wants: the
// senders of the timeline, and with the whole state the user and the heroes
// (SYNC-29, SYNC-30, SYNC-36), but for those that the client knows (SYNC-32).
func (v *visit) addMembers(ctx context.Context, list []*live.Event, t timeline, at store.Pos, whole bool) ([]*live.Event, error) {
	var users []events.UserID
	want := func(u events.UserID) {
		if !slices.Contains(users, u) && !slices.ContainsFunc(list, func(e *live.Event) bool {
			return e.Type == events.TypeMember && *e.StateKey == string(u)
		}) {
			users = append(users, u)
		}
	}
	for _, e := range t.events {
		want(e.Sender)
	}
	if whole {
		want(v.User)
		for _, hero := range v.heroes() {
			want(events.UserID(*hero.StateKey))
		}
	}
	members, err := v.Reader.MembersAt(ctx, v.room, at, users)
	if !whole && !t.limited { // or else the client may have dropped what it knew of the room
		members = slices.DeleteFunc(members, func(e *live.Event) bool {
			_, known := v.known[e.Pos]
			return known
		})
	}
	return append(list, members...), err
}
