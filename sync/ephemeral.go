package sync

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/receipts"
	"github.com/ca4c8834/homeserver/store"
)

// Typing knows who is typing.
type Typing interface {
	// In returns who types in a room, in order, and the position of the latest
	// change; 0 if nothing is known of the room.
	In(room events.RoomID) ([]events.UserID, store.Pos)
	// ChangedSince returns the rooms where that changed after a position.
	ChangedSince(pos store.Pos) []live.RoomChange
}

const (
	typeTyping  = "m.typing"
	typeReceipt = "m.receipt"
)

// ephemeral is what is new in a room beside its events.
type ephemeral struct {
	events [][]byte
	read   bool // the user has read something, so that counts may have changed (UNRD-4)
}

// ephemeral renders who types and who has read what in a room: all of it, or what
// has changed (SYNC-40, SYNC-41).
func (v *visit) ephemeral(ctx context.Context, whole bool) (e ephemeral, err error) {
	since := v.since
	if whole {
		since = 0
	}
	wanted := func(typ string) bool {
		filter := &v.Filter.Room.Ephemeral
		return filter.MatchRoom(v.room.ID) && filter.EventFilter.Match(typ, "", nil)
	}
	// Who has been told before that somebody types is told that nobody does.
	if users, pos := v.Typing.In(v.room.ID); (!v.first && pos > v.since || whole && len(users) > 0) && wanted(typeTyping) {
		e.events = append(e.events, typingEvent(users))
	}
	if v.room.ReceiptsChanged() <= since {
		return e, nil
	}
	var rows []store.Receipt
	err = v.Memory.View(ctx, func(view store.View) (err error) {
		rows, err = view.ReceiptsSince(v.room.Num, since)
		return err
	})
	if err != nil {
		return e, err
	}
	e.read = slices.ContainsFunc(rows, func(r store.Receipt) bool { return r.User == v.User })
	if event := receiptEvent(rows, v.User); event != nil && wanted(typeReceipt) {
		e.events = append(e.events, event)
	}
	return e, nil
}

func typingEvent(users []events.UserID) []byte {
	w := writer{}
	w.open('{')
	w.key("type")
	w.string(typeTyping)
	w.key("content")
	w.open('{')
	w.key("user_ids")
	w.open('[')
	for _, u := range users {
		w.string(string(u))
	}
	w.close(']')
	w.close('}')
	w.close('}')
	return w.buf
}

// receiptEvent renders the receipts that a user may see as one event (RCPT-7,
// RCPT-9), nil if there is none. Of a user's receipts of one type at one event the
// unthreaded one is shown (RCPT-8).
func receiptEvent(rows []store.Receipt, user events.UserID) []byte {
	rows = slices.DeleteFunc(rows, func(r store.Receipt) bool { return r.Type == receipts.Private && r.User != user })
	if len(rows) == 0 {
		return nil
	}
	slices.SortStableFunc(rows, func(a, b store.Receipt) int {
		return cmp.Or(cmp.Compare(a.EventPos, b.EventPos), cmp.Compare(a.Type, b.Type), cmp.Compare(a.User, b.User), cmp.Compare(a.Thread, b.Thread))
	})
	w := writer{}
	w.open('{')
	w.key("type")
	w.string(typeReceipt)
	w.key("content")
	w.open('{')
	for i, r := range rows {
		event := i == 0 || rows[i-1].Event != r.Event
		kind := event || rows[i-1].Type != r.Type
		if i > 0 && kind {
			w.close('}')
		}
		if i > 0 && event {
			w.close('}')
		}
		if event {
			w.key(string(r.Event))
			w.open('{')
		}
		if kind {
			w.key(r.Type)
			w.open('{')
		} else if rows[i-1].User == r.User {
			continue
		}
		w.key(string(r.User))
		w.open('{')
		w.key("ts")
		w.separate()
		w.buf = strconv.AppendInt(w.buf, r.TS, 10)
		if r.Thread != "" {
			w.key("thread_id")
			w.string(r.Thread)
		}
		w.close('}')
	}
	for range 4 {
		w.close('}')
	}
	return w.buf
}
