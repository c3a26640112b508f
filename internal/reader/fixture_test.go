package reader

import (
	"fmt"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

const (
	alice, bob = events.UserID("@alice:test"), events.UserID("@bob:test")
	roomID     = events.RoomID("!r:test")
)

var version, _ = events.LookupVersion("10")

// house is a reader of one room, which alice has created and is in. Events are made
// without asking the authorisation rules.
type house struct {
	testing.TB
	*Reader
	st    store.Store
	clock int64 // origin_server_ts of the next event
}

func newHouse(t testing.TB) *house {
	t.Helper()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	h := &house{TB: t, st: st, clock: 1000}
	h.Reader = &Reader{Memory: live.New(st, live.DefaultLimit, h.now), Now: h.now}
	h.update(func(tx *live.Tx) error {
		d, err := tx.CreateRoom(roomID, version)
		if err != nil {
			return err
		}
		_, err = tx.Append(d, h.build(d, alice, events.TypeCreate, new(""), `{"creator":"@alice:test"}`), store.Txn{})
		return err
	})
	h.member(alice, "join")
	return h
}

func (h *house) now() time.Time { return time.UnixMilli(2000) }

func (h *house) update(fn func(tx *live.Tx) error) {
	h.Helper()
	if err := h.Memory.Update(h.Context(), fn); err != nil {
		h.Fatal(err)
	}
}

// forgetful makes the reader one that has just been started, with an empty memory.
func (h *house) forgetful() *house {
	fresh := *h
	fresh.Reader = &Reader{Memory: live.New(h.st, live.DefaultLimit, h.now), Now: h.now}
	return &fresh
}

func (h *house) build(d *live.Draft, sender events.UserID, typ string, key *string, content string) *events.Event {
	draft := events.Draft{Room: d.ID, Sender: sender, Type: typ, StateKey: key, Content: []byte(content), TS: h.clock, Depth: 1}
	if tip := d.Tip(); tip != nil {
		draft.Depth = tip.Depth + 1
		draft.PrevEvents = []events.Ref{{ID: tip.ID}}
	}
	e, err := version.Build(draft, "test", nil)
	if err != nil {
		panic(err)
	}
	return e
}

// add appends an event; skip positions are left out before it, as if other rooms had
// had them.
func (h *house) add(sender events.UserID, typ string, key *string, content string, skip int, txn store.Txn) (e *live.Event) {
	h.Helper()
	h.update(func(tx *live.Tx) error {
		for range skip {
			tx.Next()
		}
		d, err := tx.Room(roomID)
		if err != nil {
			return err
		}
		e, err = tx.Append(d, h.build(d, sender, typ, key, content), txn)
		return err
	})
	h.clock++
	return e
}

func (h *house) say(body string) *live.Event {
	h.Helper()
	return h.add(alice, "m.room.message", nil, fmt.Sprintf(`{"body":%q}`, body), 0, store.Txn{})
}

func (h *house) state(typ, content string) *live.Event {
	h.Helper()
	return h.add(alice, typ, new(""), content, 0, store.Txn{})
}

func (h *house) visibility(v string) *live.Event {
	h.Helper()
	return h.state(events.TypeHistoryVisibility, fmt.Sprintf(`{"history_visibility":%q}`, v))
}

func (h *house) member(user events.UserID, membership string) *live.Event {
	h.Helper()
	return h.add(user, events.TypeMember, new(string(user)), fmt.Sprintf(`{"membership":%q}`, membership), 0, store.Txn{})
}

func (h *house) redact(target *live.Event) (because *live.Event) {
	h.Helper()
	h.update(func(tx *live.Tx) error {
		d, err := tx.Room(roomID)
		if err != nil {
			return err
		}
		if because, err = tx.Append(d, h.build(d, alice, events.TypeRedaction, nil, `{"reason":"spam"}`), store.Txn{}); err != nil {
			return err
		}
		return tx.Redact(d, target, because)
	})
	return because
}

func (h *house) room() *live.Room {
	h.Helper()
	r, err := h.Memory.Room(h.Context(), roomID)
	if err != nil {
		h.Fatal(err)
	}
	return r
}

// scope is a user's view of the room, loaded.
func (h *house) scope(user events.UserID) *Scope {
	h.Helper()
	s := NewScope(h.room(), user)
	if err := h.Memory.View(h.Context(), s.Load); err != nil {
		h.Fatal(err)
	}
	return s
}

// all is the room's whole timeline, oldest first.
func (h *house) all() (list []*live.Event) {
	h.Helper()
	err := h.Memory.View(h.Context(), func(v store.View) error {
		rows, err := v.TimelineAfter(h.room().Num, 0, store.MaxPos, 1_000_000)
		if err != nil {
			return err
		}
		list, err = live.ParseAll(version, rows)
		return err
	})
	if err != nil {
		h.Fatal(err)
	}
	return list
}
