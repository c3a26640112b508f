package room

import (
	"context"
	"math"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// Bounds of a transaction of DeleteForgotten: little enough that others need not wait
// for long.
const (
	forgottenAtOnce = 100
	purgedAtOnce    = 100
)

// Forgetting is what becomes of rooms that people have left.
type Forgetting struct {
	// UponLeave forgets a room for everybody who leaves it, is removed or banned
	// (MEMB-34).
	UponLeave bool
	// DeleteAfter is how long nothing may have happened in a room before it is
	// deleted because all who were in it have forgotten it (MEMB-35); 0: it never is.
	DeleteAfter time.Duration
}

// DeleteForgotten deletes the rooms that are due, as Forgetting says, and what is left
// of such as were deleted before. It ends between two transactions when ctx does, and
// goes on the next time.
func (s *Service) DeleteForgotten(ctx context.Context) error {
	if s.Forgetting.DeleteAfter > 0 {
		if err := s.deleteForgotten(ctx); err != nil {
			return err
		}
	}
	for more := true; more; {
		err := s.Memory.Update(ctx, func(tx *live.Tx) (err error) {
			more, err = tx.PurgeRooms(purgedAtOnce)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) deleteForgotten(ctx context.Context) error {
	for after := store.RoomNum(0); ; {
		var rooms, due []store.Room
		err := s.Memory.View(ctx, func(v store.View) (err error) {
			if rooms, err = v.ForgottenRooms(after, forgottenAtOnce); err != nil {
				return err
			}
			due, err = s.due(v, rooms)
			return err
		})
		if err != nil || len(rooms) == 0 {
			return err
		}
		for _, r := range due {
			if err := s.deleteAbandoned(ctx, r.ID); err != nil {
				return err
			}
		}
		after = rooms[len(rooms)-1].Num
	}
}

// due returns those of the rooms in which nothing has happened for long enough: who has
// left one on one device is still told so on another (MEMB-33).
func (s *Service) due(v store.View, rooms []store.Room) (due []store.Room, err error) {
	last := s.Now().Add(-s.Forgetting.DeleteAfter).UnixMilli()
	for _, r := range rooms {
		if _, known := events.LookupVersion(r.Version); !known { // nobody can say what is in it
			continue
		}
		newest, err := v.MomentsBefore(r.Num, store.Moment{TS: math.MaxInt64}, 1)
		if err != nil {
			return nil, err
		}
		if len(newest) == 0 || newest[0].TS <= last {
			due = append(due, r)
		}
	}
	return due, nil
}

// deleteAbandoned deletes a room if all have forgotten it; if not, there is nothing to
// be done until somebody else does.
func (s *Service) deleteAbandoned(ctx context.Context, id events.RoomID) error {
	return s.inRoom(ctx, id, nil, func(tx *live.Tx, d *live.Draft) error {
		abandoned, err := tx.Abandoned(d.Num)
		switch {
		case err != nil:
			return err
		case abandoned:
			return tx.DeleteRoom(d)
		}
		return tx.KeepRoom(d.Num)
	})
}
