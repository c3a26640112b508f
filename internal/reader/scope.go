package reader

import (
	"slices"
	"sort"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// Scope is one user's view of one room. It belongs to one request.
type Scope struct {
	Room *live.Room
	User events.UserID

	asOf       store.Pos   // nothing later is seen: what is below need not hold for it
	member     *live.Event // current; nil: never had one
	visibility []live.VisibilitySince
	history    []membershipSince // all memberships, oldest first; valid if loaded
	spans      []span            // nil: not made yet; see seen
	loaded     bool
}

// membershipSince says what a user's membership became at a position.
type membershipSince struct {
	pos   store.Pos
	value string
}

// NewScope makes the scope of a user in a room, from memory.
func NewScope(room *live.Room, user events.UserID) *Scope {
	s := &Scope{Room: room, User: user, asOf: room.Newest()} // in this order: an event may come between
	s.member, s.visibility = room.Member(user), room.Visibility()
	s.loaded = s.member == nil
	return s
}

// forget makes the scope that of somebody who was never in the room.
func (s *Scope) forget() {
	s.member, s.history, s.loaded = nil, nil, true
}

// Member is the user's current member event; nil if they never had one.
func (s *Scope) Member() *live.Event { return s.member }

// Membership is the user's current membership.
func (s *Scope) Membership() string {
	if s.member == nil {
		return events.MembershipLeave
	}
	return s.member.Membership()
}

// WorldReadable reports whether the room is open to everybody now.
func (s *Scope) WorldReadable() bool {
	return s.visibility[len(s.visibility)-1].Value == events.WorldReadable
}

// Knows reports whether the scope can decide about events after a position; if
// not, it has to be loaded.
func (s *Scope) Knows(pos store.Pos) bool {
	if s.loaded {
		return true
	}
	_, ok := s.recentMembership(pos)
	return ok && s.Membership() == events.MembershipJoin
}

// decides reports whether Sees can be asked about an event at a position. That
// takes less than knowing the membership: a member sees all of a history that was
// never closed.
func (s *Scope) decides(pos store.Pos) bool {
	return s.Knows(pos-1) || s.Membership() == events.MembershipJoin && !slices.ContainsFunc(s.visibility,
		func(v live.VisibilitySince) bool {
			return v.Value != events.VisibilityShared && v.Value != events.WorldReadable
		})
}

// SeesAll reports whether the user sees everything after a position, as members do
// who have been there since. It may say no where it is not known.
func (s *Scope) SeesAll(pos store.Pos) bool {
	if s.Membership() != events.MembershipJoin {
		return false
	}
	open := func(v events.Visibility) bool { return v == events.VisibilityShared || v == events.WorldReadable }
	return s.Knows(pos) && s.JoinedThroughout(pos, s.asOf) || open(s.visibilityAt(pos)) &&
		!slices.ContainsFunc(s.visibility, func(v live.VisibilitySince) bool { return v.Pos > pos && !open(v.Value) })
}

// Load reads all of the user's memberships.
func (s *Scope) Load(v store.View) error {
	if s.loaded {
		return nil
	}
	intervals, err := v.StateHistory(s.Room.Num, events.StateKey{Type: events.TypeMember, Key: string(s.User)})
	if err != nil {
		return err
	}
	for _, interval := range intervals {
		e, err := live.Parse(s.Room.Version, interval.Event)
		if err != nil {
			return err
		}
		s.history = append(s.history, membershipSince{interval.From, e.Membership()})
	}
	s.loaded = true
	return nil
}

// recentMembership is MembershipAt from memory, false if that does not reach back.
func (s *Scope) recentMembership(pos store.Pos) (string, bool) {
	m := s.member
	for m != nil && m.Pos > pos {
		if m.Prev == nil && m.Replaces != 0 {
			return "", false
		}
		m = m.Prev
	}
	if m == nil {
		return events.MembershipLeave, true
	}
	return m.Membership(), true
}

// MembershipAt is the user's membership right after a position (EVT-9); "" if the
// scope does not know.
func (s *Scope) MembershipAt(pos store.Pos) string {
	if !s.loaded {
		m, _ := s.recentMembership(pos)
		return m
	}
	i := sort.Search(len(s.history), func(i int) bool { return s.history[i].pos > pos })
	if i == 0 {
		return events.MembershipLeave
	}
	return s.history[i-1].value
}

// joinedAfter reports whether the user was joined at any point after a position.
func (s *Scope) joinedAfter(pos store.Pos) bool {
	if s.Membership() == events.MembershipJoin {
		return true
	}
	for i := len(s.history) - 1; i >= 0 && s.history[i].pos > pos; i-- {
		if s.history[i].value == events.MembershipJoin {
			return true
		}
	}
	return false
}

// JoinedThroughout reports whether the user was joined at one position and without
// interruption up to another. The scope has to know the first.
func (s *Scope) JoinedThroughout(from, until store.Pos) bool {
	if s.MembershipAt(from) != events.MembershipJoin {
		return false
	}
	if !s.loaded {
		for m := s.member; m != nil && m.Pos > from; m = m.Prev {
			if m.Pos <= until && m.Membership() != events.MembershipJoin {
				return false
			}
		}
		return true
	}
	for _, m := range s.history {
		if m.pos > from && m.pos <= until && m.value != events.MembershipJoin {
			return false
		}
	}
	return true
}

// JoinedAt is the position since which the user has been joined without
// interruption; 0 if they are not. The scope must be loaded.
func (s *Scope) JoinedAt() store.Pos {
	var since store.Pos
	for i := len(s.history) - 1; i >= 0 && s.history[i].value == events.MembershipJoin; i-- {
		since = s.history[i].pos
	}
	return since
}

// WasJoined reports whether the user is joined or ever was. The scope must be loaded
// unless they are.
func (s *Scope) WasJoined() bool {
	return s.Membership() == events.MembershipJoin || s.LastLeft() > 0
}

// LastLeft is the position at which the user last ceased to be joined; 0 if they
// never were. The scope must be loaded.
func (s *Scope) LastLeft() store.Pos {
	pos, _ := s.leftBefore(store.MaxPos)
	return pos
}

// ToldBefore is the position up to which a client has been told of the room at least
// whose token is of a position at which the user was not joined; 0 if it never was told.
// That is where the user left. But if they were invited since, or knocked, a client that
// did not come in between has heard of that alone (SYNC-26), perhaps after several stays:
// then it is where they first joined. The scope must be loaded.
func (s *Scope) ToldBefore(pos store.Pos) store.Pos {
	left, i := s.leftBefore(pos)
	if left == 0 || !slices.ContainsFunc(s.history[i:], func(m membershipSince) bool {
		return m.pos <= pos && (m.value == events.MembershipInvite || m.value == events.MembershipKnock)
	}) {
		return left
	}
	i = slices.IndexFunc(s.history, func(m membershipSince) bool { return m.value == events.MembershipJoin })
	return s.history[i].pos
}

// leftBefore is LastLeft as it was at a position, and its index in the history.
func (s *Scope) leftBefore(pos store.Pos) (store.Pos, int) {
	for i := len(s.history) - 1; i > 0; i-- {
		left := s.history[i]
		if s.history[i-1].value == events.MembershipJoin && left.value != events.MembershipJoin && left.pos <= pos {
			return left.pos, i
		}
	}
	return 0, 0
}

// visibilityAt is the history visibility right after a position (VIS-2).
func (s *Scope) visibilityAt(pos store.Pos) events.Visibility {
	i := sort.Search(len(s.visibility), func(i int) bool { return s.visibility[i].Pos > pos })
	return s.visibility[i-1].Value
}

// Sees decides whether the user may see an event (VIS-1 to VIS-5). The scope has
// to know the position before the event.
func (s *Scope) Sees(e *live.Event) bool {
	if e.Pos > s.asOf {
		return false
	}
	later := s.joinedAfter(e.Pos)
	visibility, membership := s.visibilityAt(e.Pos), s.MembershipAt(e.Pos)
	if e.IsState() {
		switch {
		case e.Type == events.TypeMember && *e.StateKey == string(s.User):
			return events.VisibleOwnMember(visibility, s.MembershipAt(e.Pos-1), membership, later)
		case e.Type == events.TypeHistoryVisibility && *e.StateKey == "":
			return events.VisibleChange(s.visibilityAt(e.Pos-1), visibility, membership, later)
		}
	}
	return events.Visible(visibility, membership, later)
}
