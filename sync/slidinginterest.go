package sync

import (
	"maps"
	"slices"

	"github.com/ca4c8834/homeserver/events"
)

// maxSlidingTimeline is how many events of a room an answer has at most (SLIDE-13).
const maxSlidingTimeline = 100

const (
	anyKey  = "*"
	lazyKey = "$LAZY"
	ownKey  = "$ME"
)

// interest is what is asked for of a room: the newest so many events and some of
// the state. It is immutable.
type interest struct {
	limit int
	keys  map[events.StateKey]bool
	types map[string]bool // with any state key
	named map[string]bool // state keys, with any type
	all   bool
	lazy  bool // members whom the timeline is about
}

func newInterest(r SlidingRoom, user events.UserID) *interest {
	i := &interest{
		limit: min(r.TimelineLimit, maxSlidingTimeline),
		keys:  map[events.StateKey]bool{}, types: map[string]bool{}, named: map[string]bool{},
	}
	for _, k := range r.RequiredState {
		if k.Key == ownKey {
			k.Key = string(user)
		}
		switch {
		case k.Type == anyKey && k.Key == anyKey:
			i.all = true
		case k.Type == anyKey:
			i.named[k.Key] = true
		case k.Key == anyKey:
			i.types[k.Type] = true
		case k.Type == events.TypeMember && k.Key == lazyKey:
			i.lazy = true
		default:
			i.keys[k] = true
		}
	}
	return i
}

// joinInterests asks for what any of several asks for (SLIDE-15).
func joinInterests(list []*interest) *interest {
	sum := &interest{keys: map[events.StateKey]bool{}, types: map[string]bool{}, named: map[string]bool{}}
	for _, i := range list {
		sum.limit = max(sum.limit, i.limit)
		sum.all = sum.all || i.all
		sum.lazy = sum.lazy || i.lazy
		maps.Copy(sum.keys, i.keys)
		maps.Copy(sum.types, i.types)
		maps.Copy(sum.named, i.named)
	}
	return sum
}

// wants reports whether a state event is asked for by its type and state key.
func (i *interest) wants(typ, key string) bool {
	return i.all || i.types[typ] || i.named[key] || i.keys[events.StateKey{Type: typ, Key: key}]
}

// searches reports whether all of the state has to be looked at to find what is
// asked for, with the members or without.
func (i *interest) searches() (any, members bool) {
	return i.all || len(i.types)+len(i.named) > 0, i.all || i.types[events.TypeMember] || len(i.named) > 0
}

// exactKeys returns what is asked for by type and state key.
func (i *interest) exactKeys() []events.StateKey { return slices.Collect(maps.Keys(i.keys)) }

// memberKeys returns the members among exactKeys.
func (i *interest) memberKeys() []events.StateKey {
	return slices.DeleteFunc(i.exactKeys(), func(k events.StateKey) bool { return k.Type != events.TypeMember })
}

// covers reports whether i asks for everything that o asks for.
func (i *interest) covers(o *interest) bool { return i == o || i.limit >= o.limit && i.coversState(o) }

func (i *interest) coversState(o *interest) bool {
	if i == o || i.all {
		return true
	}
	if o.all || o.lazy && !i.lazy && !i.types[events.TypeMember] {
		return false
	}
	for k := range o.keys {
		if !i.wants(k.Type, k.Key) {
			return false
		}
	}
	for typ := range o.types {
		if !i.types[typ] {
			return false
		}
	}
	for key := range o.named {
		if !i.named[key] {
			return false
		}
	}
	return true
}
