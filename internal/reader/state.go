package reader

import (
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// StateAt returns the linked state of a room as it was right after a position, in
// no particular order and without members if members is false.
func (r *Reader) StateAt(ctx context.Context, room *live.Room, at store.Pos, members bool) ([]*live.Event, error) {
	if list, ok := room.StateAt(at, members); ok {
		return list, r.Link(ctx, room, list)
	}
	return r.load(ctx, room, func(v store.View) ([]store.Event, error) { return v.StateAt(room.Num, at, members) }, nil)
}

// StateChanges returns for each key whose state changed with from < Pos <= until
// the last such change, linked and oldest first.
func (r *Reader) StateChanges(ctx context.Context, room *live.Room, from, until store.Pos) ([]*live.Event, error) {
	if list, ok := room.StateChanges(from, until); ok {
		return list, r.Link(ctx, room, list)
	}
	return r.load(ctx, room, func(v store.View) ([]store.Event, error) { return v.StateChanges(room.Num, from, until) }, nil)
}

// MembersAt returns the linked member events of those of the users who had one
// right after a position.
func (r *Reader) MembersAt(ctx context.Context, room *live.Room, at store.Pos, users []events.UserID) ([]*live.Event, error) {
	keys := make([]events.StateKey, len(users))
	for i, u := range users {
		keys[i] = events.StateKey{Type: events.TypeMember, Key: string(u)}
	}
	return r.StateEventsAt(ctx, room, at, keys)
}

// StateEventsAt returns the linked state events of those of the keys that had one
// right after a position.
func (r *Reader) StateEventsAt(ctx context.Context, room *live.Room, at store.Pos, keys []events.StateKey) ([]*live.Event, error) {
	var list []*live.Event
	var unknown []events.StateKey
	for _, k := range keys {
		e, ok := room.StateEventAt(at, k.Type, k.Key)
		switch {
		case !ok:
			unknown = append(unknown, k)
		case e != nil:
			list = append(list, e)
		}
	}
	if err := r.Link(ctx, room, list); err != nil || unknown == nil {
		return list, err
	}
	rest, err := r.load(ctx, room, func(v store.View) ([]store.Event, error) { return v.StateEventsAt(room.Num, at, unknown) }, nil)
	return append(list, rest...), err
}

// AllMembersAt returns the linked member events that were current right after a
// position and are wanted, in no particular order.
func (r *Reader) AllMembersAt(ctx context.Context, room *live.Room, at store.Pos, want func(*live.Event) bool) ([]*live.Event, error) {
	drop := func(e *live.Event) bool { return e.Type != events.TypeMember || !want(e) }
	if list, ok := room.StateAt(at, true); ok {
		list = slices.DeleteFunc(list, drop)
		return list, r.Link(ctx, room, list)
	}
	return r.load(ctx, room, func(v store.View) ([]store.Event, error) { return v.StateAt(room.Num, at, true) }, drop)
}

// load returns events that a room's memory does not have with their links, without
// those to be dropped; nil drops none.
func (r *Reader) load(ctx context.Context, room *live.Room, rows func(store.View) ([]store.Event, error), drop func(*live.Event) bool) ([]*live.Event, error) {
	var list []*live.Event
	err := r.Memory.View(ctx, func(v store.View) error {
		found, err := rows(v)
		if err != nil {
			return err
		}
		if list, err = live.ParseAll(room.Version, found); err != nil {
			return err
		}
		if drop != nil {
			list = slices.DeleteFunc(list, drop)
		}
		return live.Link(v, room.Version, list)
	})
	return list, err
}
