package sync

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// leaveUnseen tells of a room to which the user has an invite that is withheld: that they
// have left, if that is new to the client.
func (v *visit) leaveUnseen(ctx context.Context) error {
	if v.first || v.member.Pos <= v.since {
		return nil
	}
	if err := v.Memory.View(ctx, v.scope.Load); err != nil {
		return err
	}
	left := v.scope.LastLeft()
	if left <= v.since {
		return nil
	}
	members, err := v.Reader.MembersAt(ctx, v.room, left, []events.UserID{v.User})
	if err != nil {
		return err
	}
	v.member = members[0]
	return v.leave(ctx, false)
}

// leaveUnseen is the same for sliding sync, and reports whether it has told. The client
// does not know the invite then; it is told of it if it is not withheld any more.
func (g *glance) leaveUnseen(ctx context.Context) (bool, error) {
	left, err := g.leftUnseen(ctx, g.room)
	if left == 0 || err != nil {
		return false, err
	}
	members, err := g.Reader.MembersAt(ctx, g.room, left, []events.UserID{g.User})
	if err != nil {
		return false, err
	}
	g.member, g.now.pos = members[0], left
	g.conn.roster.forgets = -1 // listed for the last time
	return true, g.left(ctx)
}

// leftUnseen returns where the user last left a room that the client believes them to be
// in or invited to; 0 if it does not.
func (s *slide) leftUnseen(ctx context.Context, room *live.Room) (store.Pos, error) {
	was, known := s.conn.rooms[room.Num]
	if !known {
		return 0, nil
	}
	scope := reader.NewScope(room, s.User)
	if err := s.Memory.View(ctx, scope.Load); err != nil {
		return 0, err
	}
	if left := scope.LastLeft(); was.pos < left && left <= s.until {
		return left, nil
	}
	return 0, nil
}

// knock tells of a room that the user has knocked on.
func (v *visit) knock() { v.stripped("knock", "knock_state") }

func (v *visit) stripped(part, name string) {
	w := v.begin(part)
	w.key(name)
	w.open('{')
	w.key("events")
	w.raw(reader.AppendStripped(nil, v.room, store.MaxPos, v.member))
	w.close('}')
	w.close('}')
}
