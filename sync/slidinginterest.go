package sync

import (
	"maps"
	"slices"

	"github.com/ca4c8834/homeserver/events"
)

// maxSlidingTimeline is how many events of a room an answer has at most (SLIDE-13).
const maxSlidingTimeline = 100

// interest is what is asked for of a room: the newest so many events and some of
// the state. It is immutable.
type interest struct {
	limit int
	lazy  bool // members whom the timeline is about
	selection
	not  *selection  // is not wanted; nil: no exceptions
	also []*interest // is wanted too, each with exceptions of its own
}

// selection is a set of state.
type selection struct {
	keys  map[events.StateKey]bool
	types map[string]bool // with any state key
	named map[string]bool // state keys, with any type
	rest  bool            // all but members
}

func newInterest(r SlidingRoom) *interest {
	i := &interest{limit: min(r.TimelineLimit, maxSlidingTimeline), lazy: r.LazyMembers}
	i.selection = selectState(r.Include, !r.LazyMembers)
	if len(r.Exclude) > 0 {
		not := selectState(r.Exclude, true)
		i.not = &not
	}
	return i
}

// selectState makes the selection of some patterns, of which the one for everything has
// the members or not.
func selectState(patterns []StatePattern, members bool) selection {
	s := selection{keys: map[events.StateKey]bool{}, types: map[string]bool{}, named: map[string]bool{}}
	for _, p := range patterns {
		switch {
		case p.AnyType && p.AnyKey:
			s.rest = true
			if members {
				s.types[events.TypeMember] = true
			}
		case p.AnyType:
			s.named[p.Key] = true
		case p.AnyKey:
			s.types[p.Type] = true
		default:
			s.keys[events.StateKey{Type: p.Type, Key: p.Key}] = true
		}
	}
	return s
}

// joinInterests asks for what any of several asks for (SLIDE-15).
func joinInterests(list []*interest) *interest {
	sum := &interest{selection: selectState(nil, false)}
	for _, i := range list {
		sum.limit = max(sum.limit, i.limit)
		sum.lazy = sum.lazy || i.lazy
		if i.not != nil {
			sum.also = append(sum.also, i)
			continue
		}
		sum.rest = sum.rest || i.rest
		maps.Copy(sum.keys, i.keys)
		maps.Copy(sum.types, i.types)
		maps.Copy(sum.named, i.named)
	}
	return sum
}

// has reports whether a state event is selected by its type and state key.
func (s *selection) has(typ, key string) bool {
	return s.rest && typ != events.TypeMember || s.types[typ] || s.named[key] || s.keys[events.StateKey{Type: typ, Key: key}]
}

// wants reports whether a state event is asked for by its type and state key.
func (i *interest) wants(typ, key string) bool {
	return i.has(typ, key) && (i.not == nil || !i.not.has(typ, key)) ||
		slices.ContainsFunc(i.also, func(o *interest) bool { return o.wants(typ, key) })
}

// searches reports whether all of the state has to be looked at to find what is
// asked for, with the members or without.
func (i *interest) searches() (any, members bool) {
	members = i.types[events.TypeMember] || len(i.named) > 0
	any = members || i.rest || len(i.types) > 0
	for _, o := range i.also {
		a, m := o.searches()
		any, members = any || a, members || m
	}
	return any, members
}

// exactKeys returns what is asked for by type and state key.
func (i *interest) exactKeys() []events.StateKey {
	all := maps.Clone(i.keys)
	for _, o := range i.also {
		maps.Copy(all, o.keys)
	}
	maps.DeleteFunc(all, func(k events.StateKey, _ bool) bool { return !i.wants(k.Type, k.Key) })
	return slices.Collect(maps.Keys(all))
}

// memberKeys returns the members among exactKeys.
func (i *interest) memberKeys() []events.StateKey {
	return slices.DeleteFunc(i.exactKeys(), func(k events.StateKey) bool { return k.Type != events.TypeMember })
}

// covers reports whether i asks for everything that o asks for. If both have exceptions
// it may be false where it need not.
func (i *interest) covers(o *interest) bool { return i == o || i.limit >= o.limit && i.coversState(o) }

func (i *interest) coversState(o *interest) bool {
	if i == o {
		return true
	}
	if o.lazy && !i.lazy && (!i.types[events.TypeMember] || i.not != nil) {
		return false
	}
	return i.coversPart(o) && !slices.ContainsFunc(o.also, func(part *interest) bool { return !i.coversPart(part) })
}

// coversPart is coversState for what an interest asks for by its own selection.
func (i *interest) coversPart(o *interest) bool {
	return i.selection.covers(&o.selection) && (i.not == nil || o.not != nil && o.not.covers(i.not)) ||
		slices.ContainsFunc(i.also, func(part *interest) bool { return part.coversPart(o) })
}

func (s *selection) covers(o *selection) bool {
	if s.rest && s.types[events.TypeMember] {
		return true
	}
	if o.rest && !s.rest {
		return false
	}
	for k := range o.keys {
		if !s.has(k.Type, k.Key) {
			return false
		}
	}
	for typ := range o.types {
		if !s.types[typ] && (typ == events.TypeMember || !s.rest) {
			return false
		}
	}
	for key := range o.named {
		if !s.named[key] {
			return false
		}
	}
	return true
}
