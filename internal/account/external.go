package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// externalUser returns the account of somebody whom a provider has identified,
// which is made if there was none (SSO-8). M_USER_DEACTIVATED, M_USER_LOCKED.
func (s *Service) externalUser(ctx context.Context, provider string, who uia.External) (user events.UserID, err error) {
	if who.User != "" {
		if err := s.isLocal(who.User); err != nil {
			return "", fmt.Errorf("sign in %s from %s: %v", who.User, provider, err) // no refusal: the provider is at fault
		}
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if who.User != "" {
			user, err = s.ensureUser(tx, who.User)
			return err
		}
		identity, err := tx.Identity(provider, who.Subject)
		if err == nil {
			user, err = s.ensureUser(tx, identity.User)
			return err
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if user, err = s.freeUserID(tx, who.Username); err != nil {
			return err
		}
		if err := s.createUser(tx, store.User{ID: user}); err != nil {
			return err
		}
		if who.DisplayName != "" {
			name := store.ProfileField{Name: fieldDisplayName, Value: events.AppendString(nil, who.DisplayName)}
			if err := tx.PutProfileField(user, name); err != nil {
				return err
			}
		}
		return tx.PutIdentity(store.Identity{Provider: provider, Subject: who.Subject, User: user, CreatedTS: s.nowMillis()})
	})
	return user, err
}

// knownUser returns the account of somebody whom a provider has identified.
// M_FORBIDDEN if there is none.
func (s *Service) knownUser(ctx context.Context, provider string, who uia.External) (events.UserID, error) {
	var user events.UserID
	err := s.Store.View(ctx, func(v store.View) error {
		if who.User != "" {
			account, err := v.UserFold(who.User)
			user = account.ID
			return err
		}
		identity, err := v.Identity(provider, who.Subject)
		user = identity.User
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", mxerr.Forbidden("you have no account here")
	}
	return user, err
}

// maxWishes is how many numbers are tried behind a username that is taken,
// before a random one is taken that nobody would wish for.
const maxWishes = 20

// freeUserID returns the ID of a new user that is as close to a wish as can be
// (ID-4). M_EXCLUSIVE if application services keep even made up names to themselves.
func (s *Service) freeUserID(v store.View, wish string) (events.UserID, error) {
	name := usernameFrom(wish)
	candidates := []string{name}
	for n := 2; n <= maxWishes; n++ {
		candidates = append(candidates, fmt.Sprintf("%s-%d", name, n))
	}
	if name == "" {
		candidates = nil
	}
	var reserved error
	for _, candidate := range append(candidates, randomLetters('a', 12)) {
		user, err := s.newUserID(candidate)
		if err != nil {
			continue // too long
		}
		if reserved = s.unreserved(user); reserved != nil {
			continue
		}
		_, err = v.UserFold(user)
		if errors.Is(err, store.ErrNotFound) {
			return user, nil
		}
		if err != nil {
			return "", err
		}
	}
	if reserved != nil {
		return "", reserved
	}
	return "", errors.New("find a free username: all are taken")
}

// usernameFrom maps a text to the characters of usernames: capitals become
// small, and every byte that may not be there, and "=", two digits after a "=".
func usernameFrom(wish string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ToLower(strings.TrimSpace(wish))) {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("._-/+", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	return b.String()
}
