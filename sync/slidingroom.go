package sync

import (
	"context"
	"errors"
	"math"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// glance is the making of one room's entry.
type glance struct {
	*slide
	room   *live.Room
	scope  *reader.Scope
	member *live.Event // the user's own
	want   *interest
	extras extras
	was    told // zero if the client does not know the room
	known  bool
	now    told

	initial  bool      // everything is told
	expanded bool      // more of the timeline is told than before
	raised   bool      // state is told that was not asked for before
	end      store.Pos // the entry is about the room up to here
	page     timeline
	out      writer
	some     bool // there is something to tell
}

// visit tells of a room what the client does not know.
func (s *slide) visit(ctx context.Context, c live.RoomChange, want *interest, extras extras, in source) error {
	room, err := s.Memory.Room(ctx, c.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	members, err := s.Reader.MembersAt(ctx, room, s.until, []events.UserID{s.User})
	if err != nil || len(members) == 0 { // invited or joined after until
		return err
	}
	g := &glance{
		slide: s, room: room, scope: reader.NewScope(room, s.User), member: members[0], want: want, extras: extras, end: s.until,
	}
	g.was, g.known = s.conn.rooms[room.Num]
	g.now = told{pos: s.until, interest: want, limit: math.MaxInt32, extras: extras, counts: g.was.counts}
	if s.memo.direct[c.ID] {
		g.now.extras |= flagDM
	}
	g.out.open('{')
	switch membership := g.member.Membership(); {
	case membership == events.MembershipJoin:
		err = g.joined(ctx)
	case membership == events.MembershipInvite && g.memo.settings.withholds(g.member.Sender): // SLIDE-17
		if told, err := g.leaveUnseen(ctx); !told || err != nil {
			return err
		}
	case membership == events.MembershipInvite, membership == events.MembershipKnock:
		err = g.stripped(ctx)
	default:
		err = g.left(ctx)
	}
	if err != nil {
		return err
	}
	if g.some && g.V4 {
		g.standing(in)
	}
	g.out.close('}')
	if g.some {
		s.sections = append(s.sections, section{room.ID, g.out.buf})
	}
	s.rooms[room.Num] = g.now
	return nil
}

// name chooses the name that a member has in the form of the answer.
func (g *glance) name(before, v4 string) string {
	if g.V4 {
		return v4
	}
	return before
}

// standing tells what the room is to the user and in which lists (SLIDE-52).
func (g *glance) standing(in source) {
	g.field("membership").string(g.member.Membership())
	if len(in.lists) == 0 {
		return
	}
	w := g.field("lists")
	w.open('[')
	for _, name := range in.lists {
		w.string(name)
	}
	w.close(']')
}

// joined tells of a room that the user is in: from the beginning, unless they have
// been in it since the client was last told.
func (g *glance) joined(ctx context.Context) error {
	stayed := g.known && g.member.Pos <= g.was.pos
	if g.known && !stayed {
		if err := g.know(ctx); err != nil {
			return err
		}
		stayed = g.scope.JoinedThroughout(g.was.pos, g.until)
	}
	return g.tellAbout(ctx, !stayed)
}

// know sees to it that the scope knows what has happened since the client was told.
func (g *glance) know(ctx context.Context) error {
	if g.scope.Knows(g.was.pos) {
		return nil
	}
	return g.Memory.View(ctx, g.scope.Load)
}

// stripped tells of a room that the user is invited to or knocks on: once, and again
// when it becomes a direct chat or ceases to be one (SLIDE-39).
func (g *glance) stripped(ctx context.Context) error {
	g.initial = !g.known || g.member.Pos > g.was.pos
	if g.initial {
		g.field("initial").bool(true)
		g.field("bump_stamp").int(int(g.member.Pos)) // SLIDE-38
	}
	g.direct()
	if g.some { // without it, clients would take the room for a joined one
		g.field(g.name("invite_state", "stripped_state")).raw(reader.AppendStripped(nil, g.room, g.until, g.member))
	}
	return g.tellExtras(ctx)
}

// left tells of a room that the user has left or was removed from, up to that
// (SLIDE-40).
func (g *glance) left(ctx context.Context) error {
	if err := g.Memory.View(ctx, g.scope.Load); err != nil {
		return err
	}
	if place, _ := g.user.Place(g.room.Num); place.Forgotten { // listed for the last time
		g.conn.roster.forgets = -1
	}
	g.end = g.scope.LastLeft()
	if g.end == 0 || g.known && g.end <= g.was.pos && g.member.Pos > g.was.pos { // nothing to see but the own event
		return g.tellOwn(ctx)
	}
	return g.tellAbout(ctx, !g.known || g.end > g.was.pos && g.scope.MembershipAt(g.was.pos) != events.MembershipJoin)
}

// tellOwn tells of the user's own member event and nothing else, such as that an
// invite was declined or taken back.
func (g *glance) tellOwn(ctx context.Context) error {
	if g.known && g.member.Pos <= g.was.pos {
		return nil
	}
	if !g.known {
		g.field("initial").bool(true)
	}
	g.field("bump_stamp").int(int(g.member.Pos))
	if g.V4 {
		g.field("stripped_state").open('[')
		g.out.raw(g.member.AppendStripped(nil))
	} else {
		g.field("required_state").open('[')
		g.event(g.member)
	}
	g.out.close(']')
	return g.tellExtras(ctx)
}

// tellAbout tells of a room whose history the user sees: everything, or what is new
// since the client was told.
func (g *glance) tellAbout(ctx context.Context, initial bool) error {
	g.initial = initial
	g.expanded = !initial && g.want.limit > int(g.was.limit)
	g.raised = !initial && (!g.was.interest.coversState(g.want) || g.outside())
	if err := g.readTimeline(ctx); err != nil {
		return err
	}
	state, err := g.state(ctx)
	if err != nil {
		return err
	}
	if initial {
		g.field("initial").bool(true) // SLIDE-31
	}
	if g.expanded {
		g.field(g.name("unstable_expanded_timeline", "expanded_timeline")).bool(true) // SLIDE-26
	}
	if initial || g.expanded || len(g.page.events) > 0 || g.page.limited {
		if err := g.writeTimeline(ctx); err != nil {
			return err
		}
	}
	if len(state) > 0 || initial {
		g.field("required_state").open('[')
		for _, e := range state {
			g.event(e)
		}
		g.out.close(']')
	}
	if err := g.describe(ctx); err != nil {
		return err
	}
	if err := g.bump(ctx); err != nil {
		return err
	}
	g.direct()
	if g.member.Membership() == events.MembershipJoin && !g.V4 {
		if err := g.count(ctx); err != nil {
			return err
		}
	}
	return g.tellExtras(ctx)
}

// outside tells whether the entry would say something of a room that the user has left
// but not that they have. Clients take such an entry for that of a joined room, so it
// tells the whole state again, with the user's own member event (SLIDE-40).
func (g *glance) outside() bool {
	return !g.V4 && g.member.Membership() != events.MembershipJoin && (g.expanded || g.redirected())
}

// field begins a member of the entry, whose value must follow.
func (g *glance) field(name string) *writer {
	g.some = true
	g.out.key(name)
	return &g.out
}

func (g *glance) event(e *live.Event) {
	g.out.separate()
	g.out.buf = g.form.Append(g.out.buf, g.scope, e)
}
