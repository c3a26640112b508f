package reader

import (
	"context"

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
