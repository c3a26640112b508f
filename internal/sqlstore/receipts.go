package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectReceipts = `SELECT room, user_id, type, thread, event_id, event_pos, ts, pos FROM hs_receipts `

func scanReceipt(r row) store.Receipt {
	return store.Receipt{
		Room:     store.RoomNum(r.int(0)),
		User:     events.UserID(r.text(1)),
		Type:     r.text(2),
		Thread:   r.text(3),
		Event:    events.EventID(r.text(4)),
		EventPos: store.Pos(r.int(5)),
		TS:       r.int(6),
		Pos:      store.Pos(r.int(7)),
	}
}

// ReceiptsSince implements store.Receipts.
func (v *view) ReceiptsSince(room store.RoomNum, since store.Pos) ([]store.Receipt, error) {
	return all(v, scanReceipt, selectReceipts+`WHERE room = ? AND pos > ? ORDER BY pos`, int64(room), int64(since))
}

// ReceiptsOf implements store.Receipts.
func (v *view) ReceiptsOf(user events.UserID, room store.RoomNum) ([]store.Receipt, error) {
	return all(v, scanReceipt, selectReceipts+`WHERE room = ? AND user_id = ? ORDER BY pos`, int64(room), string(user))
}

// ReceiptsChanged implements store.Receipts.
func (v *view) ReceiptsChanged(room store.RoomNum) (store.Pos, error) {
	return one(v, func(r row) store.Pos { return store.Pos(r.int(0)) },
		`SELECT coalesce(max(pos), 0) FROM hs_receipts WHERE room = ?`, int64(room))
}

// PutReceipt implements store.ReceiptWriter.
func (t *tx) PutReceipt(r store.Receipt) error {
	_, err := t.exec(`INSERT INTO hs_receipts (room, user_id, type, thread, event_id, event_pos, ts, pos)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (room, user_id, type, thread) DO UPDATE SET
		event_id = excluded.event_id, event_pos = excluded.event_pos, ts = excluded.ts, pos = excluded.pos`,
		int64(r.Room), string(r.User), r.Type, r.Thread, string(r.Event), int64(r.EventPos), r.TS, int64(r.Pos))
	return err
}
