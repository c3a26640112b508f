package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// CrossSigningKeys implements store.CrossSigning.
func (v *view) CrossSigningKeys(users []events.UserID) ([]store.CrossSigningKey, error) {
	return eachUser(v, users, func(r row) store.CrossSigningKey {
		return store.CrossSigningKey{User: events.UserID(r.text(0)), Usage: r.text(1), Public: r.text(2), JSON: r.blob(3)}
	}, `SELECT user_id, usage, public, json FROM hs_cross_signing_keys WHERE user_id IN `+inChunk+` ORDER BY user_id, usage`)
}

// UserSignatures implements store.CrossSigning.
func (v *view) UserSignatures(signer events.UserID, users []events.UserID) ([]store.UserSignature, error) {
	return eachUser(v, users, func(r row) store.UserSignature {
		return store.UserSignature{
			Signer: signer, User: events.UserID(r.text(0)), Key: r.text(1), SignerKey: r.text(2), Signature: r.text(3),
		}
	}, `SELECT user_id, key, signer_key, signature FROM hs_user_signatures WHERE user_id IN `+inChunk+` AND signer_id = ?
		ORDER BY user_id`, string(signer))
}

// PutCrossSigningKey implements store.CrossSigningWriter.
func (t *tx) PutCrossSigningKey(k store.CrossSigningKey) error {
	_, err := t.exec(`INSERT INTO hs_cross_signing_keys (user_id, usage, public, json) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id, usage) DO UPDATE SET public = excluded.public, json = excluded.json`,
		string(k.User), k.Usage, k.Public, bytes(k.JSON))
	return err
}

// DeleteCrossSigningKey implements store.CrossSigningWriter.
func (t *tx) DeleteCrossSigningKey(user events.UserID, usage string) error {
	_, err := t.exec(`DELETE FROM hs_cross_signing_keys WHERE user_id = ? AND usage = ?`, string(user), usage)
	return err
}

// DeleteCrossSigning implements store.CrossSigningWriter.
func (t *tx) DeleteCrossSigning(user events.UserID) error {
	return t.deleteAll(string(user), `DELETE FROM hs_cross_signing_keys WHERE user_id = ?`,
		`DELETE FROM hs_user_signatures WHERE signer_id = ?`, `DELETE FROM hs_user_signatures WHERE user_id = ?`)
}

// deleteAll runs statements that take the same argument.
func (t *tx) deleteAll(arg any, queries ...string) error {
	for _, query := range queries {
		if _, err := t.exec(query, arg); err != nil {
			return err
		}
	}
	return nil
}

// PutUserSignature implements store.CrossSigningWriter.
func (t *tx) PutUserSignature(s store.UserSignature) error {
	_, err := t.exec(`INSERT INTO hs_user_signatures (signer_id, user_id, key, signer_key, signature) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (signer_id, user_id, key, signer_key) DO UPDATE SET signature = excluded.signature`,
		string(s.Signer), string(s.User), s.Key, s.SignerKey, s.Signature)
	return err
}
