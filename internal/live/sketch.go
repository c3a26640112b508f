package live

import (
	"context"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Sketch is Look for somebody in a room who is to be told what goes on there and not
// who all its members are. A room that is not in memory is read without the most of
// them: it has the user, the senders of the newest events, of which there are so many
// as asked for, and the heroes. Count and Heroes are right all the same, and so is
// what the methods that take a position return, which say if they don't know; others
// must not be asked about members but the user.
func (m *Memory) Sketch(ctx context.Context, id events.RoomID, user events.UserID, newest int) (*Room, error) {
	m.mu.Lock()
	e := m.rooms[id]
	m.mu.Unlock()
	if e != nil {
		return m.Look(ctx, id)
	}
	var r *Room
	err := m.store.View(ctx, func(v store.View) error {
		row, err := v.Room(id)
		if err != nil {
			return err
		}
		r, err = sketch(v, row, user, newest)
		return err
	})
	return r, err
}

func sketch(v store.View, row store.Room, user events.UserID, newest int) (*Room, error) {
	r, err := loadBut(v, row, newest)
	if err != nil {
		return nil, err
	}
	if err := r.loadState(v, false); err != nil {
		return nil, err
	}
	if r.count, err = v.MemberCounts(r.Num); err != nil {
		return nil, err
	}
	heroes, err := r.candidates(v)
	if err != nil {
		return nil, err
	}
	keys := []events.StateKey{{Type: events.TypeMember, Key: string(user)}}
	for _, u := range heroes {
		keys = append(keys, events.StateKey{Type: events.TypeMember, Key: string(u)})
	}
	for _, e := range r.tail {
		if k := (events.StateKey{Type: events.TypeMember, Key: string(e.Sender)}); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	members, err := v.StateEventsAt(r.Num, store.MaxPos, keys)
	if err != nil {
		return nil, err
	}
	for _, row := range members {
		e := []*Event{r.inTail(row.Pos)}
		if e[0] == nil {
			if e[0], err = Parse(r.Version, row); err != nil {
				return nil, err
			}
		}
		if *e[0].StateKey == string(user) { // is looked at first of all
			if err := Link(v, r.Version, e); err != nil {
				return nil, err
			}
		}
		r.members[*e[0].StateKey] = e[0]
		r.changed = max(r.changed, e[0].Pos)
	}
	r.sketch = true
	return r, nil
}

// candidates returns those among whom Heroes are found: the first members who are
// present and, where the user is alone, the first who have gone.
func (r *Room) candidates(v store.View) ([]events.UserID, error) {
	memberships := []string{events.MembershipJoin, events.MembershipInvite}
	if r.count[events.MembershipJoin]+r.count[events.MembershipInvite] < 2 {
		memberships = append(memberships, events.MembershipLeave, events.MembershipBan)
	}
	var all []events.UserID
	for _, membership := range memberships {
		if r.count[membership] == 0 {
			continue
		}
		first, err := v.FirstMembers(r.Num, membership, heroesMax)
		if err != nil {
			return nil, err
		}
		all = append(all, first...)
	}
	return all, nil
}
