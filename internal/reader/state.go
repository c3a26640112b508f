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
	list, ok := room.StateAt(at, members)
	if ok && live.Complete(list) {
		return list, nil
	}
	err := r.Memory.View(ctx, func(v store.View) error {
		if !ok {
			rows, err := v.StateAt(room.Num, at, members)
			if err != nil {
				return err
			}
			if list, err = live.ParseAll(room.Version, rows); err != nil {
				return err
			}
		}
		return live.Link(v, room.Version, list)
	})
	return list, err
}

// StateChanges returns for each key whose state changed with from < Pos <= until
// the last such change, linked and oldest first.
func (r *Reader) StateChanges(ctx context.Context, room *live.Room, from, until store.Pos) ([]*live.Event, error) {
	list, ok := room.StateChanges(from, until)
	if ok && live.Complete(list) {
		return list, nil
	}
	err := r.Memory.View(ctx, func(v store.View) error {
		if !ok {
			rows, err := v.StateChanges(room.Num, from, until)
			if err != nil {
				return err
			}
			if list, err = live.ParseAll(room.Version, rows); err != nil {
				return err
			}
		}
		return live.Link(v, room.Version, list)
	})
	return list, err
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
	if unknown == nil && live.Complete(list) {
		return list, nil
	}
	err := r.Memory.View(ctx, func(v store.View) error {
		if unknown != nil {
			rows, err := v.StateEventsAt(room.Num, at, unknown)
			if err != nil {
				return err
			}
			found, err := live.ParseAll(room.Version, rows)
			if err != nil {
				return err
			}
			list = append(list, found...)
		}
		return live.Link(v, room.Version, list)
	})
	return list, err
}

// AllMembersAt returns the linked member events that were current right after a
// position and are wanted, in no particular order.
func (r *Reader) AllMembersAt(ctx context.Context, room *live.Room, at store.Pos, want func(*live.Event) bool) ([]*live.Event, error) {
	drop := func(e *live.Event) bool { return e.Type != events.TypeMember || !want(e) }
	list, ok := room.StateAt(at, true)
	if list = slices.DeleteFunc(list, drop); ok && live.Complete(list) {
		return list, nil
	}
	err := r.Memory.View(ctx, func(v store.View) error {
		if !ok {
			rows, err := v.StateAt(room.Num, at, true)
			if err != nil {
				return err
			}
			if list, err = live.ParseAll(room.Version, rows); err != nil {
				return err
			}
			list = slices.DeleteFunc(list, drop)
		}
		return live.Link(v, room.Version, list)
	})
	return list, err
}
