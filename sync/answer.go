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
	presence     [][]byte             // rendered
	rooms        map[string][]section // by the name of their part
	empty        bool
	out          writer
}

// section is what is told about one room.
type section struct {
	room events.RoomID
	json []byte
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
			if len(a.rooms[part]) == 0 {
				continue
			}
			w.key(part)
			w.open('{')
			for _, s := range a.rooms[part] {
				w.key(string(s.room))
				w.raw(s.json)
			}
			w.close('}')
		}
		w.close('}')
	}
	a.writeDevice()
	w.close('}')
	return nil
}

// add puts a room into a part of the answer.
func (a *answer) add(part string, room events.RoomID, json []byte) {
	if a.rooms == nil {
		a.rooms = map[string][]section{}
	}
	a.rooms[part] = append(a.rooms[part], section{room, json})
}
