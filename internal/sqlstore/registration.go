package sqlstore

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectRegistrationToken = `SELECT hash, name, created_ts, expires_ts, uses, used FROM hs_registration_tokens `

func scanRegistrationToken(r row) store.RegistrationToken {
	k := store.RegistrationToken{Name: r.text(1), CreatedTS: r.int(2), ExpiresTS: r.int(3), Uses: r.int(4), Used: r.int(5)}
	copy(k.Hash[:], r.blob(0))
	return k
}

// RegistrationToken implements store.Registrations.
func (v *view) RegistrationToken(hash store.TokenHash) (store.RegistrationToken, error) {
	return one(v, scanRegistrationToken, selectRegistrationToken+`WHERE hash = ?`, hash[:])
}

// RegistrationTokens implements store.Registrations.
func (v *view) RegistrationTokens() ([]store.RegistrationToken, error) {
	return all(v, scanRegistrationToken, selectRegistrationToken+`ORDER BY name, hash`)
}

// Consents implements store.Registrations.
func (v *view) Consents(user events.UserID) ([]store.Consent, error) {
	return all(v, func(r row) store.Consent {
		return store.Consent{User: user, Policy: r.text(0), Version: r.text(1), TS: r.int(2)}
	}, `SELECT policy, version, ts FROM hs_consents WHERE user_id = ? ORDER BY policy, version`, string(user))
}

// PutRegistrationToken implements store.RegistrationWriter.
func (t *tx) PutRegistrationToken(k store.RegistrationToken) error {
	_, err := t.exec(`INSERT INTO hs_registration_tokens (hash, name, created_ts, expires_ts, uses, used)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO UPDATE SET name = excluded.name, created_ts = excluded.created_ts,
		expires_ts = excluded.expires_ts, uses = excluded.uses, used = excluded.used`,
		k.Hash[:], k.Name, k.CreatedTS, k.ExpiresTS, k.Uses, k.Used)
	return err
}

// DeleteRegistrationToken implements store.RegistrationWriter.
func (t *tx) DeleteRegistrationToken(hash store.TokenHash) error {
	return t.mustChange(`DELETE FROM hs_registration_tokens WHERE hash = ?`, hash[:])
}

// PutConsent implements store.RegistrationWriter.
func (t *tx) PutConsent(c store.Consent) error {
	_, err := t.exec(`INSERT INTO hs_consents (user_id, policy, version, ts) VALUES (?, ?, ?, ?)
		ON CONFLICT (user_id, policy, version) DO NOTHING`, string(c.User), c.Policy, c.Version, c.TS)
	return err
}
