// Package todevice is the service for messages from device to device: they are
// kept, in order, until the device they are for has certainly got them. The
// server reads none of them.
//
// # For /sync
//
// A response to a device contains the messages that [Service.Pending] returns
// for the View that the response is made from: those after the position of the
// request's token and up to the position of the one to come. Where there are more
// than fit, the next token must not be after the position up to which Pending
// says the device has everything, or the rest would count as delivered; and such
// a response does not wait for news (TD-7, SYNC-52).
//
// By using a token the client says that it has got everything up to there. If
// some of that is still stored, Pending says so, and [Service.Acknowledge]
// removes it, before or after the response. A client that repeats an older token
// gets again what was not acknowledged (TD-8, TD-9). Initial responses begin
// after position 0 and acknowledge nothing (TD-10).
package todevice

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const (
	// maxRecipients is how many devices, or users with all their devices, a
	// request may name; clients name up to 250 (CLIENTC-10).
	maxRecipients = 1000
	// maxContent is the size of a message's content in bytes (TD-15).
	maxContent = 64 << 10
	// pageSize is how many messages a response has at most (TD-7).
	pageSize = 100
	// remembered is how long the repeat of a request is recognised (TD-2).
	remembered = 7 * 24 * time.Hour
)

// MaxRequest is the size of the largest request in bytes: 250 messages of
// the largest size and what is around them.
const MaxRequest = 250*maxContent + 1<<20

// Waker wakes the waiting syncs of a user.
type Waker interface {
	// UserChanged says that there is something new for a user at a position. It
	// is called while the store commits, in the order of the positions, and
	// must be quick.
	UserChanged(user events.UserID, pos store.Pos)
}

// Config is what the service needs. All fields are required.
type Config struct {
	Store store.Store
	Now   func() time.Time // the clock
	Waker Waker
}

// Service is the service for messages to devices. Its methods may be called at
// once and from any goroutine.
type Service struct{ Config }

// New makes the service. It starts nothing that would have to be stopped.
func New(cfg Config) *Service { return &Service{cfg} }

// Messages are those of one request.
type Messages struct {
	Sender  events.UserID
	Device  string // of the sender; empty for services that act without one
	Type    string
	TxnID   string
	Content map[string]map[string]json.RawMessage // by user and device; "*" is all devices of the user
}

// Send stores messages for all their devices, durably and at once, and wakes
// them. Unknown users and devices are skipped (TD-4); a request that was sent
// before does nothing (TD-2). M_BAD_JSON, M_TOO_LARGE.
func (s *Service) Send(ctx context.Context, m Messages) error {
	if err := m.check(); err != nil {
		return err
	}
	txn := store.Txn{Device: m.Device, Path: m.Type, ID: m.TxnID}
	now := s.Now()
	return s.Store.Update(ctx, func(tx store.Tx) error {
		if sent, err := tx.SentToDevice(m.Sender, txn); err != nil || sent {
			return err
		}
		if err := tx.PutSentToDevice(m.Sender, txn, now.UnixMilli(), now.Add(-remembered).UnixMilli()); err != nil {
			return err
		}
		pos := tx.Next()
		for _, user := range slices.Sorted(maps.Keys(m.Content)) {
			n, err := m.put(tx, events.UserID(user), pos)
			if err != nil {
				return err
			}
			if n > 0 {
				tx.OnCommit(func() { s.Waker.UserChanged(events.UserID(user), pos) }) // TD-11
			}
		}
		return nil
	})
}

func (m *Messages) check() error {
	recipients := 0
	for user, devices := range m.Content {
		for device, content := range devices {
			recipients++
			if !gjson.ParseBytes(content).IsObject() {
				return mxerr.BadJSON("messages.%s.%s must be an object", user, device)
			}
			if len(content) > maxContent {
				return mxerr.TooLarge("a message may have at most %d bytes", maxContent)
			}
		}
	}
	if recipients > maxRecipients {
		return mxerr.TooLarge("a request may have at most %d recipients", maxRecipients)
	}
	return nil
}

// put stores the messages for one user's devices. A device that is named gets
// what is for it and not what is for all (TD-6).
func (m *Messages) put(tx store.Tx, user events.UserID, pos store.Pos) (n int64, err error) {
	devices := slices.SortedFunc(maps.Keys(m.Content[string(user)]), func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == store.AllDevices:
			return 1
		}
		return -1
	})
	for _, device := range devices {
		added, err := tx.PutToDevice(store.ToDeviceMessage{
			User: user, Device: device, Pos: pos, JSON: m.event(m.Content[string(user)][device]),
		})
		if err != nil {
			return n, err
		}
		n += added
	}
	return n, nil
}

// event is a message as the device gets it (TD-5).
func (m *Messages) event(content json.RawMessage) []byte {
	b := make([]byte, 0, len(content)+len(m.Sender)+len(m.Type)+40)
	b = append(append(b, `{"content":`...), content...)
	b = events.AppendString(append(b, `,"sender":`...), string(m.Sender))
	b = events.AppendString(append(b, `,"type":`...), m.Type)
	return append(b, '}')
}

// Pending returns the messages for a device after a position and up to another,
// the oldest ones if there are more than the limit or a hundred, as of the View
// (TD-6, TD-7). With those the device has everything up to upTo: that is until, or
// the position of the last message if there are more. stale says that some up to
// the position after are still stored.
func (s *Service) Pending(v store.View, user events.UserID, device string, after, until store.Pos, limit int) (messages []json.RawMessage, upTo store.Pos, stale bool, err error) {
	first, err := v.FirstToDevice(user, device)
	if err != nil || first > until {
		return nil, until, false, err // the usual case
	}
	limit = min(max(limit, 1), pageSize)
	rows, err := v.ToDevice(user, device, after, until, limit+1)
	if len(rows) > limit {
		rows = rows[:limit]
		until = rows[limit-1].Pos
	}
	for _, row := range rows {
		messages = append(messages, row.JSON)
	}
	return messages, until, first <= after, err
}

// Acknowledge removes the messages for a device up to a position: the device has
// got them (TD-8).
func (s *Service) Acknowledge(ctx context.Context, user events.UserID, device string, until store.Pos) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return tx.DeleteToDevice(user, device, until) })
}
