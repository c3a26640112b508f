package sqlstore

import "github.com/ca4c8834/homeserver/store"

const selectValidation = `SELECT id, purpose, medium, address, secret, token, attempt, next_link, tries, validated_ts, expires_ts FROM hs_validations `

func scanValidation(r row) store.Validation {
	x := store.Validation{
		ID: r.text(0), Purpose: r.text(1), Medium: r.text(2), Address: r.text(3), Attempt: r.int(6), NextLink: r.text(7),
		Tries: r.int(8), ValidatedTS: r.int(9), ExpiresTS: r.int(10),
	}
	copy(x.Secret[:], r.blob(4))
	copy(x.Token[:], r.blob(5))
	return x
}

// Validation implements store.Validations.
func (v *view) Validation(id string) (store.Validation, error) {
	return one(v, scanValidation, selectValidation+`WHERE id = ?`, id)
}

// ValidationOf implements store.Validations.
func (v *view) ValidationOf(secret store.TokenHash, medium, address, purpose string) (store.Validation, error) {
	return one(v, scanValidation, selectValidation+`WHERE secret = ? AND medium = ? AND address = ? AND purpose = ?`,
		secret[:], medium, address, purpose)
}

// ValidationByToken implements store.Validations.
func (v *view) ValidationByToken(token store.TokenHash) (store.Validation, error) {
	return one(v, scanValidation, selectValidation+`WHERE token = ?`, token[:])
}

// PutValidation implements store.ValidationWriter.
func (t *tx) PutValidation(x store.Validation, now int64) error {
	if _, err := t.exec(`DELETE FROM hs_validations WHERE expires_ts < ?`, now); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO hs_validations (id, purpose, medium, address, secret, token, attempt, next_link, tries, validated_ts, expires_ts)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET purpose = excluded.purpose, medium = excluded.medium,
		address = excluded.address, secret = excluded.secret, token = excluded.token, attempt = excluded.attempt, next_link = excluded.next_link,
		tries = excluded.tries, validated_ts = excluded.validated_ts, expires_ts = excluded.expires_ts`,
		x.ID, x.Purpose, x.Medium, x.Address, x.Secret[:], x.Token[:], x.Attempt, x.NextLink, x.Tries, x.ValidatedTS, x.ExpiresTS)
	return err
}

// DeleteValidation implements store.ValidationWriter.
func (t *tx) DeleteValidation(id string) error {
	_, err := t.exec(`DELETE FROM hs_validations WHERE id = ?`, id)
	return err
}
