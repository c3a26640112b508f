package unread

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/bounded"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/internal/receipts"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
)

const (
	// maxRemembered bounds how many counts are kept, of a user in a room each.
	maxRemembered = 50_000
	// maxScan bounds how far back is counted: who has not been there for longer
	// is told of the latest. It bounds what is looked at for one page of
	// notifications, too.
	maxScan = 20_000
	// pageSize is how many events are looked at at once.
	pageSize = 200
)

// Rules knows the compiled push rules of users.
type Rules interface {
	// Rules returns the rules of a user.
	Rules(ctx context.Context, user events.UserID) (*push.Ruleset, error)
}

// Count is how much of a timeline is unread.
type Count struct{ Notifications, Highlights int }

// Counts are the unread events of a user in a room. They are immutable.
type Counts struct {
	Main    Count
	Threads map[events.EventID]Count // by root, without those that are zero
}

// Total is the sum over the main timeline and all threads (UNRD-7).
func (c Counts) Total() Count {
	sum := c.Main
	for _, t := range c.Threads {
		sum.Notifications += t.Notifications
		sum.Highlights += t.Highlights
	}
	return sum
}

// Service counts. Its methods may be called at once and from any goroutine.
type Service struct {
	memory *live.Memory
	reader *reader.Reader
	rules  Rules
	scan   int // maxScan, but in tests

	prepared prepared

	mu         sync.Mutex
	remembered *bounded.Map[key, entry]
}

type key struct {
	user events.UserID
	room store.RoomNum
}

// entry is what was counted up to a position.
type entry struct {
	upTo     store.Pos
	receipts store.Pos // up to here receipts are taken into account
	read     Positions // by those of the user
	ignored  store.Pos // the ignore list that was applied
	counts   Counts
}

// New makes the service. It starts nothing that would have to be stopped.
func New(memory *live.Memory, read *reader.Reader, rules Rules) *Service {
	return &Service{memory: memory, reader: read, rules: rules, scan: maxScan, remembered: bounded.New[key, entry](maxRemembered, nil)}
}

// Of counts what the user of the scope, who is in the room, has not read up to a
// position, but for what was sent by those they ignore.
func (s *Service) Of(ctx context.Context, scope *reader.Scope, until store.Pos, ignored reader.IgnoreList) (Counts, error) {
	k := key{scope.User, scope.Room.Num}
	s.mu.Lock()
	e, ok := s.remembered.Get(k)
	s.mu.Unlock()
	ok = ok && e.ignored == ignored.AsOf
	receiptsAt := scope.Room.ReceiptsChanged()
	if ok && e.receipts < receiptsAt { // somebody's: for most, not their own
		read, err := s.positions(ctx, scope)
		if err != nil {
			return Counts{}, err
		}
		if ok = read.equal(e.read); ok {
			e.receipts = receiptsAt
			s.remember(k, e)
		}
	}
	if ok && (e.upTo == until || scope.Room.Newest() <= e.upTo) {
		return e.counts, nil
	}
	c := count{service: s, scope: scope, ignored: ignored.Users}
	var err error
	if ok = ok && e.upTo <= until; ok {
		c.counts, c.after, c.read = e.counts, e.upTo, e.read
		err = c.run(ctx, until)
		ok = !c.again
	}
	if err == nil && !ok {
		c = count{service: s, scope: scope, ignored: ignored.Users}
		if err = c.readReceipts(ctx); err == nil {
			err = c.run(ctx, until)
		}
	}
	if err != nil {
		return Counts{}, err
	}
	s.remember(k, entry{upTo: until, receipts: receiptsAt, read: c.read, ignored: ignored.AsOf, counts: c.counts})
	return c.counts, nil
}

// positions returns up to where the user of the scope has read each timeline.
func (s *Service) positions(ctx context.Context, scope *reader.Scope) (read Positions, err error) {
	err = s.memory.View(ctx, func(v store.View) error {
		rows, err := v.ReceiptsOf(scope.User, scope.Room.Num)
		read = positions(rows)
		return err
	})
	return read, err
}

// Read returns up to where the user of the scope has read each timeline.
func (s *Service) Read(ctx context.Context, scope *reader.Scope) (Positions, error) {
	c := count{service: s, scope: scope}
	err := c.readReceipts(ctx)
	return c.read, err
}

// HasRead reports whether the user of the scope has read an event.
func (s *Service) HasRead(v store.View, scope *reader.Scope, e *live.Event) (bool, error) {
	rows, err := v.ReceiptsOf(scope.User, scope.Room.Num)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	thread, err := reader.Thread(v, scope.Room.Version, e.Event)
	return positions(rows).Covers(e.Pos, thread), err
}

// Total counts what a user has not read in all the rooms they are in (GW-6).
func (s *Service) Total(ctx context.Context, user events.UserID) (total int, err error) {
	until := s.memory.Position()
	var places []store.Member
	var ignored reader.IgnoreList
	err = s.memory.View(ctx, func(v store.View) (err error) {
		if places, err = v.RoomsOf(user); err == nil {
			ignored, err = reader.Ignored(v, user)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, place := range places {
		if place.Membership != events.MembershipJoin {
			continue
		}
		room, err := s.memory.Look(ctx, place.RoomID)
		if errors.Is(err, store.ErrNotFound) { // deleted by now
			continue
		}
		if err != nil {
			return 0, err
		}
		counts, err := s.Of(ctx, reader.NewScope(room, user), until, ignored)
		if err != nil {
			return 0, err
		}
		total += counts.Total().Notifications
	}
	return total, nil
}

func (s *Service) remember(k key, e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.remembered.Get(k); ok && (old.upTo > e.upTo || old.receipts > e.receipts) {
		return
	}
	s.remembered.Put(k, e)
}

// Positions are up to where somebody has read.
type Positions struct {
	all     store.Pos            // by unthreaded receipts
	threads map[string]store.Pos // by threaded ones
}

// Covers reports whether an event of a thread, "" for the main timeline, has been
// read (UNRD-11, UNRD-12).
func (p Positions) Covers(pos store.Pos, thread events.EventID) bool {
	name := string(thread)
	if name == "" {
		name = receipts.MainThread
	}
	return pos <= max(p.all, p.threads[name])
}

func (p Positions) equal(q Positions) bool { return p.all == q.all && maps.Equal(p.threads, q.threads) }

// positions returns what receipts say.
func positions(rows []store.Receipt) (p Positions) {
	for _, r := range rows {
		if r.Thread == "" {
			p.all = max(p.all, r.EventPos)
		} else {
			if p.threads == nil {
				p.threads = map[string]store.Pos{}
			}
			p.threads[r.Thread] = max(p.threads[r.Thread], r.EventPos)
		}
	}
	return p
}

// count is the counting of one user's unread events in one room.
type count struct {
	service *Service
	scope   *reader.Scope
	ignored map[events.UserID]bool
	after   store.Pos // what is up to here is in counts, or read
	read    Positions
	counts  Counts
	again   bool // something undoes what was counted before: a redaction, or the end of the user's stay
}

// readReceipts finds where to begin: after what was read in all timelines, or with
// the user's coming (UNRD-5).
func (c *count) readReceipts(ctx context.Context) error {
	var rows []store.Receipt
	err := c.service.memory.View(ctx, func(v store.View) (err error) {
		if err := c.scope.Load(v); err != nil {
			return err
		}
		rows, err = v.ReceiptsOf(c.scope.User, c.scope.Room.Num)
		return err
	})
	c.read = positions(rows)
	c.after = max(c.read.all, c.scope.JoinedAt())
	return err
}

// run adds what lies after c.after and up to a position, newest first: before the
// user's own latest event in a timeline everything is read (RCPT-11).
func (c *count) run(ctx context.Context, until store.Pos) error {
	rules, err := c.service.rules.Rules(ctx, c.scope.User)
	if err != nil {
		return err
	}
	room := push.Room{Joined: c.scope.Room.Count(events.MembershipJoin), Power: c.scope.Room.Version.PowerLevels(c.scope.Room)}
	var member *events.Event
	if m := c.scope.Member(); m != nil {
		member = m.Event
	}
	own := map[events.EventID]bool{}
	added := map[events.EventID]Count{}
	from := until
	for range c.service.scan / pageSize {
		page, err := c.service.reader.Back(ctx, c.scope, from, c.after, pageSize, nil)
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			c.again = c.again || e.Type == events.TypeRedaction || c.ends(e)
			mine := e.Sender == c.scope.User
			if e.RedactedBy != 0 || c.ignored[e.Sender] || mine && e.IsState() {
				continue
			}
			out := push.Outcome{}
			if !mine {
				if out = c.service.prepared.evaluate(rules, e, room, member); !out.Notify {
					continue
				}
			}
			thread, err := c.thread(ctx, e)
			switch {
			case err != nil:
				return err
			case mine:
				own[thread] = true
			case !own[thread] && !c.read.Covers(e.Pos, thread):
				n := added[thread]
				n.Notifications++
				if out.Highlight {
					n.Highlights++
				}
				added[thread] = n
			}
		}
		if !page.More {
			break
		}
		from = page.Next
	}
	c.add(added, own)
	return nil
}

// ends reports whether with an event the user is not in the room any more (UNRD-17).
func (c *count) ends(e *live.Event) bool {
	return e.Type == events.TypeMember && e.IsState() && *e.StateKey == string(c.scope.User) && e.Membership() != events.MembershipJoin
}

// thread returns the thread of an event, without asking the store for most.
func (c *count) thread(ctx context.Context, e *live.Event) (thread events.EventID, err error) {
	switch r := e.Relation(); {
	case r.Event == "":
		return "", nil
	case r.Type == events.RelThread:
		return r.Event, nil
	}
	err = c.service.memory.View(ctx, func(v store.View) (err error) {
		thread, err = reader.Thread(v, c.scope.Room.Version, e.Event)
		return err
	})
	return thread, err
}

// add joins what was counted to what there was, where the user has sent nothing.
func (c *count) add(added map[events.EventID]Count, own map[events.EventID]bool) {
	sum := Counts{Main: c.counts.Main, Threads: maps.Clone(c.counts.Threads)}
	for thread := range own {
		if thread == "" {
			sum.Main = Count{}
		}
		delete(sum.Threads, thread)
	}
	for thread, n := range added {
		if thread == "" {
			sum.Main.Notifications += n.Notifications
			sum.Main.Highlights += n.Highlights
			continue
		}
		if sum.Threads == nil {
			sum.Threads = map[events.EventID]Count{}
		}
		t := sum.Threads[thread]
		sum.Threads[thread] = Count{t.Notifications + n.Notifications, t.Highlights + n.Highlights}
	}
	c.counts = sum
}
