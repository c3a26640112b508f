package sync

import (
	"context"

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
	a.form.Ignored = a.memo.settings.ignored
	known := a.memo
	a.user.SetMemo(a.own, &known)
	if err := a.makeRooms(ctx); err != nil {
		return err
	}
	if err := a.readDeviceLists(ctx); err != nil {
		return err
	}
	if err := a.readPresence(ctx); err != nil {
		return err
	}
	w := &a.out
	w.buf = make([]byte, 0, a.size()+1024)
	w.open('{')
	w.key("next_batch")
	w.string(reader.Token(a.until))
	if a.data.global != nil {
		a.empty = false
		writeEvents(w, "account_data", a.data.global)
	}
	if a.presence != nil {
		a.empty = false
		writeEvents(w, "presence", a.presence)
	}
	if len(a.rooms) > 0 {
		a.empty = false
		w.key("rooms")
		w.open('{')
		for _, part := range []string{"join", "invite", "knock", "leave"} {
			if rooms := a.rooms[part]; rooms != nil {
				w.key(part)
				w.open('{')
				w.raw(rooms.buf)
				w.close('}')
			}
		}
		w.close('}')
	}
	a.writeDevice()
	w.close('}')
	return nil
}

// begin begins the section of a room in a part of the answer. The section ends with
// close('}').
func (a *answer) begin(part string, room events.RoomID) *writer {
	if a.rooms == nil {
		a.rooms = map[string]*writer{}
	}
	w := a.rooms[part]
	if w == nil {
		w = &writer{}
		a.rooms[part] = w
	}
	w.key(string(room))
	w.open('{')
	return w
}

// size is roughly how long the rooms of the answer are.
func (a *answer) size() (n int) {
	for _, w := range a.rooms {
		n += len(w.buf)
	}
	return n
}
