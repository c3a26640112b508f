package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectIdentity = `SELECT provider, subject, user_id, created_ts FROM hs_identities `

func scanIdentity(r row) store.Identity {
	return store.Identity{Provider: r.text(0), Subject: r.text(1), User: events.UserID(r.text(2)), CreatedTS: r.int(3)}
}

// Identity implements store.Identities.
func (v *view) Identity(provider, subject string) (store.Identity, error) {
	return one(v, scanIdentity, selectIdentity+`WHERE provider = ? AND subject = ?`, provider, subject)
}

// IdentitiesOf implements store.Identities.
func (v *view) IdentitiesOf(user events.UserID) ([]store.Identity, error) {
	return all(v, scanIdentity, selectIdentity+`WHERE user_id = ? ORDER BY provider, subject`, string(user))
}

// PutIdentity implements store.IdentityWriter.
func (t *tx) PutIdentity(i store.Identity) error {
	return t.mustAdd(`INSERT INTO hs_identities (provider, subject, user_id, created_ts) VALUES (?, ?, ?, ?)
		ON CONFLICT (provider, subject) DO NOTHING`, i.Provider, i.Subject, string(i.User), i.CreatedTS)
}

// DeleteIdentities implements store.IdentityWriter.
func (t *tx) DeleteIdentities(user events.UserID) error {
	_, err := t.exec(`DELETE FROM hs_identities WHERE user_id = ?`, string(user))
	return err
}
