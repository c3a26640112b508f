package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// EventsRequest asks for what is new, as clients did before /sync.
type EventsRequest struct {
	User    events.UserID
	Device  string
	Guest   bool          // who must name a room
	From    string        // token; "" is now
	Room    events.RoomID // only this one, which the user need not be in; "": all of theirs
	Timeout time.Duration
}

// Events answers GET /events: it waits like Sync. Errors: M_INVALID_PARAM for a bad
// token, M_FORBIDDEN for a room that the user may not read, M_GUEST_ACCESS_FORBIDDEN for
// guests who name none.
func (s *Service) Events(ctx context.Context, r EventsRequest) (json.RawMessage, error) {
	if r.Guest && r.Room == "" {
		return nil, mxerr.GuestAccessForbidden("guests have to name a room")
	}
	since := s.Memory.Position()
	if r.From != "" {
		var err error
		if since, err = reader.Position("from", r.From, since); err != nil {
			return nil, err
		}
	}
	u, err := s.Memory.Connect(ctx, r.User, since)
	if err != nil {
		return nil, err
	}
	defer s.Memory.Disconnect(u)
	timer := time.NewTimer(min(r.Timeout, maxTimeout))
	defer timer.Stop()
	start, last := since, r.Timeout <= 0
	for {
		chunk, until, err := s.eventsSince(ctx, u, r, since)
		if err != nil {
			return nil, err
		}
		if len(chunk) > 0 || last {
			w := writer{}
			w.open('{')
			w.key("start")
			w.string(reader.Token(start))
			w.key("end")
			w.string(reader.Token(until))
			w.list("chunk", chunk)
			w.close('}')
			return w.buf, nil
		}
		since = until
		if last, err = s.awaitEvents(ctx, u, r.Room, since, timer); err != nil {
			return nil, err
		}
	}
}

// awaitEvents waits until there may be something new for a user, or in the room if one
// is given, and reports whether they have waited long enough.
func (s *Service) awaitEvents(ctx context.Context, u *live.User, room events.RoomID, since store.Pos, timer *time.Timer) (last bool, err error) {
	var news <-chan struct{} // nil: the user's own changes tell
	if room != "" {
		var stop func()
		news, stop = s.Memory.RoomAfter(room, since)
		defer stop()
	}
	select {
	case <-news:
	case <-u.After(since):
	case <-u.AfterPresence(since):
	case <-timer.C:
		return true, nil
	case <-s.Stopping.Done():
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return false, nil
}

// eventsSince renders what is new for a user, in order, and says up to where that is.
func (s *Service) eventsSince(ctx context.Context, u *live.User, r EventsRequest, since store.Pos) ([][]byte, store.Pos, error) {
	a, err := s.legacy(ctx, u, Request{User: r.User, Device: r.Device, Filter: ofOne(r.Room)}, since, false)
	if err != nil {
		return nil, 0, err
	}
	c := chunk{answer: a}
	if r.Room != "" {
		access, err := s.Reader.Enter(ctx, r.User, r.Room)
		if err != nil {
			return nil, 0, err
		}
		v := &visit{answer: a, room: access.Room, scope: access.Scope, member: access.Member(), end: a.until}
		return c.list(ctx, []*visit{v})
	}
	var visits []*visit
	for _, change := range u.RoomsSince(since) {
		if change.Forgotten {
			continue
		}
		v, err := a.visitRoom(ctx, change.ID)
		if err != nil {
			return nil, 0, err
		}
		if v == nil {
			continue
		}
		switch v.member.Membership() {
		case events.MembershipJoin:
			v.end = a.until
		case events.MembershipLeave, events.MembershipBan: // an open room goes on without them
			if err := v.Memory.View(ctx, v.scope.Load); err != nil {
				return nil, 0, err
			}
			if v.scope.WasJoined() {
				v.end = min(a.until, v.member.Pos)
			}
		}
		visits = append(visits, v)
	}
	return c.list(ctx, visits)
}

// visitRoom begins to read a room that the user has something to do with, for which
// no other has to go from memory; nil if they have not at a.until.
func (a *answer) visitRoom(ctx context.Context, id events.RoomID) (*visit, error) {
	room, err := a.Memory.Look(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	members, err := a.Reader.MembersAt(ctx, room, a.until, []events.UserID{a.User})
	if err != nil || len(members) == 0 {
		return nil, err
	}
	return &visit{answer: a, room: room, scope: reader.NewScope(room, a.User), member: members[0]}, nil
}

// chunk puts together what is new in several rooms.
type chunk struct {
	*answer
	found []rendered
}

type rendered struct {
	pos  store.Pos
	json []byte
}

// list renders the events of the rooms up to their ends, in their order, and then what has none (LEG-3). Of very many
// events those come first that happened first, and the answer ends with them: there is no other way to the rest.
func (c *chunk) list(ctx context.Context, visits []*visit) ([][]byte, store.Pos, error) {
	var rest [][]byte
	for _, v := range visits {
		page, err := c.Reader.Forward(ctx, v.scope, c.since, v.end, maxTimeline, c.shown)
		if err != nil {
			return nil, 0, err
		}
		if page.More {
			c.until = min(c.until, page.Next)
		}
		for _, e := range page.Events {
			c.found = append(c.found, rendered{e.Pos, c.form.Append(nil, v.scope, e)})
		}
		if v.member == nil {
			continue
		}
		switch {
		case v.end == 0: // nothing but what the user has to do with it
			withheld := v.member.Membership() == events.MembershipInvite && c.memo.settings.withholds(v.member.Sender)
			if v.member.Pos > c.since && !withheld {
				c.found = append(c.found, rendered{v.member.Pos, c.form.Append(nil, v.scope, v.member)})
			}
		case v.member.Membership() == events.MembershipJoin:
			ephemeral, err := v.ephemeral(ctx, false)
			if err != nil {
				return nil, 0, err
			}
			rest = append(rest, ofRoom(ephemeral.events, v.room.ID)...)
		}
	}
	slices.SortFunc(c.found, func(a, b rendered) int { return cmp.Compare(a.pos, b.pos) })
	if len(c.found) > maxTimeline {
		c.until = min(c.until, c.found[maxTimeline-1].pos)
	}
	out := make([][]byte, 0, len(c.found)+len(rest))
	for _, e := range c.found {
		if e.pos <= c.until {
			out = append(out, e.json)
		}
	}
	for id, data := range c.data.rooms {
		rest = append(rest, ofRoom(data, id)...)
	}
	return append(append(out, rest...), c.presence...), c.until, nil
}
