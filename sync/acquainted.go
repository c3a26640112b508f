package sync

import (
	"container/list"
	"crypto/rand"
	"maps"
	gosync "sync"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

const (
	// maxAcquainted bounds the member events that are remembered for a device, and
	// allAcquainted those for all devices together, of which each takes about twenty
	// bytes. Beyond it the devices that have not come for longest are forgotten, and
	// are sent again what they know.
	maxAcquainted = 1000
	allAcquainted = 200_000
	// deviceWeight is what a device takes beside, in member events.
	deviceWeight = 16
)

// acquaintances remember which member events devices have been sent by lazy loading, so
// that those are not sent again with every message (SYNC-32). What a device knows
// follows from the mark of its token: the answer with that token has told it. An answer
// that is lost is never acknowledged by its mark, and clients that share a device do not
// know each other's marks; to whoever comes with another one than the newest two,
// everything is sent.
type acquaintances struct {
	mu      gosync.Mutex
	devices map[deviceKey]*list.Element // of *acquaintance
	lru     list.List                   // the most recently used in front
	size    int                         // of what all devices know
}

type deviceKey struct {
	user   events.UserID
	device string
}

// members are the positions of member events. They are immutable once given away.
type members map[store.Pos]struct{}

// acquaintance is what is remembered of a device.
type acquaintance struct {
	deviceKey
	mark  string // of tokens that prove that known has been received; "": nothing is known
	known members
	next  string // of the token of the latest answer with more
	more  []store.Pos
}

// recall returns what a device knows that comes with a mark; nil if that is not known.
func (as *acquaintances) recall(key deviceKey, mark string) members {
	as.mu.Lock()
	defer as.mu.Unlock()
	el := as.devices[key]
	if el == nil || mark == "" {
		return nil
	}
	as.lru.MoveToFront(el)
	a := el.Value.(*acquaintance)
	if mark == a.next {
		known := make(members, len(a.known)+len(a.more))
		if len(a.known)+len(a.more) <= maxAcquainted { // or else begin anew
			maps.Copy(known, a.known)
		}
		for _, pos := range a.more {
			known[pos] = struct{}{}
		}
		as.size += len(known) - len(a.known) - len(a.more)
		a.mark, a.known, a.next, a.more = a.next, known, "", nil
	}
	if mark != a.mark {
		return nil
	}
	return a.known
}

// told remembers that a device, which has come with a mark, is told more, and returns
// the mark for the token of the answer.
func (as *acquaintances) told(key deviceKey, mark string, more []store.Pos) string {
	as.mu.Lock()
	defer as.mu.Unlock()
	el := as.devices[key]
	if len(more) == 0 {
		if el == nil || el.Value.(*acquaintance).mark != mark {
			return ""
		}
		return mark
	}
	if el == nil {
		if as.devices == nil {
			as.devices = map[deviceKey]*list.Element{}
		}
		el = as.lru.PushFront(&acquaintance{deviceKey: key})
		as.devices[key] = el
		as.size += deviceWeight
	}
	as.lru.MoveToFront(el)
	a := el.Value.(*acquaintance)
	if a.mark != mark {
		as.size -= len(a.known)
		a.mark, a.known = "", nil
	}
	as.size += len(more) - len(a.more)
	a.next, a.more = rand.Text()[:12], more
	for as.size > allAcquainted && as.lru.Len() > 1 {
		oldest := as.lru.Remove(as.lru.Back()).(*acquaintance)
		delete(as.devices, oldest.deviceKey)
		as.size -= len(oldest.known) + len(oldest.more) + deviceWeight
	}
	return a.next
}

// mayOmit reports whether members that the client knows may be left out.
func (a *answer) mayOmit() bool {
	f := &a.Filter.Room.State
	return a.Device != "" && f.LazyLoadMembers && !f.IncludeRedundantMembers && a.Filter.EventFields == nil
}

// introduce notes the member events among those that the answer sends.
func (a *answer) introduce(list []*live.Event) {
	if !a.mayOmit() {
		return
	}
	for _, e := range list {
		if e.Type == events.TypeMember && len(a.introduced) < maxAcquainted {
			a.introduced = append(a.introduced, e.Pos)
		}
	}
}
