package sync

import (
	"context"

	"github.com/ca4c8834/homeserver/events"
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
