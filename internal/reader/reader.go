package reader

import (
	"context"
	"errors"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Reader reads rooms on behalf of users. Its methods are safe for concurrent use.
type Reader struct {
	Memory *live.Memory
	Signer *events.Signer // for the raw format of events
	Now    func() time.Time
	// Erased returns the position at which a user was erased, 0 for all others;
	// nil: nobody was.
	Erased func(events.UserID) store.Pos
}

// Access is a user's permission to read a room.
type Access struct {
	*Scope
	// Until is the position whose state they may read: that of their leaving,
	// or store.MaxPos for those who may read the room as it is.
	Until store.Pos
}

// Joined reports whether the user is in the room now.
func (a *Access) Joined() bool { return a.Membership() == events.MembershipJoin }

// AsMember is Until for what only members may read, and those who were members
// until they left: 0 for all others, also while the room is world-readable.
func (a *Access) AsMember() store.Pos {
	if a.Joined() {
		return store.MaxPos
	}
	return a.LastLeft()
}

// Enter decides whether a user may read a room: members may, those who were until
// they left, and everybody while it is world-readable (STATE-4, READ-17, READ-21,
// VIS-5, VIS-8). The refusal is M_FORBIDDEN also for rooms that do not exist and
// for those that the user has forgotten (MEMB-32).
func (r *Reader) Enter(ctx context.Context, user events.UserID, id events.RoomID) (*Access, error) {
	s, err := r.Look(ctx, user, id)
	if err != nil {
		return nil, err
	}
	a := &Access{Scope: s, Until: store.MaxPos}
	if a.Joined() || a.WorldReadable() {
		return a, nil
	}
	if a.Until = a.AsMember(); a.Until == 0 {
		return nil, notInRoom(user, id)
	}
	return a, nil
}

// Look returns the view of a room that anybody has, without asking whether they may
// read it: there may be single events that they see. The scope is loaded unless the
// user is joined. A user who has forgotten the room has never been in it. Rooms that
// do not exist are M_FORBIDDEN.
func (r *Reader) Look(ctx context.Context, user events.UserID, id events.RoomID) (*Scope, error) {
	room, err := r.Memory.Room(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notInRoom(user, id)
	}
	if err != nil {
		return nil, err
	}
	s := NewScope(room, user)
	if s.loaded || s.Membership() == events.MembershipJoin {
		return s, nil
	}
	err = r.Memory.View(ctx, func(v store.View) error {
		row, err := v.Member(user, room.Num)
		if err != nil {
			return err
		}
		if row.Forgotten {
			s.forget()
			return nil
		}
		return s.Load(v)
	})
	return s, err
}

func notInRoom(user events.UserID, id events.RoomID) error {
	return mxerr.Forbidden("%s is not in room %s", user, id)
}

// Link gives events of one room the links they lack; see live.Link.
func (r *Reader) Link(ctx context.Context, room *live.Room, list []*live.Event) error {
	if live.Complete(list) {
		return nil
	}
	return r.Memory.View(ctx, func(v store.View) error { return live.Link(v, room.Version, list) })
}

// Event returns an event of a room that the user sees. M_NOT_FOUND, also if it is
// in another room or hidden (READ-1).
func (r *Reader) Event(ctx context.Context, s *Scope, id events.EventID) (*live.Event, error) {
	var e *live.Event
	err := r.Memory.View(ctx, func(v store.View) error {
		row, err := v.Event(id)
		if err != nil {
			return err
		}
		if row.Room != s.Room.Num {
			return store.ErrNotFound
		}
		if e, err = live.Parse(s.Room.Version, row); err != nil {
			return err
		}
		if !s.Knows(e.Pos - 1) {
			if err := s.Load(v); err != nil {
				return err
			}
		}
		if !s.Sees(e) {
			return store.ErrNotFound
		}
		one := []*live.Event{e}
		err = live.Link(v, s.Room.Version, one)
		e = one[0]
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerr.NotFound("event %s is not known in this room", id)
	}
	return e, err
}
