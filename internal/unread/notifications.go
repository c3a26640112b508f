package unread

import (
	"cmp"
	"container/heap"
	"context"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
)

// Limits of pages of notifications (NOTIF-5).
const (
	defaultNotifications = 50
	maxNotifications     = 500
)

// Notification is an event that somebody was, or would have been, notified of.
type Notification struct {
	Scope   *reader.Scope
	Event   *live.Event
	Actions []byte // of the push rule, a JSON array
	Read    bool
}

// NotificationsRequest asks for a page of notifications.
type NotificationsRequest struct {
	From       string // next_token of the page before, "" for the newest
	Limit      int    // 0: the default
	Highlights bool   // only those
}

// Notifications returns what a user's push rules say they are to be notified of in the
// rooms they are in, the newest first, and the token of the next page, "" at the end. A
// page may have fewer than were asked for, even none, and not be the last.
// M_INVALID_PARAM (NOTIF-1 to NOTIF-5).
func (s *Service) Notifications(ctx context.Context, user events.UserID, r NotificationsRequest) ([]Notification, string, error) {
	until := s.memory.Position()
	if r.From != "" {
		var err error
		if until, err = reader.Position("from", r.From, until); err != nil {
			return nil, "", err
		}
	}
	if r.Limit < 0 {
		return nil, "", mxerr.InvalidParam("limit", "must not be negative")
	}
	limit := min(cmp.Or(r.Limit, defaultNotifications), maxNotifications)
	rules, err := s.rules.Rules(ctx, user)
	if err != nil {
		return nil, "", err
	}
	m := merge{service: s, user: user, rules: rules, highlights: r.Highlights}
	if err := m.begin(ctx, until); err != nil {
		return nil, "", err
	}
	var out []Notification
	for len(m.heap) > 0 {
		// A page that has looked at enough ends early, but never where it began: whoever follows the tokens gets to
		// the end, however much there is in between that notifies nobody.
		if latest := m.heap[0].pos; m.scanned >= s.scan && latest < until {
			return out, reader.Token(latest), nil
		}
		next := heap.Pop(&m).(item)
		if next.found == nil {
			if err := m.scan(ctx, next); err != nil {
				return nil, "", err
			}
			continue
		}
		if len(out) == limit {
			return out, reader.Token(next.pos), nil
		}
		out = append(out, *next.found)
	}
	return out, "", nil
}

// merge takes the notifications of several rooms in the order of their positions.
type merge struct {
	service    *Service
	user       events.UserID
	rules      *push.Ruleset
	ignored    reader.IgnoreList
	highlights bool
	heap       []item // the latest position on top
	scanned    int    // events that were looked at
}

// item is a notification, or a room of which nothing after a position is to come.
type item struct {
	pos   store.Pos
	room  *notifying
	found *Notification
}

// notifying is a room with what is needed to evaluate its events.
type notifying struct {
	id    events.RoomID
	scope *reader.Scope // nil: nothing is read yet
	count *count
	room  push.Room
}

// begin notes the rooms that the user is in (UNRD-17) by their newest events. Rooms are
// read when it is their turn, which it is not for most of them.
func (m *merge) begin(ctx context.Context, until store.Pos) error {
	err := m.service.memory.View(ctx, func(v store.View) (err error) {
		places, err := v.RoomsOf(m.user)
		if err != nil {
			return err
		}
		newest, err := v.NewestEvents(m.user)
		if err != nil {
			return err
		}
		for _, place := range places {
			if place.Membership == events.MembershipJoin {
				m.heap = append(m.heap, item{pos: min(until, newest[place.Room]), room: &notifying{id: place.RoomID}})
			}
		}
		m.ignored, err = reader.Ignored(v, m.user)
		return err
	})
	heap.Init(m)
	return err
}

// read reads what is needed of a room; store.ErrNotFound if it was deleted by now.
func (m *merge) read(ctx context.Context, n *notifying) error {
	room, err := m.service.memory.Look(ctx, n.id)
	if err != nil {
		return err
	}
	n.scope = reader.NewScope(room, m.user)
	n.count = &count{service: m.service, scope: n.scope}
	n.room = push.Room{Joined: room.Count(events.MembershipJoin), Power: room.Version.PowerLevels(room)}
	return n.count.readReceipts(ctx)
}

// scan looks for notifications in the next events of a room.
func (m *merge) scan(ctx context.Context, from item) error {
	n := from.room
	if n.scope == nil {
		if err := m.read(ctx, n); errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
	}
	scope := n.scope
	page, err := m.service.reader.Back(ctx, scope, from.pos, scope.JoinedAt(), pageSize, nil)
	if err != nil {
		return err
	}
	m.scanned += len(page.Events)
	for _, e := range page.Events {
		if e.RedactedBy != 0 || m.ignored.Users[e.Sender] {
			continue
		}
		out := m.rules.Evaluate(push.NewEvent(e.Event, n.room), scope.Member().Event)
		if !out.Notify || m.highlights && !out.Highlight {
			continue
		}
		thread, err := n.count.thread(ctx, e)
		if err != nil {
			return err
		}
		heap.Push(m, item{pos: e.Pos, room: n, found: &Notification{
			Scope: scope, Event: e, Actions: out.Actions, Read: n.count.read.Covers(e.Pos, thread),
		}})
	}
	if page.More {
		heap.Push(m, item{pos: page.Next, room: n})
	}
	return nil
}

// Len, Less, Swap, Push and Pop implement heap.Interface. A notification comes before
// a room that has been looked at up to the same position.
func (m *merge) Len() int           { return len(m.heap) }
func (m *merge) Less(i, j int) bool { return m.heap[i].pos > m.heap[j].pos }
func (m *merge) Swap(i, j int)      { m.heap[i], m.heap[j] = m.heap[j], m.heap[i] }
func (m *merge) Push(x any)         { m.heap = append(m.heap, x.(item)) }
func (m *merge) Pop() any {
	last := m.heap[len(m.heap)-1]
	m.heap = m.heap[:len(m.heap)-1]
	return last
}
