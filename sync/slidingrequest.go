package sync

import (
	"maps"
	"slices"
	"time"

	"github.com/ca4c8834/homeserver/events"
)

// SlidingRequest is a request for what is new on a connection.
type SlidingRequest struct {
	User   events.UserID
	Device string
	// Connection tells the connections of a device apart.
	Connection string
	// Pos is that of the answer before; "" begins anew.
	Pos   string
	TxnID string // sent back
	// V4 asks for an answer in the form that the proposal was accepted in, instead of
	// the one that clients spoke before.
	V4 bool
	// Timeout is how long to wait if there is nothing new.
	Timeout time.Duration
	// Lists and Subscriptions say which rooms are asked for; a room that is in
	// several of them gets what any of them asks for.
	Lists         map[string]SlidingList
	Subscriptions map[events.RoomID]SlidingRoom
	Extensions    SlidingExtensions
}

// SlidingRoom is what is asked for of a room.
type SlidingRoom struct {
	TimelineLimit int // how many events; capped
	// Include is the state that is wanted, Exclude that which is not, though it is
	// included.
	Include, Exclude []StatePattern
	// LazyMembers asks for the members whom the timeline is about, of whom a pattern
	// for all state has none then.
	LazyMembers bool
}

// StatePattern stands for one state event, for all of a type, for all with a state
// key, or for all.
type StatePattern struct {
	Type, Key       string
	AnyType, AnyKey bool
}

// SlidingList asks for rooms by their places in the order of their newest events.
type SlidingList struct {
	SlidingRoom
	// Ranges are the first and the last place of each window, from 0; nil is one
	// of all rooms.
	Ranges  [][2]int
	Filters SlidingFilters
}

// SlidingFilters selects rooms for a list. Nil does not restrict, an empty list
// matches nothing; what is in a "not" list wins.
type SlidingFilters struct {
	DM, Encrypted, Invite   *bool
	RoomTypes, NotRoomTypes []string // "" is a room without a type
	Spaces                  []events.RoomID
	Tags, NotTags           []string
	NameLike                string // part of the name, in any case
}

// SlidingExtensions says what is asked for beside rooms.
type SlidingExtensions struct {
	// ToDevice is nil if messages to the device are not asked for.
	ToDevice *SlidingToDevice
	E2EE     bool
	// The others are nil if they are not asked for.
	AccountData, Receipts, Typing *SlidingScope
}

// SlidingToDevice asks for messages to the device.
type SlidingToDevice struct {
	Since string // acknowledges what came before
	Limit int    // 0: as many as go into an answer
}

// SlidingScope says for which rooms an extension is asked for: those in windows of
// the named lists, and the named ones among the subscriptions. Nil is all.
type SlidingScope struct {
	Lists []string
	Rooms []events.RoomID
}

// includes reports whether the extension is asked for a room.
func (s *SlidingScope) includes(room events.RoomID, in source) bool {
	switch {
	case s == nil:
		return false
	case in.subscribed && (s.Rooms == nil || slices.Contains(s.Rooms, room)):
		return true
	case s.Lists == nil:
		return len(in.lists) > 0
	}
	return slices.ContainsFunc(in.lists, func(name string) bool { return slices.Contains(s.Lists, name) })
}

func (s *SlidingScope) equal(o *SlidingScope) bool {
	if s == nil || o == nil {
		return s == o
	}
	return sameList(s.Lists, o.Lists) && sameList(s.Rooms, o.Rooms)
}

func (r SlidingRoom) equal(o SlidingRoom) bool {
	return r.TimelineLimit == o.TimelineLimit && r.LazyMembers == o.LazyMembers &&
		slices.Equal(r.Include, o.Include) && slices.Equal(r.Exclude, o.Exclude)
}

func (l SlidingList) equal(o SlidingList) bool {
	return l.SlidingRoom.equal(o.SlidingRoom) && sameList(l.Ranges, o.Ranges) && l.Filters.equal(&o.Filters)
}

func (f *SlidingFilters) equal(o *SlidingFilters) bool {
	return sameBool(f.DM, o.DM) && sameBool(f.Encrypted, o.Encrypted) && sameBool(f.Invite, o.Invite) &&
		sameList(f.RoomTypes, o.RoomTypes) && sameList(f.NotRoomTypes, o.NotRoomTypes) && sameList(f.Spaces, o.Spaces) &&
		sameList(f.Tags, o.Tags) && sameList(f.NotTags, o.NotTags) && f.NameLike == o.NameLike
}

// sameList is slices.Equal that tells nil from empty.
func sameList[T comparable](a, b []T) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }

func sameBool(a, b *bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// covers reports whether the windows of a list have all places that others have.
func (l SlidingList) covers(others [][2]int) bool {
	if l.Ranges == nil {
		return true
	}
	return others != nil && !slices.ContainsFunc(others, func(o [2]int) bool {
		for _, r := range merged(l.Ranges) {
			if r[0] <= o[0] && o[1] <= r[1] {
				return false
			}
		}
		return true
	})
}

// prefix reports whether the windows are one that begins with the newest room, so
// that a room can come in by a change of its own only, as long as none goes away.
func (l SlidingList) prefix() bool {
	if l.Ranges == nil {
		return true
	}
	r := merged(l.Ranges)
	return len(r) == 0 || len(r) == 1 && r[0][0] == 0
}

// contains reports whether a place is in a window.
func (l SlidingList) contains(place int) bool {
	return l.Ranges == nil || slices.ContainsFunc(l.Ranges, func(r [2]int) bool { return r[0] <= place && place <= r[1] })
}

// merged sorts ranges and joins those that touch.
func merged(ranges [][2]int) [][2]int {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b [2]int) int { return a[0] - b[0] })
	var out [][2]int
	for _, r := range sorted {
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
			continue
		}
		out = append(out, r)
	}
	return out
}

// asked is what a request asks for, in the form that answers are made from. It is
// kept with a connection, and used again for the requests that ask for the same.
type asked struct {
	SlidingRequest
	lists  map[string]*interest
	rooms  map[events.RoomID]*interest
	joined []union
}

// source says why a room is in an answer.
type source struct {
	lists      []string // it is in a window of these
	subscribed bool
}

func newAsked(r *SlidingRequest) *asked {
	a := &asked{SlidingRequest: *r, lists: map[string]*interest{}, rooms: map[events.RoomID]*interest{}}
	for name, l := range r.Lists {
		a.lists[name] = newInterest(l.SlidingRoom)
	}
	var last SlidingRoom
	var interest *interest
	for id, room := range r.Subscriptions {
		if interest == nil || !last.equal(room) { // clients ask for the same of all
			last, interest = room, newInterest(room)
		}
		a.rooms[id] = interest
	}
	return a
}

// same reports whether another request asks for the same rooms and extensions.
func (a *asked) same(r *SlidingRequest) bool {
	e, o := &a.Extensions, &r.Extensions
	return maps.EqualFunc(a.Lists, r.Lists, SlidingList.equal) &&
		maps.EqualFunc(a.Subscriptions, r.Subscriptions, SlidingRoom.equal) &&
		(e.ToDevice == nil) == (o.ToDevice == nil) && e.E2EE == o.E2EE &&
		e.AccountData.equal(o.AccountData) && e.Receipts.equal(o.Receipts) && e.Typing.equal(o.Typing)
}

// grown reports whether more is asked for than before, which is answered at once
// (SLIDE-9).
func (a *asked) grown(before *asked) bool {
	for name, l := range a.Lists {
		old, ok := before.Lists[name]
		if !ok || !old.Filters.equal(&l.Filters) || !old.covers(l.Ranges) || !before.lists[name].covers(a.lists[name]) {
			return true
		}
	}
	for id, i := range a.rooms {
		if old := before.rooms[id]; old == nil || !old.covers(i) {
			return true
		}
	}
	return false
}

// union is what is asked for of rooms that are in several lists.
type union struct {
	of    []*interest
	whole *interest
}

// interest returns what is asked for of a room, nil if nothing is.
func (a *asked) interest(room events.RoomID, in source) *interest {
	if len(in.lists) == 1 && !in.subscribed {
		return a.lists[in.lists[0]]
	}
	var of []*interest
	for _, name := range in.lists {
		of = append(of, a.lists[name])
	}
	if in.subscribed {
		of = append(of, a.rooms[room])
	}
	if len(of) < 2 {
		return append(of, nil)[0]
	}
	for _, u := range a.joined {
		if slices.Equal(u.of, of) {
			return u.whole
		}
	}
	u := union{of, joinInterests(of)}
	a.joined = append(a.joined, u)
	return u.whole
}
