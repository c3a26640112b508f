package sync

import (
	"context"
	"slices"
	"strings"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// answer is the making of one answer: what happened after since and up to until.
type answer struct {
	*Service
	Request
	user         *live.User
	since, until store.Pos
	first        bool
	form         *reader.Form
	own          store.Pos // when memo was current
	memo         memo
	device       deviceData
	data         accountData
	presence     [][]byte           // rendered
	rooms        map[string]*writer // the rooms of each part
	mark         string             // of the token that the client has come with
	known        members            // that the client knows by that
	introduced   []store.Pos        // members that the answer sends
	empty        bool
	out          writer
}

func (s *Service) answer(r Request, u *live.User, since store.Pos, first bool) *answer {
	a := &answer{Service: s, Request: r, user: u, since: since, until: s.Memory.Position(), first: first, empty: true}
	a.form = s.Reader.Form(r.Device)
	a.form.OmitRoomID = true
	a.form.Filter = r.Filter
	return a
}

// full reports whether the whole state of rooms is to be told.
func (a *answer) full() bool { return a.first || a.FullState }

func (a *answer) make(ctx context.Context) error {
	a.memo, a.own = recall(a.user)
	if err := a.readDevice(ctx); err != nil {
		return err
	}
	if err := a.readAccountData(ctx); err != nil {
		return err
	}
	a.form.Ignored = a.memo.settings.ignored.Users
	known := a.memo
	a.user.SetMemo(a.own, &known)
	if a.mayOmit() {
		_, a.mark, _ = strings.Cut(a.Since, ".")
		a.known = a.acquaintances.recall(deviceKey{a.User, a.Device}, a.mark)
	}
	w := &a.out
	w.open('{')
	if err := a.writeRooms(ctx); err != nil {
		return err
	}
	if err := a.readDeviceLists(ctx); err != nil {
		return err
	}
	if err := a.readPresence(ctx); err != nil {
		return err
	}
	if a.data.global != nil {
		a.empty = false
		writeEvents(w, "account_data", a.data.global)
	}
	if a.presence != nil {
		a.empty = false
		writeEvents(w, "presence", a.presence)
	}
	a.writeDevice()
	w.key("next_batch")
	w.string(a.token())
	w.close('}')
	return nil
}

// token is the token of the answer, which says what the client knows if it comes back
// with it.
func (a *answer) token() string {
	if a.mayOmit() {
		if mark := a.acquaintances.told(deviceKey{a.User, a.Device}, a.mark, a.introduced); mark != "" {
			return reader.MarkedToken(a.until, mark)
		}
	}
	return reader.Token(a.until)
}

// writeRooms writes the rooms, if there are any. Those that the user is in are nearly all
// of a large answer: they are written where they will stay, the others after them.
func (a *answer) writeRooms(ctx context.Context) error {
	w, before := &a.out, a.out
	w.key("rooms")
	w.open('{')
	none := *w
	w.key("join")
	w.open('{')
	first := len(w.buf)
	if err := a.makeRooms(ctx); err != nil {
		return err
	}
	if len(w.buf) > first {
		w.close('}')
	} else {
		w.buf, w.comma = w.buf[:len(none.buf)], none.comma
	}
	for _, part := range []string{"invite", "knock", "leave"} {
		if rooms := a.rooms[part]; rooms != nil {
			w.key(part)
			w.open('{')
			w.raw(rooms.buf)
			w.close('}')
		}
	}
	if len(w.buf) == len(none.buf) {
		w.buf, w.comma = w.buf[:len(before.buf)], before.comma
		return nil
	}
	a.empty = false
	w.close('}')
	return nil
}

// begin begins the section of a room in a part of the answer. The section ends with
// close('}').
func (a *answer) begin(part string, room events.RoomID) *writer {
	w := &a.out
	if part != "join" {
		if a.rooms == nil {
			a.rooms = map[string]*writer{}
		}
		if w = a.rooms[part]; w == nil {
			w = &writer{}
			a.rooms[part] = w
		}
	}
	w.key(string(room))
	w.open('{')
	return w
}

// expect makes room for what is still to come when some of the rooms are written, so
// that a large answer is not copied again and again while it grows.
func (a *answer) expect(written, total int) {
	if written == 0 {
		return
	}
	if mean := len(a.out.buf) / written; cap(a.out.buf)-len(a.out.buf) < 2*mean {
		a.out.buf = slices.Grow(a.out.buf, mean*(total-written)*5/4)
	}
}
