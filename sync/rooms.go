package sync

import (
	"context"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// makeRooms makes the sections of all rooms that belong into the answer.
func (a *answer) makeRooms(ctx context.Context) error {
	from := a.since
	if a.full() {
		from = 0
	}
	told := map[events.RoomID]bool{}
	changes := a.user.RoomsSince(from)
	if from > 0 && from < a.user.From { // typing that nobody has followed for the user
		changes = append(changes, a.Typing.ChangedSince(from)...)
	}
	for i, c := range changes {
		a.expect(i, len(changes))
		if told[c.ID] {
			continue
		}
		told[c.ID] = true
		if err := a.makeRoom(ctx, c); err != nil {
			return err
		}
	}
	for id, data := range a.data.rooms { // rooms where nothing else is new
		if told[id] {
			continue
		}
		room, err := a.Memory.Room(ctx, id)
		switch {
		case errors.Is(err, store.ErrNotFound): // data may be set for any room ID
		case err != nil:
			return err
		case room.Membership(a.User) == events.MembershipJoin:
			v := &visit{answer: a, room: room, scope: reader.NewScope(room, a.User)}
			w := v.begin("join")
			if v.StateAfter != "" { // SYNC-23: also empty
				w.openEvents(v.StateAfter)
				w.closeEvents()
			}
			if err := v.unread(ctx, a.until); err != nil {
				return err
			}
			writeEvents(w, "account_data", data)
			w.close('}')
		}
	}
	return nil
}

// makeRoom decides in which section a room that changed is told of (SYNC-26).
func (a *answer) makeRoom(ctx context.Context, c live.RoomChange) error {
	if !a.Filter.Room.MatchRoom(c.ID) { // FILT-12
		return nil
	}
	room, err := a.room(ctx, c)
	if errors.Is(err, store.ErrNotFound) { // only just made, after until
		return nil
	}
	if err != nil {
		return err
	}
	v := &visit{answer: a, room: room, scope: reader.NewScope(room, a.User)}
	members, err := a.Reader.MembersAt(ctx, room, a.until, []events.UserID{a.User})
	if err != nil || len(members) == 0 { // invited or joined after until
		return err
	}
	v.member, v.end = members[0], a.until
	changed := v.member.Pos > a.since
	switch v.member.Membership() {
	case events.MembershipJoin:
		return v.join(ctx)
	case events.MembershipInvite:
		switch {
		case v.memo.settings.withholds(v.member.Sender): // SYNC-46
			return v.leaveUnseen(ctx)
		case changed || a.full(): // SYNC-45
			v.stripped("invite", "invite_state")
		}
	case events.MembershipKnock:
		if changed || a.full() {
			v.knock()
		}
	default:
		return v.leave(ctx, c.Forgotten)
	}
	return nil
}

// room reads a room that belongs into the answer, with no more in memory than before if
// the answer has all of the user's rooms.
func (a *answer) room(ctx context.Context, c live.RoomChange) (*live.Room, error) {
	switch {
	case a.first && a.Filter.Room.State.LazyLoadMembers && c.Membership == events.MembershipJoin:
		return a.Memory.Sketch(ctx, c.ID, a.User, a.timelineLimit()+1)
	case a.full():
		return a.Memory.Look(ctx, c.ID)
	}
	return a.Memory.Room(ctx, c.ID)
}

// visit is the making of one room's section.
type visit struct {
	*answer
	room   *live.Room
	scope  *reader.Scope
	member *live.Event // the user's own at the end of the interval
	end    store.Pos   // the user may not know the state after this
	out    *writer
}

// join tells of a room that the user is in.
func (v *visit) join(ctx context.Context) error {
	stayed, err := v.stayed(ctx)
	if err != nil {
		return err
	}
	return v.tell(ctx, "join", v.until, stayed)
}

// stayed reports whether the user was joined during the whole interval
// (SYNC-25, SYNC-27).
func (v *visit) stayed(ctx context.Context) (bool, error) {
	if v.first {
		return false, nil
	}
	if v.member.Pos <= v.since {
		return true, nil
	}
	if err := v.know(ctx); err != nil {
		return false, err
	}
	return v.scope.JoinedThroughout(v.since, v.until), nil
}

// know sees to it that the scope knows the interval.
func (v *visit) know(ctx context.Context) error {
	if v.scope.Knows(v.since) {
		return nil
	}
	return v.Memory.View(ctx, v.scope.Load)
}

// leave tells of a room that the user has left or been banned from, up to that
// event (SYNC-47 to SYNC-50).
func (v *visit) leave(ctx context.Context, forgotten bool) error {
	recent := !v.first && v.member.Pos > v.since
	if !recent && (forgotten || !v.full() || !v.Filter.Room.IncludeLeave) {
		return nil
	}
	if err := v.Memory.View(ctx, v.scope.Load); err != nil {
		return err
	}
	v.end = v.scope.LastLeft()
	switch {
	case v.end == 0 && !recent: // an invite declined long ago
		return nil
	case v.end == 0, recent && v.end <= v.since: // nothing to see but the own event
		return v.tellOnly(ctx, v.member)
	}
	return v.tell(ctx, "leave", v.end, recent && v.scope.MembershipAt(v.since) == events.MembershipJoin && !v.FullState)
}

// tell writes the section of a room whose history the user sees: what is new up to
// a position if they have been told of the room before, or else everything.
func (v *visit) tell(ctx context.Context, part string, until store.Pos, before bool) error {
	t, err := v.timeline(ctx, until, before)
	if err != nil {
		return err
	}
	if n := len(t.events); v.member.Pos > v.end && (n == 0 || t.events[n-1].Pos < v.member.Pos) && v.Filter.Room.Timeline.Match(v.member.Event) {
		t.events = append(t.events, v.member) // what became of the user after they left, a ban for one (SYNC-26)
	}
	whole := !before || v.FullState
	state, err := v.state(ctx, t, until, whole)
	if err != nil {
		return err
	}
	if !before && !v.first {
		if err := v.readRoomData(ctx, v.room.ID); err != nil {
			return err
		}
	}
	data := v.data.rooms[v.room.ID]
	summary := part == "join" && (whole || v.summaryChanged(until))
	var more ephemeral
	if part == "join" {
		if more, err = v.ephemeral(ctx, whole); err != nil {
			return err
		}
	}
	if part == "join" && len(t.events) == 0 && len(state) == 0 && !t.limited && !whole && !summary && data == nil && more.events == nil && !more.read {
		return nil // that they have left is told though a filter hides the event (SYNC-48)
	}
	if t.limited { // REL-9: else the client has heard of it all
		if err := v.form.Bundle(ctx, v.scope, t.events...); err != nil {
			return err
		}
	}
	v.write(part, t, state)
	if summary {
		v.summary()
	}
	if part == "join" {
		if err := v.unread(ctx, until); err != nil {
			return err
		}
	}
	if more.events != nil {
		writeEvents(v.out, "ephemeral", more.events)
	}
	if data != nil {
		writeEvents(v.out, "account_data", data)
	}
	v.out.close('}')
	return nil
}

// tellOnly writes a "leave" section with one event, and with whom it is about and whom
// by if the client needs to be told.
func (v *visit) tellOnly(ctx context.Context, e *live.Event) error {
	t := timeline{start: e.Pos - 1}
	if v.Filter.Room.Timeline.Match(e.Event) {
		t.events = append(t.events, e)
	}
	state, err := v.state(ctx, t, e.Pos, false)
	if err != nil {
		return err
	}
	v.write("leave", t, state)
	v.out.close('}')
	return nil
}

// write begins a section with a timeline and the state that goes with it.
func (v *visit) write(part string, t timeline, state []*live.Event) {
	w := v.begin(part)
	w.key("timeline")
	w.open('{')
	w.key("events")
	w.open('[')
	for _, e := range t.events {
		v.event(e)
	}
	w.close(']')
	w.key("limited")
	w.bool(t.limited)
	w.key("prev_batch")
	w.string(reader.Token(t.start))
	w.close('}')
	if v.StateAfter != "" {
		w.openEvents(v.StateAfter) // SYNC-23
	} else {
		w.openEvents("state") // SYNC-24
	}
	for _, e := range state {
		v.event(e)
	}
	w.closeEvents()
}

// begin begins the room's section.
func (v *visit) begin(part string) *writer {
	v.out = v.answer.begin(part, v.room.ID)
	return v.out
}

func (v *visit) event(e *live.Event) {
	v.out.separate()
	v.out.buf = v.form.Append(v.out.buf, v.scope, e)
}

func writeEvents(w *writer, name string, list [][]byte) {
	w.openEvents(name)
	for _, e := range list {
		w.raw(e)
	}
	w.closeEvents()
}
