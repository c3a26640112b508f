package devicelist

import (
	"errors"
	"maps"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Changes are the users whose devices are to be fetched anew and those who need
// not be followed any more, each in order. Nobody is in both (DL-14).
type Changes struct {
	Changed, Left []events.UserID
}

// Since returns what has changed for a user after a position, as of the View.
// rooms are those in which a membership has changed after the position, or
// more; [Rooms] finds them for callers who don't know.
func Since(v store.View, user events.UserID, since store.Pos, rooms []store.RoomNum) (Changes, error) {
	r := reader{View: v, user: user, since: since, changed: set{}, met: set{}, gone: set{}}
	for _, room := range rooms {
		if err := r.room(room); err != nil {
			return Changes{}, err
		}
	}
	rows, err := v.DeviceListChanges(user, since)
	if err != nil {
		return Changes{}, err
	}
	for _, row := range rows {
		if row.Audience == user || row.User == user {
			r.changed.add(row.User) // DL-2: also without a room
		} else {
			r.met.add(row.User)
		}
	}
	return r.result()
}

// Rooms returns the rooms in which something has happened after a position that
// a user is or was in.
func Rooms(v store.View, user events.UserID, since store.Pos) ([]store.RoomNum, error) {
	members, err := v.RoomsOf(user)
	if err != nil {
		return nil, err
	}
	newest, err := v.NewestEvents(user)
	if err != nil {
		return nil, err
	}
	var rooms []store.RoomNum
	for _, m := range members {
		if max(m.Pos, newest[m.Room]) > since {
			rooms = append(rooms, m.Room)
		}
	}
	return rooms, nil
}

type set map[events.UserID]struct{}

func (s set) add(user events.UserID) { s[user] = struct{}{} }

// reader collects what has changed for a user.
type reader struct {
	store.View
	user  events.UserID
	since store.Pos

	changed set // have changed, or share a room since
	met     set // have changed, which matters if they share a room
	gone    set // have left a room of the user's, or the user one of theirs
}

// result sorts out who shares a room now.
func (r *reader) result() (Changes, error) {
	var out Changes
	var asked []events.UserID
	for _, users := range []set{r.met, r.gone} {
		for user := range users {
			if _, ok := r.changed[user]; !ok {
				asked = append(asked, user)
			}
		}
	}
	shared, err := r.SharingRoom(r.user, asked)
	if err != nil {
		return out, err
	}
	for _, user := range shared {
		if _, ok := r.met[user]; ok {
			r.changed.add(user)
		}
		delete(r.gone, user)
	}
	for user := range r.changed {
		delete(r.gone, user)
	}
	out.Changed = slices.Sorted(maps.Keys(r.changed))
	out.Left = slices.Sorted(maps.Keys(r.gone))
	return out, nil
}

// room looks for those who came and went, or the user did.
func (r *reader) room(room store.RoomNum) error {
	now, err := r.StateEventAt(room, store.MaxPos, memberKey(r.user))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	is := membership(now) == events.MembershipJoin
	was := is
	if now.Pos > r.since {
		then, err := r.StateEventAt(room, r.since, memberKey(r.user))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		was = membership(then) == events.MembershipJoin
	}
	if is && was {
		if err := r.others(room); err != nil {
			return err
		}
	}
	switch {
	case is && (!was || now.Replaces > r.since): // came, or was away in between (DL-9, DL-14)
		return r.members(room, store.MaxPos, r.changed, events.MembershipJoin, events.MembershipInvite)
	case was && !is: // DL-12
		return r.members(room, r.since, r.gone, events.MembershipJoin)
	}
	return nil
}

// others looks for changes of other members of a room that the user is in.
func (r *reader) others(room store.RoomNum) error {
	state, err := r.StateChanges(room, r.since, store.MaxPos)
	if err != nil {
		return err
	}
	changes := make(map[events.UserID]store.Event)
	var keys []events.StateKey
	for _, ev := range state {
		if user, ok := member(ev); ok && user != r.user {
			changes[user] = ev
			keys = append(keys, memberKey(user))
		}
	}
	old, err := r.StateEventsAt(room, r.since, keys)
	if err != nil {
		return err
	}
	before := make(map[events.UserID]string)
	for _, ev := range old {
		user, _ := member(ev)
		before[user] = membership(ev)
	}
	for user, ev := range changes {
		was, is := before[user], membership(ev)
		switch {
		case is == events.MembershipJoin:
			// What replaces something as new may be the return of somebody who
			// had left (DL-14); the rest are changes of a profile.
			if was != is || ev.Replaces > r.since {
				r.changed.add(user) // DL-9
			}
		case is == events.MembershipInvite:
			if was != is {
				r.changed.add(user) // DL-10
			}
		case was == events.MembershipJoin:
			r.gone.add(user) // DL-12
		}
	}
	return nil
}

// members adds those with one of the memberships at a position to a set, but
// for the user.
func (r *reader) members(room store.RoomNum, at store.Pos, to set, memberships ...string) error {
	state, err := r.StateAt(room, at, true)
	for _, ev := range state {
		if user, ok := member(ev); ok && user != r.user && slices.Contains(memberships, membership(ev)) {
			to.add(user)
		}
	}
	return err
}

func memberKey(user events.UserID) events.StateKey {
	return events.StateKey{Type: events.TypeMember, Key: string(user)}
}

// member returns whom a member event is about.
func member(ev store.Event) (events.UserID, bool) {
	fields := gjson.GetManyBytes(ev.JSON, "type", "state_key")
	return events.UserID(fields[1].Str), fields[0].Str == events.TypeMember
}

// membership is empty for no event.
func membership(ev store.Event) string { return gjson.GetBytes(ev.JSON, "content.membership").Str }
