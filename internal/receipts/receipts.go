package receipts

import (
	"context"
	"errors"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
)

// The types of receipts. FullyRead is account data of the room and no receipt in
// the store's sense (RCPT-13).
const (
	Read      = "m.read"
	Private   = "m.read.private"
	FullyRead = "m.fully_read"
)

// MainThread stands for what is in no thread (RCPT-4).
const MainThread = "main"

// Service is the service for receipts. Its methods may be called at once and from
// any goroutine.
type Service struct {
	Memory *live.Memory
	Now    func() time.Time
	// Moved is told whose receipt has moved, while the store commits; nil: nobody
	// wants to know.
	Moved func(events.UserID)
}

// Receipt is one that a user sets.
type Receipt struct {
	Type  string
	Event events.EventID
	// Thread is nil for an unthreaded receipt.
	Thread *string
}

// Set sets receipts of a user in a room, in one go. One that is behind the one
// before it is ignored (RCPT-3). Errors: M_FORBIDDEN for those who are not in the
// room, M_NOT_FOUND for an unknown event, M_INVALID_PARAM for a type or thread that
// cannot be (RCPT-1, RCPT-5, RCPT-6).
func (s *Service) Set(ctx context.Context, user events.UserID, room events.RoomID, list ...Receipt) error {
	for _, r := range list {
		if err := r.check(); err != nil {
			return err
		}
	}
	return s.Memory.Update(ctx, func(tx *live.Tx) error {
		d, err := tx.Room(room)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err != nil || d.Membership(user) != events.MembershipJoin {
			return mxerr.Forbidden("%s is not in room %s", user, room)
		}
		targets := make([]*live.Event, len(list))
		for i, r := range list {
			if targets[i], err = target(tx, d, r); err != nil {
				return err
			}
		}
		for i, r := range list {
			if r.Type == FullyRead {
				err = s.setFullyRead(tx, d, user, targets[i])
			} else {
				err = s.set(tx, d, user, r, targets[i])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (r Receipt) check() error {
	switch {
	case r.Type != Read && r.Type != Private && r.Type != FullyRead:
		return mxerr.InvalidParam("receiptType", "must be m.read, m.read.private or m.fully_read")
	case r.Thread != nil && *r.Thread == "":
		return mxerr.InvalidParam("thread_id", "must not be empty")
	case r.Thread != nil && r.Type == FullyRead:
		return mxerr.InvalidParam("thread_id", "does not go with m.fully_read")
	}
	return nil
}

// target returns the event of a receipt, which must be in the room and, if there is
// one, the thread.
func target(tx *live.Tx, d *live.Draft, r Receipt) (*live.Event, error) {
	e, err := tx.Event(d, r.Event)
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerr.NotFound("event %s is not known in this room", r.Event)
	}
	if err != nil || r.Thread == nil {
		return e, err
	}
	fits := false
	if *r.Thread == MainThread {
		var root events.EventID
		root, err = reader.Thread(tx.Tx, d.Version, e.Event)
		fits = root == ""
	} else {
		fits, err = reader.RelatedTo(tx.Tx, d.Version, e.Event, events.EventID(*r.Thread))
	}
	if err == nil && !fits {
		err = mxerr.InvalidParam("thread_id", "is not the thread of the event")
	}
	return e, err
}

func (s *Service) set(tx *live.Tx, d *live.Draft, user events.UserID, r Receipt, e *live.Event) error {
	row := store.Receipt{Room: d.Num, User: user, Type: r.Type, Event: e.ID, EventPos: e.Pos, TS: s.Now().UnixMilli()}
	if r.Thread != nil {
		row.Thread = *r.Thread
	}
	before, err := tx.ReceiptsOf(user, d.Num)
	if err != nil {
		return err
	}
	for _, b := range before {
		if b.Type == row.Type && b.Thread == row.Thread && b.EventPos >= row.EventPos {
			return nil
		}
	}
	row.Pos = tx.Next()
	if err := tx.PutReceipt(row); err != nil {
		return err
	}
	alone := events.UserID("")
	if r.Type == Private { // RCPT-9
		alone = user
	}
	tx.ReceiptsChanged(d, row.Pos, alone)
	if s.Moved != nil {
		tx.OnCommit(func() { s.Moved(user) })
	}
	return nil
}

// setFullyRead moves the marker, which is account data of the room.
func (s *Service) setFullyRead(tx *live.Tx, d *live.Draft, user events.UserID, e *live.Event) error {
	before, err := tx.AccountDatum(user, d.ID, FullyRead)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if old, err := tx.Event(d, events.EventID(gjson.GetBytes(before.Content, "event_id").Str)); err == nil && old.Pos >= e.Pos {
		return nil
	} else if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	content := append(events.AppendString([]byte(`{"event_id":`), string(e.ID)), '}')
	pos := tx.Next()
	if err := tx.PutAccountDatum(user, store.AccountDatum{Room: d.ID, Type: FullyRead, Content: content, Pos: pos}); err != nil {
		return err
	}
	tx.UserChanged(user, pos)
	return nil
}
