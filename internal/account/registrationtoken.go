package account

import (
	"context"
	"errors"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// RegistrationToken describes a token with which people may register. The token
// itself is shown to its maker only.
type RegistrationToken struct {
	ID      string    // by which it is deleted; not the token
	Name    string    // for the host's own use
	Expires time.Time // zero: never
	Uses    int       // how many registrations it allows; 0: any number
	Used    int       // how many there were
}

// CreateRegistrationToken makes a token with the name and the limits of t, whose
// other fields are ignored, and returns it: the database has no more than its
// hash.
func (s *Service) CreateRegistrationToken(ctx context.Context, t RegistrationToken) (string, error) {
	if t.Uses < 0 {
		return "", mxerr.InvalidParam("uses", "may not be negative")
	}
	token := newToken("")
	row := store.RegistrationToken{
		Hash: hashToken(token), Name: t.Name, CreatedTS: s.nowMillis(), Uses: int64(t.Uses),
	}
	if !t.Expires.IsZero() {
		row.ExpiresTS = t.Expires.UnixMilli()
	}
	return token, s.Store.Update(ctx, func(tx store.Tx) error { return tx.PutRegistrationToken(row) })
}

// ListRegistrationTokens returns the tokens that were created and not deleted,
// in the order of their names, expired and used up ones too.
func (s *Service) ListRegistrationTokens(ctx context.Context) ([]RegistrationToken, error) {
	var rows []store.RegistrationToken
	err := s.Store.View(ctx, func(v store.View) (err error) {
		rows, err = v.RegistrationTokens()
		return err
	})
	tokens := make([]RegistrationToken, len(rows))
	for i, row := range rows {
		tokens[i] = RegistrationToken{ID: row.Hash.String(), Name: row.Name, Uses: int(row.Uses), Used: int(row.Used)}
		if row.ExpiresTS != 0 {
			tokens[i].Expires = time.UnixMilli(row.ExpiresTS)
		}
	}
	return tokens, err
}

// DeleteRegistrationToken ends a token by its ID. M_NOT_FOUND.
func (s *Service) DeleteRegistrationToken(ctx context.Context, id string) error {
	hash, err := store.ParseTokenHash(id)
	if err == nil {
		err = s.Store.Update(ctx, func(tx store.Tx) error { return tx.DeleteRegistrationToken(hash) })
	}
	if errors.Is(err, store.ErrNotFound) {
		return mxerr.NotFound("no such registration token")
	}
	return err
}

// ValidRegistrationToken tells a client whether a token would be accepted
// (REG-16). M_FORBIDDEN where nobody can register.
func (s *Service) ValidRegistrationToken(ctx context.Context, token string) (bool, error) {
	if len(s.registrationFlows()) == 0 {
		return false, mxerr.Forbidden("registration is closed")
	}
	if s.isConfigured(token) {
		return true, nil
	}
	err := s.Store.View(ctx, func(v store.View) error { _, err := s.validToken(v, hashToken(token)); return err })
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// isConfigured reports whether a token is one of the configuration. It takes as
// long for every token of a length.
func (s *Service) isConfigured(token string) (known bool) {
	for _, t := range s.RegistrationTokens {
		known = sameSecret(t, token) || known
	}
	return known
}

// validToken returns a token that may be used now. store.ErrNotFound.
func (s *Service) validToken(v store.View, hash store.TokenHash) (store.RegistrationToken, error) {
	token, err := v.RegistrationToken(hash)
	if err == nil && (token.ExpiresTS != 0 && token.ExpiresTS <= s.nowMillis() || token.Uses != 0 && token.Used >= token.Uses) {
		err = store.ErrNotFound
	}
	return token, err
}

// spend counts a use of a token, which another registration may have used up
// since the stage was passed.
func (s *Service) spend(tx store.Tx, hash store.TokenHash) error {
	token, err := s.validToken(tx, hash)
	if errors.Is(err, store.ErrNotFound) {
		return errRegistrationToken()
	}
	if err != nil {
		return err
	}
	token.Used++
	return tx.PutRegistrationToken(token)
}

func errRegistrationToken() error {
	return mxerr.Unauthorized("the registration token is not valid, or not any more")
}

// registrationToken is the m.login.registration_token stage (UIA-24). Its detail
// is the hash of a token that is to be spent.
type registrationToken struct{ *Service }

var _ uia.Asker = registrationToken{}

// Type implements uia.Stage.
func (registrationToken) Type() string { return uia.TypeRegistrationToken }

// Check implements uia.Stage.
func (s registrationToken) Check(ctx context.Context, a uia.Attempt) (uia.Passed, error) {
	given := gjson.GetBytes(a.Auth, "token")
	if given.Type != gjson.String {
		return uia.Passed{}, mxerr.MissingParam("auth.token")
	}
	if !events.ValidRegistrationToken(given.Str) {
		return uia.Passed{}, errRegistrationToken()
	}
	if s.isConfigured(given.Str) {
		return uia.Passed{}, nil
	}
	hash := hashToken(given.Str)
	err := s.Store.View(ctx, func(v store.View) error { _, err := s.validToken(v, hash); return err })
	if errors.Is(err, store.ErrNotFound) {
		err = errRegistrationToken()
	}
	return uia.Passed{Detail: hash}, err
}

// Form implements uia.Asker.
func (registrationToken) Form(uia.Operation) uia.Form {
	return uia.Form{
		Title:  "Enter your registration token",
		Text:   "Whoever runs this server has given it to those who may register.",
		Fields: []uia.Field{{Name: "token", Label: "Registration token", Type: "text", Autocomplete: "off"}},
		Submit: "Continue",
	}
}
