package sync

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// section is what is told about one room.
type section struct {
	room events.RoomID
	json []byte
}

// Sliding answers a request for what is new on a connection with a JSON object. It
// returns at once without a position, and otherwise as soon as there is something
// to tell. Errors: M_UNKNOWN_POS for a position that the connection does not know, M_INVALID_PARAM for the token of an
// extension, the context's error.
func (s *Service) Sliding(ctx context.Context, r SlidingRequest) (json.RawMessage, error) {
	e, err := s.connections.open(&r)
	if err != nil {
		return nil, err
	}
	since, _ := reader.Position("pos", r.Pos, s.Memory.Position()) // a bad one is refused below
	u, err := s.Memory.Connect(ctx, r.User, since)
	if err != nil {
		return nil, err
	}
	defer s.Memory.Disconnect(u)

	timeout := min(r.Timeout, maxTimeout)
	var asked *asked
	var timer *time.Timer
	for {
		a, err := s.slide(ctx, &r, asked, u, e)
		if err != nil {
			return nil, err
		}
		if !a.empty || timeout <= 0 {
			return a.out.buf, nil
		}
		if timer == nil {
			timer = time.NewTimer(timeout)
			defer timer.Stop()
		}
		asked = a.asked
		since := a.until
		a = nil // a waiting request keeps no buffer
		select {
		case <-u.After(since):
		case <-timer.C:
			timeout = 0
		case <-s.Stopping.Done():
			timeout = 0
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// slide is the making of one answer on a connection.
type slide struct {
	*Service
	*SlidingRequest
	user  *live.User
	conn  *connection
	asked *asked
	own   store.Pos // when memo was current
	memo  memo
	form  *reader.Form

	first        bool                   // the connection begins
	since, until store.Pos              // of the answer
	data         []store.AccountDatum   // account data that has changed
	withData     map[events.RoomID]bool // the rooms that it is of

	// What the answer makes of the connection's memory.
	to    progress
	rooms map[store.RoomNum]told

	sections, roomData, receipts, typing []section

	empty bool
	out   writer
}

// slide makes an answer and takes it into the connection's memory. One answer of a
// connection is made at a time.
func (s *Service) slide(ctx context.Context, r *SlidingRequest, as *asked, u *live.User, e *entry) (*slide, error) {
	c := e.connection
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	defer c.end()
	if err := c.acknowledge(r.Pos); err != nil {
		return nil, err
	}
	if as == nil {
		if as = c.told.asked; as == nil || !as.same(r) {
			as = newAsked(r)
		}
	}
	a := &slide{
		Service: s, SlidingRequest: r, user: u, conn: c, asked: as,
		first: r.Pos == "", since: c.told.until, until: s.Memory.Position(),
		to: c.told, rooms: map[store.RoomNum]told{}, empty: true,
	}
	a.form = s.Reader.Form(r.Device)
	a.form.OmitRoomID = true
	if err := a.make(ctx); err != nil {
		return nil, err
	}
	a.to.until, a.to.asked, a.to.gone = a.until, as, c.gone
	pos := r.Pos
	if a.empty {
		c.advance(a.to, a.rooms)
	} else {
		pos = c.answered(a.to, a.rooms)
	}
	s.connections.weigh(e, c.size())
	a.finish(pos)
	return a, nil
}

// make finds what is to be told and renders it.
func (s *slide) make(ctx context.Context) error {
	if s.first || s.asked != s.conn.told.asked && s.asked.grown(s.conn.told.asked) {
		s.empty = false
	}
	if err := s.readMemo(ctx); err != nil {
		return err
	}
	if err := s.readData(ctx); err != nil {
		return err
	}
	if err := s.follow(ctx); err != nil {
		return err
	}
	changed, err := s.changed(ctx)
	if err != nil {
		return err
	}
	if err := s.tell(ctx, changed); err != nil {
		return err
	}
	s.out.open('{')
	if err := s.writeExtensions(ctx); err != nil {
		return err
	}
	s.empty = s.empty && s.sections == nil
	return nil
}

// finish writes what stands beside the extensions.
func (s *slide) finish(pos string) {
	w := &s.out
	w.key("lists")
	w.open('{')
	for _, name := range slices.Sorted(maps.Keys(s.Lists)) { // SLIDE-29
		w.key(name)
		w.open('{')
		w.key("count")
		w.int(len(s.conn.roster.lists[name].rooms))
		w.close('}')
	}
	w.close('}')
	w.key("pos")
	w.string(pos)
	writeSections(w, "rooms", s.sections)
	if s.TxnID != "" { // SLIDE-3
		w.key("txn_id")
		w.string(s.TxnID)
	}
	w.close('}')
}

func writeSections(w *writer, name string, list []section) {
	w.key(name)
	w.open('{')
	for _, s := range list {
		w.key(string(s.room))
		w.raw(s.json)
	}
	w.close('}')
}

// changed returns the rooms that have changed since the client was last told.
func (s *slide) changed(ctx context.Context) ([]live.RoomChange, error) {
	if s.first {
		return nil, nil
	}
	list := s.user.RoomsSince(s.since)
	if s.since >= s.user.From {
		return list, nil
	}
	for _, typing := range s.Typing.ChangedSince(s.since) { // that nobody has followed for the user
		c, err := s.place(ctx, typing.ID)
		if err != nil {
			return nil, err
		}
		if c.Num != 0 && c.Pos <= s.since {
			c.Pos = typing.Pos
			list = append(list, c)
		}
	}
	return list, nil
}

// tell renders the rooms that there is something to tell of. If the client asks for
// the same as before and no room has moved into a window because others have left,
// those are among the rooms that have changed; otherwise all windows are looked at
// (SLIDE-19, SLIDE-20).
func (s *slide) tell(ctx context.Context, changed []live.RoomChange) error {
	whole := s.asked != s.conn.told.asked || s.conn.gone != s.conn.told.gone
	for _, l := range s.Lists {
		whole = whole || !l.prefix()
	}
	if whole {
		return s.tellAll(ctx)
	}
	done := map[store.RoomNum]bool{}
	for _, c := range changed {
		done[c.Num] = true
		if err := s.lookAt(ctx, c); err != nil {
			return err
		}
	}
	for id := range s.withData {
		c, err := s.place(ctx, id)
		if err != nil {
			return err
		}
		if c.Num == 0 || done[c.Num] {
			continue
		}
		if err := s.lookAt(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// lookAt looks at a room that has changed.
func (s *slide) lookAt(ctx context.Context, c live.RoomChange) error {
	in, err := s.in(ctx, &c)
	if err != nil {
		return err
	}
	return s.look(ctx, c, in)
}

// tellAll looks at all rooms in windows and all subscriptions.
func (s *slide) tellAll(ctx context.Context) error {
	in := map[store.RoomNum]source{}
	for _, name := range slices.Sorted(maps.Keys(s.Lists)) {
		alone := []string{name}
		for _, r := range s.conn.roster.lists[name].window(s.Lists[name].Ranges) {
			if other, ok := in[r.room]; ok {
				in[r.room] = source{lists: append(slices.Clip(other.lists), name)}
			} else {
				in[r.room] = source{lists: alone}
			}
		}
	}
	for id := range s.asked.rooms {
		c, err := s.place(ctx, id)
		if err != nil {
			return err
		}
		listed, err := s.listed(ctx, &c)
		if err != nil {
			return err
		}
		if c.Num != 0 && listed { // SLIDE-14
			in[c.Num] = source{lists: in[c.Num].lists, subscribed: true}
		}
	}
	for id := range s.withData {
		if c, err := s.place(ctx, id); err != nil {
			return err
		} else if _, ok := in[c.Num]; !ok && c.Num != 0 {
			in[c.Num] = source{}
		}
	}
	for num, source := range in {
		if c, ok := s.user.Place(num); ok {
			if err := s.look(ctx, c, source); err != nil {
				return err
			}
		}
	}
	return nil
}

// place returns what a room is to the user; zero if nothing.
func (s *slide) place(ctx context.Context, id events.RoomID) (live.RoomChange, error) {
	room, err := s.Memory.Room(ctx, id)
	if errors.Is(err, store.ErrNotFound) { // anything may be subscribed to or have account data
		return live.RoomChange{}, nil
	}
	if err != nil {
		return live.RoomChange{}, err
	}
	c, _ := s.user.Place(room.Num)
	return c, nil
}

// look tells of a room if it is asked for and there may be something to tell.
func (s *slide) look(ctx context.Context, c live.RoomChange, in source) error {
	want, news := s.asked.interest(c.ID, in), s.withData[c.ID]
	was, known := s.conn.rooms[c.Num]
	if want == nil {
		if known && news { // to be told when it is asked for again
			was.extras &^= extraAccountData
			s.rooms[c.Num] = was
		}
		return nil
	}
	extras := s.extras(c.ID, in)
	if known && c.Pos <= was.pos && !news && extras&^was.extras == 0 && s.memo.direct[c.ID] == was.is(flagDM) &&
		want.limit <= int(was.limit) && was.interest.coversState(want) {
		return nil
	}
	return s.visit(ctx, c, want, extras, in)
}

// extras says which extensions are asked for a room.
func (s *slide) extras(room events.RoomID, in source) extras {
	var x extras
	for _, e := range []struct {
		scope *SlidingScope
		bit   extras
	}{{s.Extensions.AccountData, extraAccountData}, {s.Extensions.Receipts, extraReceipts}, {s.Extensions.Typing, extraTyping}} {
		if e.scope.includes(room, in) {
			x |= e.bit
		}
	}
	return x
}
