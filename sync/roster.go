package sync

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// roster is the lists of a connection, each with the rooms that match its filters.
// It follows the rooms as they are now, whatever the client has been told, and can
// be made anew at any time.
type roster struct {
	upTo    store.Pos // changes up to here are in it
	from    store.Pos // live.User.From, before which nobody has noticed what was forgotten
	forgets int       // live.User.Forgets at that time
	lists   map[string]*roll
	at      map[store.RoomNum]store.Pos // where the rooms are in the lists
	sieve   *sieve
}

// roll is one list.
type roll struct {
	filters SlidingFilters
	// rooms are ordered by their newest events, the newest last: that is where
	// rooms move to.
	rooms []rank
}

// rank is a room in the order of newest events.
type rank struct {
	event store.Pos
	room  store.RoomNum
}

func (r *roster) size() int {
	n := len(r.at)
	for _, l := range r.lists {
		n += len(l.rooms) / 4
	}
	return n
}

// find returns where a room with its newest event at a position is or would be.
func (l *roll) find(event store.Pos) (int, bool) {
	return slices.BinarySearchFunc(l.rooms, event, func(r rank, pos store.Pos) int { return cmp.Compare(r.event, pos) })
}

// place returns the place of a room from the newest on; false if it is not in the
// list.
func (l *roll) place(event store.Pos) (int, bool) {
	i, ok := l.find(event)
	return len(l.rooms) - 1 - i, ok
}

// window returns the rooms in the windows of a list.
func (l *roll) window(ranges [][2]int) []rank {
	if ranges == nil {
		return l.rooms
	}
	var out []rank
	n := len(l.rooms)
	for _, r := range merged(ranges) {
		if r[0] < n {
			out = append(out, l.rooms[n-1-min(r[1], n-1):n-r[0]]...)
		}
	}
	return out
}

// follow brings the roster up to the present, for the lists that are asked for.
func (s *slide) follow(ctx context.Context) (err error) {
	r := &s.conn.roster
	defer func() {
		if err != nil || len(s.Lists) == 0 {
			*r = roster{}
		}
	}()
	if len(s.Lists) == 0 {
		if s.resettled(0) { // a room may have been subscribed to all the time
			s.conn.gone++
		}
		return nil
	}
	if !s.followable() {
		return s.list(ctx)
	}
	for _, c := range s.user.RoomsSince(r.upTo) {
		if r.at[c.Num] == c.Event && c.Pos > c.Event { // nothing that lists depend on
			continue
		}
		if r.sieve.depends[c.ID] {
			return s.list(ctx)
		}
		if err := s.move(ctx, &c); err != nil {
			return err
		}
	}
	r.upTo = s.until
	return nil
}

// followable reports whether the roster is for these lists and needs nothing but the
// rooms that have changed.
func (s *slide) followable() bool {
	r := &s.conn.roster
	if r.lists == nil || len(r.lists) != len(s.Lists) || r.from != s.user.From || r.forgets != s.user.Forgets() {
		return false
	}
	for name, l := range s.Lists {
		if r.lists[name] == nil || !r.lists[name].filters.equal(&l.Filters) {
			return false
		}
	}
	return !s.resettled(r.upTo)
}

// resettled reports whether account data that says which rooms are listed has changed
// since a position.
func (s *slide) resettled(since store.Pos) bool {
	return slices.ContainsFunc(s.data, func(d store.AccountDatum) bool {
		return d.Pos > since && (d.Type == typeIgnoredUsers || d.Type == typeInvitePermission || d.Type == typeTag || d.Type == typeDirect)
	})
}

// move puts a room that has changed where it belongs.
func (s *slide) move(ctx context.Context, c *live.RoomChange) error {
	r := &s.conn.roster
	listed, err := s.listed(ctx, c)
	if err != nil {
		return err
	}
	old := r.at[c.Num]
	for _, l := range r.lists {
		i, was := l.find(old)
		if was = was && old > 0; was {
			l.rooms = slices.Delete(l.rooms, i, i+1)
		}
		matches := listed
		if matches {
			if matches, err = s.matches(ctx, &l.filters, c); err != nil {
				return err
			}
		}
		switch {
		case matches:
			i, _ := l.find(c.Event)
			l.rooms = slices.Insert(l.rooms, i, rank{c.Event, c.Num})
		case was:
			s.conn.gone++
		}
	}
	if listed {
		r.at[c.Num] = c.Event
	} else {
		delete(r.at, c.Num)
	}
	return nil
}

// list makes the roster.
func (s *slide) list(ctx context.Context) error {
	r := &s.conn.roster
	s.conn.gone++
	*r = roster{upTo: s.until, from: s.user.From, forgets: s.user.Forgets(), lists: map[string]*roll{}}
	var err error
	if r.sieve, err = s.newSieve(ctx); err != nil {
		return err
	}
	for name, l := range s.Lists {
		r.lists[name] = &roll{filters: l.Filters}
	}
	all := s.user.RoomsSince(0)
	r.at = make(map[store.RoomNum]store.Pos, len(all))
	for i := range all {
		listed, err := s.listed(ctx, &all[i])
		if err != nil {
			return err
		}
		if listed {
			r.at[all[i].Num] = all[i].Event
		}
	}
	for _, l := range r.lists {
		for i := range all {
			c := &all[i]
			matches := r.at[c.Num] != 0
			if matches {
				if matches, err = s.matches(ctx, &l.filters, c); err != nil {
					return err
				}
			}
			if matches {
				l.rooms = append(l.rooms, rank{c.Event, c.Num})
			}
		}
		slices.SortFunc(l.rooms, func(a, b rank) int { return cmp.Compare(a.event, b.event) })
	}
	return nil
}

// listed reports whether a room may be in lists at all (SLIDE-16, SLIDE-17). It is made one
// that the user has left if they are to be told that and nothing of an invite.
func (s *slide) listed(ctx context.Context, c *live.RoomChange) (bool, error) {
	was, known := s.conn.rooms[c.Num]
	switch c.Membership {
	case events.MembershipJoin, events.MembershipKnock:
		return true, nil
	case events.MembershipInvite:
		set := s.memo.settings
		if !set.blockInvites && len(set.ignored.Users) == 0 {
			return true, nil
		}
		if set.blockInvites && !known {
			return false, nil
		}
		room, err := s.Memory.Room(ctx, c.ID)
		if errors.Is(err, store.ErrNotFound) { // the invite was taken back, and the room deleted
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if member := room.Member(s.User); member == nil || !set.withholds(member.Sender) {
			return true, nil
		}
		left, err := s.leftUnseen(ctx, room)
		if left == 0 || err != nil {
			return false, err
		}
		c.Membership = events.MembershipLeave
		return true, nil
	}
	switch {
	case known && was.pos < c.Event: // that it is over is still to be told, as in /sync (AMB-5)
		return true, nil
	case c.Forgotten:
		return false, nil
	}
	return known || c.Removed, nil
}

// in says why a room is in the answer, if it is.
func (s *slide) in(ctx context.Context, c *live.RoomChange) (in source, err error) {
	if s.asked.rooms[c.ID] != nil {
		if in.subscribed, err = s.listed(ctx, c); err != nil { // SLIDE-14
			return source{}, err
		}
	}
	event, ok := s.conn.roster.at[c.Num]
	if !ok {
		return in, nil
	}
	for name, l := range s.conn.roster.lists {
		if i, ok := l.place(event); ok && s.Lists[name].contains(i) {
			in.lists = append(in.lists, name)
		}
	}
	slices.Sort(in.lists)
	return in, nil
}
