package sqlstore

import (
	"crypto/sha256"
	"errors"
	"strconv"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Filter implements store.Filters.
func (v *view) Filter(user events.UserID, id string) ([]byte, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != id {
		return nil, store.ErrNotFound
	}
	return one(v, func(r row) []byte { return r.blob(0) },
		`SELECT definition FROM hs_filters WHERE user_id = ? AND id = ?`, string(user), n)
}

// PutFilter implements store.FilterWriter.
func (t *tx) PutFilter(user events.UserID, definition []byte) (string, error) {
	hash := sha256.Sum256(definition)
	id, err := t.insert(`INSERT INTO hs_filters (user_id, id, hash, definition)
		SELECT ?1, coalesce(max(id), 0) + 1, ?2, ?3 FROM hs_filters WHERE user_id = ?1
		ON CONFLICT (user_id, hash) DO NOTHING RETURNING id`, string(user), hash[:], bytes(definition))
	if errors.Is(err, store.ErrExists) {
		id, err = one(&t.view, func(r row) int64 { return r.int(0) },
			`SELECT id FROM hs_filters WHERE user_id = ? AND hash = ?`, string(user), hash[:])
	}
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(id, 10), nil
}
