package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// PushRuleChanges implements store.PushRules.
func (v *view) PushRuleChanges(users []events.UserID) ([]store.PushRuleChanges, error) {
	var found []store.PushRuleChanges
	for args := range chunks(users, func(u events.UserID) any { return string(u) }) {
		err := v.query(`SELECT user_id, changes, pos FROM hs_push_rules WHERE user_id IN `+inChunk, func(r row) {
			found = append(found, store.PushRuleChanges{
				User: events.UserID(r.text(0)), Changes: r.blob(1), Pos: store.Pos(r.int(2)),
			})
		}, args...)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// PutPushRuleChanges implements store.PushRuleWriter.
func (t *tx) PutPushRuleChanges(c store.PushRuleChanges) error {
	_, err := t.exec(`INSERT INTO hs_push_rules (user_id, changes, pos) VALUES (?, ?, ?)
		ON CONFLICT (user_id) DO UPDATE SET changes = excluded.changes, pos = excluded.pos`,
		string(c.User), bytes(c.Changes), int64(c.Pos))
	return err
}
