package sync

import (
	"container/list"
	"context"
	"crypto/rand"
	"maps"
	gosync "sync"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

const (
	// maxRemembered bounds the rooms in the memories of all connections together,
	// of which each takes about a hundred bytes. Beyond it the connections that
	// were not used for longest are forgotten; their clients begin anew.
	maxRemembered = 400_000
	// maxConnections bounds the connections of one device; clients have three.
	maxConnections = 16
	// maxPending bounds the answers of a connection that may still be acknowledged.
	maxPending = 4
)

// connection is what is remembered of one (SLIDE-4, SLIDE-5): what the client has
// certainly been told, and what it will have been told once it says that it has
// received one of the answers that are under way (SLIDE-6).
type connection struct {
	turn    chan struct{} // has a value while an answer is made
	pos     string        // the one that the client has used last
	told    progress
	rooms   map[store.RoomNum]told
	pending []pending
	roster  roster
	gone    int // counts the times that rooms went from a list, so that those behind them have moved up
}

func newConnection() *connection { return &connection{turn: make(chan struct{}, 1)} }

// begin waits until no other answer is made; end must follow. The context's error if
// that ends first: clients that give up on slow answers and ask again are not to leave
// a queue behind.
func (c *connection) begin(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end lets the next one begin.
func (c *connection) end() { <-c.turn }

// progress is how far a client has been told.
type progress struct {
	until   store.Pos
	global  store.Pos // of global account data; 0: none was told
	devices store.Pos // of changes of device lists; 0: none were told
	asked   *asked    // nil: nothing yet
	gone    int       // connection.gone at that time
}

// told is what a client has been told of a room.
type told struct {
	pos      store.Pos // everything up to here
	interest *interest // that was asked for then
	limit    int32     // the client has at least so many of the newest events
	extras   extras
	counts   unreadCounts
}

func (t told) is(x extras) bool { return t.extras&x != 0 }

// unreadCounts are as the client knows them.
type unreadCounts struct{ notifications, highlights int32 }

// extras says what else of a room is told as far as its events are, and flags that
// the client knows.
type extras uint8

const (
	extraAccountData extras = 1 << iota
	extraReceipts
	extraTyping
	flagDM // the client knows it as a direct chat
)

// pending is an answer that may have been lost.
type pending struct {
	pos   string
	told  progress
	rooms map[store.RoomNum]told // those that it tells of
}

// acknowledge notes that the client is at a position: it has the answer that ended
// there, and no other of those under way. M_UNKNOWN_POS if there is no such answer
// any more (SLIDE-7). It is the caller's turn.
func (c *connection) acknowledge(pos string) error {
	if pos == c.pos {
		return nil
	}
	for _, p := range c.pending {
		if p.pos != pos {
			continue
		}
		if c.rooms == nil {
			c.rooms = p.rooms
		} else {
			maps.Copy(c.rooms, p.rooms)
		}
		c.pos, c.told, c.pending = pos, p.told, nil
		if c.roster.upTo > p.told.until { // made when it was not known what was told
			c.roster = roster{}
		}
		return nil
	}
	return mxerr.UnknownPos("the position is not known any more")
}

// answered remembers an answer and returns the position at which it ends. It is the
// caller's turn.
func (c *connection) answered(to progress, rooms map[store.RoomNum]told) string {
	pos := reader.MarkedToken(to.until, rand.Text()[:16])
	if len(c.pending) == maxPending {
		c.pending = append(c.pending[:0:0], c.pending[1:]...)
	}
	c.pending = append(c.pending, pending{pos, to, rooms})
	return pos
}

// advance notes that there was nothing to tell, so that it need not be looked at
// again. It is the caller's turn.
func (c *connection) advance(to progress, rooms map[store.RoomNum]told) {
	maps.Copy(c.rooms, rooms)
	c.told = to
}

// size is how many rooms the memory has, and something for itself. It is the caller's
// turn.
func (c *connection) size() int {
	n := 10 + len(c.rooms) + c.roster.size()
	for _, p := range c.pending {
		n += len(p.rooms)
	}
	return n
}

// connections are those of all devices.
type connections struct {
	mu       gosync.Mutex // also taken by whoever makes an answer, and held for no wait
	byDevice map[device]map[string]*entry
	used     list.List // of *entry, the latest in front
	size     int
}

type device struct {
	user events.UserID
	id   string
}

// entry is a connection in its place.
type entry struct {
	*connection
	device  device
	name    string
	element *list.Element
	weight  int
}

// open returns the connection of a request, a new one if it begins anew.
// M_UNKNOWN_POS if there is none.
func (cs *connections) open(r *SlidingRequest) (*entry, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	d := device{r.User, r.Device}
	e := cs.byDevice[d][r.Connection]
	if r.Pos != "" {
		if e == nil {
			return nil, mxerr.UnknownPos("the connection is not known any more")
		}
		cs.used.MoveToFront(e.element)
		return e, nil
	}
	if e != nil {
		cs.drop(e)
	}
	if len(cs.byDevice[d]) == maxConnections {
		for el := cs.used.Back(); el != nil; el = el.Prev() {
			if old := el.Value.(*entry); old.device == d {
				cs.drop(old)
				break
			}
		}
	}
	e = &entry{connection: newConnection(), device: d, name: r.Connection}
	e.element = cs.used.PushFront(e)
	if cs.byDevice == nil {
		cs.byDevice = map[device]map[string]*entry{}
	}
	if cs.byDevice[d] == nil {
		cs.byDevice[d] = map[string]*entry{}
	}
	cs.byDevice[d][r.Connection] = e
	return e, nil
}

// weigh notes how much an entry remembers, and forgets others if that is too much.
func (cs *connections) weigh(e *entry, weight int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if e.element == nil { // dropped meanwhile
		return
	}
	cs.size += weight - e.weight
	e.weight = weight
	for el := cs.used.Back(); cs.size > maxRemembered && el != nil; {
		old := el.Value.(*entry)
		if el = el.Prev(); old != e {
			cs.drop(old)
		}
	}
}

// drop forgets an entry. cs.mu is held.
func (cs *connections) drop(e *entry) {
	cs.used.Remove(e.element)
	e.element = nil
	cs.size -= e.weight
	if delete(cs.byDevice[e.device], e.name); len(cs.byDevice[e.device]) == 0 {
		delete(cs.byDevice, e.device)
	}
}
