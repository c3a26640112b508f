package pushers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
)

// maxRound bounds how many new events of a room are put into lanes at once; where
// there are more, they are found by the lanes themselves.
const maxRound = 50

// notice says that an event notifies a user.
type notice struct {
	pos    store.Pos
	room   events.RoomID
	tweaks []byte // a JSON object
	low    bool   // nothing that has to come at once (GW-5)
}

func newNotice(room events.RoomID, e *live.Event, out push.Outcome) notice {
	low := out.Sound == "" && !out.Highlight && e.Type != events.TypeEncrypted
	return notice{pos: e.Pos, room: room, tweaks: out.Tweaks, low: low}
}

// news is what a round has found out for a user.
type news struct {
	notices []notice
	behind  bool // there is more than was looked at
	reader  bool // the user has read something
}

// EventAdded implements live.Observer.
func (s *Service) EventAdded(r *live.Room, e *live.Event) { s.audience.note(r, e) }

// Moved implements live.Observer.
func (s *Service) Moved() { s.wake() }

// ReceiptSet says that a user has set a receipt. It is called while the store
// commits.
func (s *Service) ReceiptSet(user events.UserID) {
	s.audience.noteReader(user)
	s.wake()
}

// wake sees to it that somebody plans what there is to plan.
func (s *Service) wake() {
	if s.audience.begin() {
		s.start(s.plan)
	}
}

// plan puts what happens into lanes until there is nothing more.
func (s *Service) plan(ctx context.Context) {
	var t stir
	done := false
	defer func() {
		if !done { // a fault, or a panic
			s.audience.again(t)
			s.audience.rest()
		}
	}()
	for {
		until := s.Memory.Position() // everything up to here was noted
		var ok bool
		if t, ok = s.audience.take(); !ok {
			done = true
			return
		}
		if err := s.round(ctx, t, until); err != nil {
			if ctx.Err() == nil {
				s.Logger.WarnContext(ctx, "find whom to notify", slog.Any("error", err))
				s.mu.Lock()
				s.saveLater() // which tries again
				s.mu.Unlock()
			}
			return
		}
	}
}

// round puts the events up to a position into lanes.
func (s *Service) round(ctx context.Context, t stir, until store.Pos) error {
	rooms := make([]*live.Room, 0, len(t.rooms))
	later := newStir()
	for id := range t.rooms {
		room, err := s.Memory.Room(ctx, id)
		if _, ok := errors.AsType[*live.UnknownVersionError](err); ok || errors.Is(err, store.ErrNotFound) {
			continue // it was deleted, or nobody can do anything in it
		}
		if err != nil {
			return fmt.Errorf("room %s: %w", id, err)
		}
		rooms = append(rooms, room)
		if room.Newest() > until {
			later.rooms[id] = struct{}{}
		}
	}
	s.mu.Lock()
	after := s.planned
	s.mu.Unlock()
	found := map[events.UserID]*news{}
	of := func(user events.UserID) *news {
		n := found[user]
		if n == nil {
			n = &news{}
			found[user] = n
		}
		return n
	}
	for user := range t.readers {
		of(user).reader = true
	}
	count := s.audience.count()
	var list []Pusher
	err := s.Memory.View(ctx, func(v store.View) (err error) {
		for _, room := range rooms {
			if err := s.look(v, room, after, until, of); err != nil {
				return err
			}
		}
		users := make([]events.UserID, 0, len(found))
		for user := range found {
			users = append(users, user)
		}
		if len(users) > 0 {
			list, err = v.PushersOf(users)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.audience.again(later)
	s.offer(until, list, found)
	for _, p := range list {
		delete(found, p.User)
	}
	without := make([]events.UserID, 0, len(found))
	for user := range found {
		without = append(without, user)
	}
	s.audience.remove(without, count)
	return nil
}

// look finds whom the events of a room between two positions notify.
func (s *Service) look(v store.View, room *live.Room, after, until store.Pos, of func(events.UserID) *news) error {
	users := s.audience.of(room)
	list, ok := room.TailAfter(after, until, maxRound+1)
	if !ok || len(list) > maxRound {
		for _, user := range users {
			of(user).behind = true
		}
		for _, e := range room.Members(events.MembershipInvite) {
			if user := events.UserID(*e.StateKey); e.Pos > after && s.audience.has(user) {
				of(user).behind = true
			}
		}
		return nil
	}
	rules, err := s.Rules.RulesOf(v, users)
	if err != nil {
		return err
	}
	about := aspects(room)
	for _, e := range list {
		if e.RedactedBy != 0 {
			continue
		}
		ev := push.NewEvent(e.Event, about)
		if user, ok := invited(e); ok && s.audience.has(user) { // GW-15
			own, err := s.Rules.RulesOf(v, []events.UserID{user})
			if err != nil {
				return err
			}
			if out := own[0].Evaluate(ev, e.Event); out.Notify {
				of(user).notices = append(of(user).notices, newNotice(room.ID, e, out))
			}
		}
		for i, user := range users {
			member := room.Member(user)
			if out := rules[i].Evaluate(ev, member.Event); out.Notify && wasIn(room, member, e) {
				of(user).notices = append(of(user).notices, newNotice(room.ID, e, out))
			}
		}
	}
	return nil
}

// aspects is what rules ask about a room.
func aspects(room *live.Room) push.Room {
	return push.Room{Joined: room.Count(events.MembershipJoin), Power: room.Version.PowerLevels(room)}
}

// wasIn reports whether a member was joined when an event was sent.
func wasIn(room *live.Room, member, e *live.Event) bool {
	return member.Pos <= e.Pos ||
		reader.NewScope(room, events.UserID(*member.StateKey)).MembershipAt(e.Pos) == events.MembershipJoin
}

// invited returns whom an event invites.
func invited(e *live.Event) (events.UserID, bool) {
	if e.Type != events.TypeMember || !e.IsState() || e.Membership() != events.MembershipInvite {
		return "", false
	}
	return events.UserID(*e.StateKey), true
}

// offer puts what was found into the lanes of pushers, all of it at once: what is
// up to s.planned is in lanes, and nothing beyond it is.
func (s *Service) offer(until store.Pos, list []Pusher, found map[events.UserID]*news) {
	for _, n := range found {
		slices.SortFunc(n.notices, func(a, b notice) int { return cmp.Compare(a.pos, b.pos) })
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range list {
		n := found[p.User]
		if !p.Enabled || !n.behind && !n.reader && len(n.notices) == 0 {
			continue
		}
		l := s.lanes[p.PusherKey]
		if l == nil {
			l = s.newLane(p, s.planned)
		}
		l.badge = l.badge || n.reader
		for _, notice := range n.notices {
			l.add(notice)
		}
		if n.behind {
			l.fallBehind(s.planned, until)
		}
		s.ready(l)
	}
	s.planned = max(s.planned, until)
	s.saveLater()
}

// start runs do on a goroutine of the service's own, unless the service is closed.
func (s *Service) start(do func(context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.startLocked(do)
}

func (s *Service) startLocked(do func(context.Context)) {
	if s.closed {
		return
	}
	s.work.Go(func() {
		if err := guarded(func() error { do(s.ctx); return nil }); err != nil {
			s.Logger.Error("push", slog.Any("error", err))
		}
	})
}

// guarded keeps a panic from the host.
func guarded(do func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return do()
}
