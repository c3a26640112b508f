package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Token implements store.Tokens.
func (v *view) Token(hash store.TokenHash) (store.Token, error) {
	return one(v, func(r row) store.Token {
		return store.Token{
			Hash:      hash,
			User:      events.UserID(r.text(0)),
			Device:    r.text(1),
			CreatedTS: r.int(2),
			ExpiresTS: r.int(3),
		}
	}, `SELECT user_id, device_id, created_ts, expires_ts FROM hs_tokens WHERE hash = ?`, hash[:])
}

// PutToken implements store.TokenWriter.
func (t *tx) PutToken(k store.Token) error {
	return t.mustChange(`INSERT INTO hs_tokens (hash, user_id, device_id, created_ts, expires_ts)
		SELECT ?, user_id, id, ?, ? FROM hs_devices WHERE user_id = ? AND id = ?`,
		k.Hash[:], k.CreatedTS, k.ExpiresTS, string(k.User), k.Device)
}

// DeleteTokens implements store.TokenWriter.
func (t *tx) DeleteTokens(user events.UserID, device string) error {
	_, err := t.exec(`DELETE FROM hs_tokens WHERE user_id = ? AND device_id = ?`, string(user), device)
	return err
}
