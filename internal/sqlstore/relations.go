package sqlstore

import (
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// related is the condition for the rows of hs_relations that a query wants, with its
// arguments. A + keeps a condition from choosing the index.
func related(q store.RelatedQuery) (string, []any) {
	where, args := `target = ?`, []any{int64(q.Target)}
	if !q.Recurse {
		where += ` AND depth = 1`
		if q.Type != "" {
			where = `target = ? AND +depth = 1`
		}
	}
	if q.Type != "" {
		where, args = where+` AND rel_type = ?`, append(args, q.Type)
	}
	if q.EventType != "" {
		where, args = where+` AND type = ?`, append(args, q.EventType)
	}
	return where, args
}

// RelationsBefore implements store.Relations.
func (v *view) RelationsBefore(q store.RelatedQuery, from, after store.Pos, limit int) ([]store.Event, error) {
	where, args := related(q)
	return all(v, scanEvent, selectEvent+`WHERE pos IN (SELECT pos FROM hs_relations WHERE `+where+
		` AND pos <= ? AND pos > ? ORDER BY pos DESC LIMIT ?) ORDER BY pos DESC`,
		append(args, int64(from), int64(after), int64(max(limit, 0)))...)
}

// RelationsAfter implements store.Relations.
func (v *view) RelationsAfter(q store.RelatedQuery, from, until store.Pos, limit int) ([]store.Event, error) {
	where, args := related(q)
	return all(v, scanEvent, selectEvent+`WHERE pos IN (SELECT pos FROM hs_relations WHERE `+where+
		` AND pos > ? AND pos <= ? ORDER BY pos LIMIT ?) ORDER BY pos`,
		append(args, int64(from), int64(until), int64(max(limit, 0)))...)
}

// Annotation implements store.Relations.
func (v *view) Annotation(target store.Pos, sender events.UserID, typ, key string) (store.Pos, error) {
	return one(v, scanPos, `SELECT pos FROM hs_annotations WHERE target = ? AND sender = ? AND type = ? AND key = ?`,
		int64(target), string(sender), typ, key)
}

func scanPos(r row) store.Pos { return store.Pos(r.int(0)) }

// LatestEdits implements store.Relations.
func (v *view) LatestEdits(targets []store.Pos) (edits []store.Edit, err error) {
	for args := range chunks(targets, func(p store.Pos) any { return int64(p) }) {
		err := v.query(`WITH k (target) AS (`+valuesChunk+`)
			SELECT target, (SELECT e.pos FROM hs_edits e WHERE e.target = k.target ORDER BY e.ts DESC, e.id DESC LIMIT 1) FROM k`,
			func(r row) {
				if pos := store.Pos(r.int(1)); pos != 0 {
					edits = append(edits, store.Edit{Target: store.Pos(r.int(0)), Pos: pos})
				}
			}, args...)
		if err != nil {
			return nil, err
		}
	}
	return edits, nil
}

// EditsOf implements store.Relations.
func (v *view) EditsOf(target store.Pos, limit int) ([]store.Pos, error) {
	return all(v, scanPos, `SELECT pos FROM hs_edits WHERE target = ? ORDER BY ts DESC, id DESC LIMIT ?`,
		int64(target), int64(max(limit, 0)))
}

// References implements store.Relations.
func (v *view) References(targets []store.Pos, limit int) (refs []store.Reference, err error) {
	for args := range chunks(targets, func(p store.Pos) any { return int64(p) }) {
		err := v.query(`SELECT r.target, r.pos, e.id, r.sender FROM hs_relations r CROSS JOIN hs_events e ON e.pos = r.pos
			WHERE r.target IN `+inChunk+` AND r.rel_type = 'm.reference' AND +r.depth = 1 AND r.pos < coalesce((
				SELECT n.pos FROM hs_relations n WHERE n.target = r.target AND n.rel_type = 'm.reference' AND +n.depth = 1
				ORDER BY n.pos LIMIT 1 OFFSET ?), ?) ORDER BY r.target, r.pos`,
			func(r row) {
				refs = append(refs, store.Reference{
					Target: store.Pos(r.int(0)), Pos: store.Pos(r.int(1)), ID: events.EventID(r.text(2)), Sender: events.UserID(r.text(3)),
				})
			}, append(args, int64(max(limit, 0)), int64(store.MaxPos))...)
		if err != nil {
			return nil, err
		}
	}
	return refs, nil
}

// NewestRelation implements store.Relations.
func (v *view) NewestRelation(room store.RoomNum) (store.Pos, error) {
	pos, err := one(v, scanPos, `SELECT pos FROM hs_related_rooms WHERE room = ?`, int64(room))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return pos, err
}

// PutRelation implements store.RelationWriter.
func (t *tx) PutRelation(r store.Relation) error {
	e := r.Event
	_, err := t.exec(`INSERT INTO hs_relations (target, pos, depth, rel_type, type, sender) VALUES (?, ?, 1, ?, ?, ?)`,
		int64(r.Target), int64(r.Pos), r.Type, e.Type, string(e.Sender))
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO hs_relations (target, pos, depth, rel_type, type, sender)
		SELECT target, ?, depth + 1, CASE WHEN rel_type = ? THEN rel_type ELSE '' END, CASE WHEN type = ? THEN type ELSE '' END, ?
		FROM hs_relations WHERE pos = ? AND depth < ?`,
		int64(r.Pos), r.Type, e.Type, string(e.Sender), int64(r.Target), int64(store.RelationDepth))
	if err != nil {
		return err
	}
	if r.Type == events.RelAnnotation {
		_, err := t.exec(`INSERT INTO hs_annotations (target, sender, type, key, pos) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			int64(r.Target), string(e.Sender), e.Type, r.Key, int64(r.Pos))
		return err
	}
	_, err = t.exec(`INSERT INTO hs_related_rooms (room, pos) VALUES (?, ?) ON CONFLICT (room) DO UPDATE SET pos = excluded.pos`,
		int64(r.Room), int64(r.Pos))
	switch {
	case err != nil:
		return err
	case r.Edits:
		_, err = t.exec(`INSERT INTO hs_edits (target, ts, id, pos) VALUES (?, ?, ?, ?)`,
			int64(r.Target), e.TS, string(e.ID), int64(r.Pos))
	case r.Type == events.RelThread:
		err = t.addToThread(r)
	}
	return err
}

// DeleteRelation implements store.RelationWriter.
func (t *tx) DeleteRelation(pos store.Pos) error {
	type relation struct {
		target       store.Pos
		typ, evtType string
		sender       events.UserID
	}
	r, err := one(&t.view, func(r row) relation {
		return relation{store.Pos(r.int(0)), r.text(1), r.text(2), events.UserID(r.text(3))}
	}, `SELECT target, rel_type, type, sender FROM hs_relations WHERE pos = ? AND +depth = 1`, int64(pos))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM hs_relations WHERE (target, pos) IN (
		SELECT a.target, d.pos FROM hs_relations a CROSS JOIN hs_relations d WHERE a.pos = ? AND d.target = ?)`, int64(pos), int64(pos))
	if err != nil {
		return err
	}
	if _, err = t.exec(`DELETE FROM hs_relations WHERE pos = ?`, int64(pos)); err != nil {
		return err
	}
	switch r.typ {
	case events.RelAnnotation:
		_, err = t.exec(`DELETE FROM hs_annotations WHERE target = ? AND sender = ? AND type = ? AND pos = ?`,
			int64(r.target), string(r.sender), r.evtType, int64(pos))
	case events.RelReplace:
		_, err = t.exec(`DELETE FROM hs_edits WHERE target = ? AND pos = ?`, int64(r.target), int64(pos))
	case events.RelThread:
		err = t.takeFromThread(r.target, r.sender)
	}
	return err
}
