package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Token implements store.Tokens.
func (v *view) Token(hash store.TokenHash) (store.Token, error) {
	return one(v, func(r row) store.Token {
		return store.Token{
			Hash:       hash,
			User:       events.UserID(r.text(0)),
			Device:     r.text(1),
			CreatedTS:  r.int(2),
			ExpiresTS:  r.int(3),
			Generation: r.int(4),
			Supersedes: r.bool(5),
		}
	}, `SELECT user_id, device_id, created_ts, expires_ts, generation, EXISTS (SELECT 1 FROM hs_refresh_tokens r
		WHERE r.user_id = t.user_id AND r.device_id = t.device_id AND r.generation < t.generation)
		FROM hs_tokens t WHERE hash = ?`, hash[:])
}

// RefreshToken implements store.Tokens.
func (v *view) RefreshToken(hash store.TokenHash) (store.RefreshToken, error) {
	return one(v, func(r row) store.RefreshToken {
		return store.RefreshToken{
			Hash:       hash,
			User:       events.UserID(r.text(0)),
			Device:     r.text(1),
			Generation: r.int(2),
			CreatedTS:  r.int(3),
		}
	}, `SELECT user_id, device_id, generation, created_ts FROM hs_refresh_tokens WHERE hash = ?`, hash[:])
}

// PutToken implements store.TokenWriter.
func (t *tx) PutToken(k store.Token) error {
	return t.mustChange(`INSERT INTO hs_tokens (hash, user_id, device_id, created_ts, expires_ts, generation)
		SELECT ?, user_id, id, ?, ?, ? FROM hs_devices WHERE user_id = ? AND id = ?`,
		k.Hash[:], k.CreatedTS, k.ExpiresTS, k.Generation, string(k.User), k.Device)
}

// PutRefreshToken implements store.TokenWriter.
func (t *tx) PutRefreshToken(k store.RefreshToken) error {
	return t.mustChange(`INSERT INTO hs_refresh_tokens (hash, user_id, device_id, generation, created_ts)
		SELECT ?, user_id, id, ?, ? FROM hs_devices WHERE user_id = ? AND id = ?`,
		k.Hash[:], k.Generation, k.CreatedTS, string(k.User), k.Device)
}

// DeleteTokens implements store.TokenWriter.
func (t *tx) DeleteTokens(user events.UserID, device string) error {
	if _, err := t.exec(`DELETE FROM hs_tokens WHERE user_id = ? AND device_id = ?`, string(user), device); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM hs_refresh_tokens WHERE user_id = ? AND device_id = ?`, string(user), device)
	return err
}

// DeleteGenerations implements store.TokenWriter.
func (t *tx) DeleteGenerations(user events.UserID, device string, before int64) error {
	const where = ` WHERE user_id = ? AND device_id = ? AND generation < ?`
	if _, err := t.exec(`DELETE FROM hs_tokens`+where, string(user), device, before); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM hs_refresh_tokens`+where, string(user), device, before)
	return err
}
