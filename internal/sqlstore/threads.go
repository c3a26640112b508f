package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// ThreadsBefore implements store.Threads.
func (v *view) ThreadsBefore(room store.RoomNum, from store.Pos, user events.UserID, limit int) ([]store.Thread, error) {
	scan := func(r row) store.Thread { return store.Thread{Root: store.Pos(r.int(0)), Latest: store.Pos(r.int(1))} }
	const page = `SELECT t.root, t.latest FROM hs_threads t WHERE t.room = ? AND t.latest <= ? `
	const order = `ORDER BY t.latest DESC LIMIT ?`
	if user == "" {
		return all(v, scan, page+order, int64(room), int64(from), int64(max(limit, 0)))
	}
	return all(v, scan, page+`AND EXISTS (SELECT 1 FROM hs_thread_participants p WHERE p.root = t.root AND p.user_id = ?) `+order,
		int64(room), int64(from), string(user), int64(max(limit, 0)))
}

// ThreadParticipants implements store.Threads.
func (v *view) ThreadParticipants(roots []store.Pos) (list []store.ThreadParticipant, err error) {
	for args := range chunks(roots, func(p store.Pos) any { return int64(p) }) {
		err := v.query(`SELECT root, user_id, events, latest FROM hs_thread_participants WHERE root IN `+inChunk,
			func(r row) {
				list = append(list, store.ThreadParticipant{
					Root: store.Pos(r.int(0)), User: events.UserID(r.text(1)), Events: int(r.int(2)), Latest: store.Pos(r.int(3)),
				})
			}, args...)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// addToThread counts an event in the thread that it is related to.
func (t *tx) addToThread(r store.Relation) error {
	root, pos := int64(r.Target), int64(r.Pos)
	_, err := t.exec(`INSERT INTO hs_threads (root, room, latest) VALUES (?, ?, ?) ON CONFLICT (root) DO UPDATE SET latest = excluded.latest`,
		root, int64(r.Room), pos)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO hs_thread_participants (root, user_id, started, events, latest) VALUES (?, ?, 1, 0, 0) ON CONFLICT DO NOTHING`,
		root, string(r.Starter))
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO hs_thread_participants (root, user_id, started, events, latest) VALUES (?, ?, 0, 1, ?)
		ON CONFLICT (root, user_id) DO UPDATE SET events = events + 1, latest = excluded.latest`, root, string(r.Event.Sender), pos)
	return err
}

// takeFromThread counts an event no longer whose relation has just been deleted. A
// thread without events is none.
func (t *tx) takeFromThread(root store.Pos, sender events.UserID) error {
	_, err := t.exec(`UPDATE hs_thread_participants SET events = events - 1, latest = coalesce((SELECT r.pos FROM hs_relations r
			WHERE r.target = ? AND r.rel_type = 'm.thread' AND +r.depth = 1 AND r.sender = ? ORDER BY r.pos DESC LIMIT 1), 0)
		WHERE root = ? AND user_id = ?`, int64(root), string(sender), int64(root), string(sender))
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM hs_thread_participants WHERE root = ? AND user_id = ? AND events = 0 AND started = 0`,
		int64(root), string(sender))
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE hs_threads SET latest = (SELECT max(p.latest) FROM hs_thread_participants p WHERE p.root = ?) WHERE root = ?`,
		int64(root), int64(root))
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM hs_threads WHERE root = ? AND latest = 0`, int64(root))
	return err
}
