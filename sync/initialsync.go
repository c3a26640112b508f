package sync

import (
	"context"
	"encoding/json"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/presence"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// InitialRequest asks for everything, as clients did before /sync.
type InitialRequest struct {
	User   events.UserID
	Device string
	// Limit is how many messages each room has; negative for the default.
	Limit int
	// Archived adds the rooms that the user has left.
	Archived bool
}

func (r InitialRequest) limit() int {
	if r.Limit < 0 {
		return defaultTimeline
	}
	return min(r.Limit, maxTimeline)
}

// InitialSync answers GET /initialSync.
func (s *Service) InitialSync(ctx context.Context, r InitialRequest) (json.RawMessage, error) {
	u, err := s.Memory.Connect(ctx, r.User, 0)
	if err != nil {
		return nil, err
	}
	defer s.Memory.Disconnect(u)
	a, err := s.legacy(ctx, u, Request{User: r.User, Device: r.Device, Filter: ofOne("")}, 0, true)
	if err != nil {
		return nil, err
	}
	w := &a.out
	w.open('{')
	w.key("end")
	w.string(reader.Token(a.until))
	var receipts [][]byte
	w.key("rooms")
	w.open('[')
	for _, c := range u.RoomsSince(0) {
		v, err := a.visitRoom(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		if v == nil || c.Forgotten {
			continue
		}
		v.out = &a.out
		if err := v.info(ctx, r); err != nil {
			return nil, err
		}
		list, err := v.ephemeral(ctx, true)
		if err != nil {
			return nil, err
		}
		if v.member.Membership() == events.MembershipJoin {
			receipts = append(receipts, ofRoom(list.events, c.ID)...)
		}
	}
	w.close(']')
	w.list("presence", a.presence)
	w.list("account_data", a.data.global)
	w.list("receipts", receipts)
	w.close('}')
	return w.buf, nil
}

// RoomInitialSync answers GET /rooms/{roomId}/initialSync, also to those who only
// look in.
func (s *Service) RoomInitialSync(ctx context.Context, id events.RoomID, r InitialRequest) (json.RawMessage, error) {
	access, err := s.Reader.Enter(ctx, r.User, id)
	if err != nil {
		return nil, err
	}
	u, err := s.Memory.Connect(ctx, r.User, 0)
	if err != nil {
		return nil, err
	}
	defer s.Memory.Disconnect(u)
	a, err := s.legacy(ctx, u, Request{User: r.User, Device: r.Device, Filter: ofOne(id)}, 0, true)
	if err != nil {
		return nil, err
	}
	v := &visit{answer: a, room: access.Room, scope: access.Scope, member: access.Member(), end: min(a.until, access.Until), out: &a.out}
	w := v.out
	w.open('{')
	if err := v.content(ctx, r.limit()); err != nil {
		return nil, err
	}
	list, err := v.ephemeral(ctx, true)
	if err != nil {
		return nil, err
	}
	var present [][]byte
	for _, m := range v.room.Members(events.MembershipJoin) {
		if p, ok := s.Presence.Of(events.UserID(*m.StateKey)); ok && p.State != presence.Offline {
			present = append(present, s.Presence.AppendJSON(nil, p))
		}
	}
	w.list("presence", present)
	w.list("receipts", ofRoom(list.events, id))
	w.close('}')
	return w.buf, nil
}

// ofOne is the filter for the data of one room, or of all if room is empty.
func ofOne(room events.RoomID) *events.Filter {
	f := &events.Filter{}
	if room != "" {
		f.Room.Rooms = []events.RoomID{room}
	}
	return f
}

// legacy begins an answer of the old kind: events have their room's ID, and at top
// level what has since moved into unsigned (LEG-9).
func (s *Service) legacy(ctx context.Context, u *live.User, r Request, since store.Pos, first bool) (*answer, error) {
	a := s.answer(r, u, since, first)
	a.form.OmitRoomID, a.form.Legacy = false, true
	a.memo, a.own = recall(a.user)
	if err := a.readAccountData(ctx); err != nil {
		return nil, err
	}
	a.form.Ignored = a.memo.settings.ignored.Users
	return a, a.readPresence(ctx)
}

// shown reports whether the user is told of an event: as in /sync.
func (a *answer) shown(e *events.Event) bool { return !a.memo.settings.hides(e) }

// info writes the entry of a room in the answer to GET /initialSync (LEG-7).
func (v *visit) info(ctx context.Context, r InitialRequest) error {
	w := v.out
	switch v.member.Membership() {
	case events.MembershipJoin:
		v.end = v.until
	case events.MembershipInvite:
		if v.memo.settings.withholds(v.member.Sender) {
			return nil
		}
		w.open('{')
		w.key("room_id")
		w.string(string(v.room.ID))
		w.key("membership")
		w.string(events.MembershipInvite)
		w.key("invite")
		v.event(v.member)
		w.key("inviter")
		w.string(string(v.member.Sender))
		w.close('}')
		return nil
	case events.MembershipLeave, events.MembershipBan:
		if !r.Archived {
			return nil
		}
		if err := v.Memory.View(ctx, v.scope.Load); err != nil {
			return err
		}
		if v.end = v.scope.LastLeft(); v.end == 0 {
			return nil
		}
	default: // knocks came later than this endpoint
		return nil
	}
	w.open('{')
	if err := v.content(ctx, r.limit()); err != nil {
		return err
	}
	w.close('}')
	return nil
}

// content writes what both endpoints tell of a room, up to v.end.
func (v *visit) content(ctx context.Context, limit int) error {
	page, err := v.Reader.Back(ctx, v.scope, v.end, 0, limit, v.shown)
	if err != nil {
		return err
	}
	state, err := v.Reader.StateAt(ctx, v.room, v.end, true)
	if err != nil {
		return err
	}
	visibility := "private"
	err = v.Memory.View(ctx, func(view store.View) error {
		lists, err := view.ListsOf(v.room.Num)
		if len(lists) > 0 {
			visibility = "public"
		}
		return err
	})
	if err != nil {
		return err
	}
	w := v.out
	w.key("room_id")
	w.string(string(v.room.ID))
	if v.member != nil {
		w.key("membership")
		w.string(v.member.Membership())
	}
	w.key("messages")
	w.open('{')
	w.key("start")
	w.string(reader.Token(page.Next))
	w.key("end")
	w.string(reader.Token(v.end))
	w.key("chunk")
	w.open('[')
	for i := len(page.Events) - 1; i >= 0; i-- {
		v.event(page.Events[i])
	}
	w.close(']')
	w.close('}')
	w.key("state")
	w.open('[')
	for _, e := range state {
		v.event(e)
	}
	w.close(']')
	w.key("visibility")
	w.string(visibility)
	w.list("account_data", v.data.rooms[v.room.ID])
	return nil
}

// list writes a member that is a list of what is rendered already.
func (w *writer) list(name string, list [][]byte) {
	w.key(name)
	w.open('[')
	for _, e := range list {
		w.raw(e)
	}
	w.close(']')
}

// ofRoom adds to rendered events the ID of the room that they are of.
func ofRoom(list [][]byte, room events.RoomID) [][]byte {
	out := make([][]byte, len(list))
	for i, e := range list {
		b := events.AppendString([]byte(`{"room_id":`), string(room))
		out[i] = append(append(b, ','), e[1:]...)
	}
	return out
}
