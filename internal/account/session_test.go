package account

import (
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// signedUp creates a user and a session.
func signedUp(t testing.TB, s *Service, username string) Session {
	t.Helper()
	if _, err := s.CreateUser(t.Context(), username, "secret"); err != nil {
		t.Fatal(err)
	}
	session, err := s.Login(t.Context(), Identifier{Type: identifierUser, User: username}, "secret", Client{})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestTokens(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 100 {
		token := newToken(accessPrefix + "tag_")
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "hs_tag_"))
		if err != nil || len(b) != 32 || tagOf(token) != "tag" || seen[token] {
			t.Fatalf("token %q: %d bytes, %v, seen before: %v", token, len(b), err, seen[token])
		}
		seen[token] = true
		if id := newDeviceID(); !regexp.MustCompile(`^[A-Z]{10}$`).MatchString(id) || seen[id] {
			t.Fatalf("device ID %q", id)
		} else {
			seen[id] = true
		}
	}
	letters := randomLetters('a', 26*40)
	for c := 'a'; c <= 'z'; c++ {
		if !strings.ContainsRune(letters, c) {
			t.Errorf("%c never comes up", c)
		}
	}
}

// The database does not hold anything that could be used as a token.
func TestTokensAreStoredHashed(t *testing.T) {
	t.Parallel()
	s := newTestService(t, InsecureCost())
	session := signedUp(t, s, "alice")
	err := s.Store.View(t.Context(), func(v store.View) error {
		token, err := v.Token(hashToken(session.Token))
		if err == nil && (token.User != alice || token.Device != session.Device || token.CreatedTS != s.nowMillis()) {
			t.Errorf("token %+v", token)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Sessions in the cache end with the sessions in the store.
func TestCachedSessionsEnd(t *testing.T) {
	t.Parallel()
	s := newTestService(t, InsecureCost())
	works := func(token string) bool {
		_, err := s.Authenticate(t.Context(), token, "", "", false)
		if err != nil && !errors.Is(err, mxerr.MUnknownToken) && !errors.Is(err, mxerr.MUserLocked) {
			t.Fatal(err)
		}
		return err == nil
	}
	id := Identifier{Type: identifierUser, User: "alice"}
	for name, end := range map[string]func(Session) error{
		"logout":     func(x Session) error { return s.Logout(t.Context(), x.User, x.Device) },
		"logout all": func(x Session) error { return s.LogoutAll(t.Context(), x.User) },
		"locking":    func(x Session) error { return s.SetLocked(t.Context(), x.User, true) },
		"login on the same device": func(x Session) error {
			_, err := s.Login(t.Context(), id, "secret", Client{Device: x.Device})
			return err
		},
	} {
		if _, err := s.CreateUser(t.Context(), "alice", "secret"); err != nil && !errors.Is(err, mxerr.MUserInUse) {
			t.Fatal(err)
		}
		if err := s.SetLocked(t.Context(), alice, false); err != nil {
			t.Fatal(err)
		}
		session, err := s.Login(t.Context(), id, "secret", Client{})
		if err != nil {
			t.Fatal(err)
		}
		if !works(session.Token) || s.sessions.get(hashToken(session.Token)) == nil {
			t.Fatalf("%s: the session is not cached", name)
		}
		if err := end(session); err != nil {
			t.Fatal(err)
		}
		if works(session.Token) {
			t.Errorf("%s: the token still works", name)
		}
	}
}

func TestSessionCache(t *testing.T) {
	t.Parallel()
	c := newSessionCache(4)
	hash := func(n byte) store.TokenHash { return store.TokenHash{n} }
	of := func(user events.UserID) *cachedSession { return &cachedSession{Identity: Identity{User: user}} }
	before := c.drops.Load()
	c.put(hash(1), of(alice), before)
	if c.get(hash(1)) == nil {
		t.Fatal("nothing is kept")
	}
	c.drop(bob) // anybody: what was read before may be out of date
	c.put(hash(2), of(alice), before)
	if c.get(hash(2)) != nil {
		t.Error("a session is kept that was read before something was dropped")
	}
	if c.get(hash(1)) == nil {
		t.Error("another user's session was dropped")
	}

	for n := byte(10); n < 30; n++ {
		c.put(hash(n), of([]events.UserID{alice, bob}[n%2]), c.drops.Load())
		indexed := 0
		for _, hashes := range c.byUser {
			indexed += len(hashes)
		}
		if len(c.byHash) > 4 || indexed != len(c.byHash) || c.get(hash(n)) == nil {
			t.Fatalf("%d sessions are kept and %d indexed", len(c.byHash), indexed)
		}
	}
	c.drop(alice)
	c.drop(bob)
	for n := byte(10); n < 30; n++ {
		if c.get(hash(n)) != nil {
			t.Errorf("session %d is kept", n)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	s := newTestService(b, InsecureCost())
	session := signedUp(b, s, "alice")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Authenticate(b.Context(), session.Token, "192.0.2.1", "test", false); err != nil {
			b.Fatal(err)
		}
	}
}
