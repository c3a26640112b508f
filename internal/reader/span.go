package reader

import (
	"slices"
	"sort"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// span is a stretch of positions, both ends included, that may hold events the
// user sees.
type span struct{ from, to store.Pos }

// minGap is how many hidden positions between two spans are worth skipping: fewer
// are read faster than a second page of the store.
const minGap = 500

// seen returns the spans outside of which the user sees nothing, in order. Whoever
// walks over a long time in which they were not in the room skips it, whatever has
// happened there. The scope is loaded.
func (s *Scope) seen() []span {
	if s.spans != nil {
		return s.spans
	}
	changes := make([]store.Pos, 0, len(s.history)+len(s.visibility)+1)
	for _, v := range s.visibility {
		changes = append(changes, v.Pos)
	}
	for _, m := range s.history {
		changes = append(changes, m.pos)
	}
	slices.Sort(changes)
	s.spans = []span{}
	for i, pos := range changes {
		if pos > 0 && s.seesChange(pos) {
			s.addSpan(pos, pos)
		}
		to := s.asOf
		if i+1 < len(changes) {
			to = changes[i+1] - 1
		}
		// Nothing changes from here until there, so what holds at one position
		// holds at all.
		if pos < to && events.Visible(s.visibilityAt(pos), s.MembershipAt(pos), s.joinedAfter(pos)) {
			s.addSpan(pos+1, to)
		}
	}
	return s.spans
}

// seesChange decides about the event at a position at which the user's membership or
// the visibility changes.
func (s *Scope) seesChange(pos store.Pos) bool {
	v, m, later := s.visibilityAt(pos), s.MembershipAt(pos), s.joinedAfter(pos)
	return events.VisibleChange(s.visibilityAt(pos-1), v, m, later) || events.VisibleOwnMember(v, s.MembershipAt(pos-1), m, later)
}

func (s *Scope) addSpan(from, to store.Pos) {
	if n := len(s.spans); n > 0 && from-s.spans[n-1].to <= minGap {
		s.spans[n-1].to = to
		return
	}
	s.spans = append(s.spans, span{from, to})
}

// stretch returns the first part of the positions low < Pos <= high, from either
// end, that the user may see something of: again without its low end. There is
// nothing left if it is empty.
func (s *Scope) stretch(low, high store.Pos, back bool) (store.Pos, store.Pos) {
	high = min(high, s.asOf)
	if !s.loaded {
		return low, high
	}
	spans := s.seen()
	i := sort.Search(len(spans), func(i int) bool { return spans[i].to > low })
	if back {
		i = sort.Search(len(spans), func(i int) bool { return spans[i].from > high }) - 1
	}
	if i < 0 || i == len(spans) {
		return low, low
	}
	return max(low, spans[i].from-1), min(high, spans[i].to)
}
