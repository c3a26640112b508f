package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Alias implements store.Aliases.
func (v *view) Alias(alias events.RoomAlias) (store.Alias, error) {
	return one(v, func(r row) store.Alias {
		return store.Alias{Alias: alias, Room: events.RoomID(r.text(0)), Creator: events.UserID(r.text(1))}
	}, `SELECT room_id, creator FROM hs_aliases WHERE alias = ?`, string(alias))
}

// AliasesOf implements store.Aliases.
func (v *view) AliasesOf(room events.RoomID) ([]events.RoomAlias, error) {
	return all(v, text[events.RoomAlias], `SELECT alias FROM hs_aliases WHERE room_id = ? ORDER BY alias`, string(room))
}

// CreateAlias implements store.AliasWriter.
func (t *tx) CreateAlias(a store.Alias) error {
	return t.mustAdd(`INSERT INTO hs_aliases (alias, room_id, creator) VALUES (?, ?, ?) ON CONFLICT (alias) DO NOTHING`,
		string(a.Alias), string(a.Room), string(a.Creator))
}

// DeleteAlias implements store.AliasWriter.
func (t *tx) DeleteAlias(alias events.RoomAlias) error {
	return t.mustChange(`DELETE FROM hs_aliases WHERE alias = ?`, string(alias))
}
