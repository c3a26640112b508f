package account

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/uia"
	"github.com/ca4c8834/homeserver/uia/uiatest"
)

const (
	alice = events.UserID("@alice:example.org")
	bob   = events.UserID("@bob:example.org")
)

// newTestService makes a service over a database of its own.
func newTestService(t testing.TB, cost Cost) *Service {
	t.Helper()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	clock := func() time.Time { return time.UnixMilli(1_700_000_000_000) }
	return New(Config{Store: st, Server: "example.org", Now: clock, Cost: cost})
}

// stored returns an account as it is in the database.
func stored(t *testing.T, s *Service, id events.UserID) (u store.User) {
	t.Helper()
	err := s.Store.View(t.Context(), func(v store.View) (err error) {
		u, err = v.User(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestHash(t *testing.T) {
	t.Parallel()
	h := newHasher(InsecureCost())
	const password = "correct horse 🔋"
	first, err1 := h.hash(t.Context(), password)
	second, err2 := h.hash(t.Context(), password)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("equal passwords have equal hashes: there is no salt")
	}
	if !regexp.MustCompile(`^\$argon2id\$v=19\$m=8,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`).MatchString(first) {
		t.Errorf("hash %q is not in the PHC string format", first)
	}
	for given, want := range map[string]bool{password: true, "correct horse": false, "": false, password + "\x00": false} {
		ok, outdated, err := h.verify(t.Context(), first, given)
		if ok != want || outdated || err != nil {
			t.Errorf("%q: got %v, outdated %v, %v", given, ok, outdated, err)
		}
	}
	other := newHasher(Cost{Memory: 16, Passes: 2, Threads: 1})
	if ok, outdated, err := other.verify(t.Context(), first, password); !ok || !outdated || err != nil {
		t.Errorf("at another cost: got %v, outdated %v, %v", ok, outdated, err)
	}
}

// A hash that another program has made, so that ours stay readable for others.
func TestHashIsStandard(t *testing.T) {
	t.Parallel()
	// argon2 (the reference implementation's tool) with salt "somesalt", -id -t 2 -m 16 -p 1
	const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	ok, outdated, err := newHasher(InsecureCost()).verify(t.Context(), reference, "password")
	if !ok || !outdated || err != nil {
		t.Errorf("got %v, outdated %v, %v", ok, outdated, err)
	}
}

func TestMalformedHash(t *testing.T) {
	t.Parallel()
	h := newHasher(InsecureCost())
	good, err := h.hash(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "x", "$2y$10$abc", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "m=8", "m=x", 1),
		good + "$", good + "!", good[:strings.LastIndexByte(good, '$')+1],
	} {
		if ok, _, err := h.verify(t.Context(), bad, "x"); ok || !errors.Is(err, errHashFormat) {
			t.Errorf("%q: got %v, %v", bad, ok, err)
		}
	}
}

// A hash made at another cost is made anew when its password is next used.
func TestHashIsRenewedAtLogin(t *testing.T) {
	t.Parallel()
	s := newTestService(t, InsecureCost())
	if _, err := s.CreateUser(t.Context(), "alice", "secret"); err != nil {
		t.Fatal(err)
	}
	old := stored(t, s, alice).PasswordHash
	dearer := New(Config{Store: s.Store, Server: s.Server, Now: s.Now, Cost: Cost{Memory: 16, Passes: 1, Threads: 1}})
	id := Identifier{Type: identifierUser, User: "alice"}
	if _, err := dearer.Login(t.Context(), id, "wrong", Client{}); err == nil {
		t.Fatal("signed in with a wrong password")
	}
	if got := stored(t, s, alice).PasswordHash; got != old {
		t.Fatal("a wrong password has renewed the hash")
	}
	if _, err := dearer.Login(t.Context(), id, "secret", Client{}); err != nil {
		t.Fatal(err)
	}
	renewed := stored(t, s, alice).PasswordHash
	if !strings.Contains(renewed, "$m=16,t=1,p=1$") {
		t.Errorf("the hash is %q", renewed)
	}
	if _, err := dearer.Login(t.Context(), id, "secret", Client{}); err != nil || stored(t, s, alice).PasswordHash != renewed {
		t.Errorf("second login: %v; hash %q, was %q", err, stored(t, s, alice).PasswordHash, renewed)
	}
}

// LOGIN-6: whether a user exists cannot be told from the time of the answer: all wait for their turn to hash, of which
// there is a bounded number, and stop waiting with their request.
func TestUnknownUsersCostTheSame(t *testing.T) {
	t.Parallel()
	s := newTestService(t, InsecureCost())
	for user, password := range map[string]string{"alice": "secret", "bob": ""} {
		if _, err := s.CreateUser(t.Context(), user, password); err != nil {
			t.Fatal(err)
		}
	}
	for range cap(s.hasher.slots) {
		s.hasher.slots <- struct{}{}
	}
	for name, user := range map[string]events.UserID{"known": alice, "without password": bob, "unknown": "@nobody:example.org"} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		err := s.Provider.CheckPassword(ctx, user, "guess")
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s user: got %v without having hashed", name, err)
		}
	}
	for name, id := range map[string]Identifier{
		"user of elsewhere": {Type: identifierUser, User: "@alice:example.com"}, "impossible user": {Type: identifierUser, User: "a b"},
		"unknown address": {Type: identifierThirdParty, Medium: MediumEmail, Address: "a@example.org"},
		"no address":      {Type: identifierThirdParty, Medium: "fax", Address: "a"},
		"unknown number":  {Type: identifierPhone, Country: "GB", Phone: "+447700900001"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if _, err := s.Login(ctx, id, "guess", Client{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v without having hashed", name, err)
		}
		cancel()
	}
	for range cap(s.hasher.slots) {
		<-s.hasher.slots
	}
	if err := s.Provider.CheckPassword(t.Context(), "@nobody:example.org", "guess"); !errors.Is(err, uia.ErrUnknownUser) {
		t.Errorf("got %v", err)
	}
}

// UIA-18, UIA-19: the stage takes the identifiers that login takes; the host's name for the password is not the client's.
func TestPasswordStage(t *testing.T) {
	t.Parallel()
	s := newTestService(t, InsecureCost())
	if _, err := s.CreateUser(t.Context(), "alice", "secret"); err != nil {
		t.Fatal(err)
	}
	op := uia.Operation{Name: "test", User: alice, Flows: []uia.Flow{{uia.TypePassword}}}
	for name, test := range map[string]struct {
		auth    string
		granted bool
	}{
		"UIA-18 localpart":         {`{"type":"m.login.password","identifier":{"type":"m.id.user","user":"Alice"},"password":"secret"}`, true},
		"UIA-18 user ID":           {`{"type":"m.login.password","identifier":{"type":"m.id.user","user":"@alice:example.org"},"password":"secret"}`, true},
		"UIA-19 user":              {`{"type":"m.login.password","user":"alice","password":"secret"}`, true},
		"UIA-18 wrong password":    {`{"type":"m.login.password","user":"alice","password":"x"}`, false},
		"UIA-18 unknown 3PID":      {`{"type":"m.login.password","identifier":{"type":"m.id.thirdparty","medium":"email","address":"a@b.c"},"password":"secret"}`, false},
		"UIA-19 unknown address":   {`{"type":"m.login.password","medium":"email","address":"a@b.c","password":"secret"}`, false},
		"UIA-18 user of elsewhere": {`{"type":"m.login.password","user":"@alice:example.com","password":"secret"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proof, err := uia.Do(t.Context(), s.Interactive(), op, []byte(test.auth),
				func(_ context.Context, p uia.Proof) (uia.Proof, error) { return p, nil })
			var r *uia.Required
			switch {
			case test.granted && (err != nil || proof.User != alice):
				t.Errorf("got %v, %v", proof, err)
			case !test.granted && (!errors.As(err, &r) || r.Code != "M_FORBIDDEN"):
				t.Errorf("got %v", err)
			}
		})
	}
}

func BenchmarkDefaultCost(b *testing.B) {
	h := newHasher(DefaultCost())
	for b.Loop() {
		if _, err := h.hash(b.Context(), "password"); err != nil {
			b.Fatal(err)
		}
	}
}

// The default provider keeps the contract of all providers.
func TestStoredPasswords(t *testing.T) {
	t.Parallel()
	uiatest.Run(t, func(t *testing.T) uiatest.Accounts {
		s := newTestService(t, InsecureCost())
		signedUp(t, s, "alice")
		return uiatest.Accounts{Provider: s.Provider, User: alice, Password: "secret"}
	})
}

// Login and registration cost little beside the hash of the password.
func BenchmarkLogin(b *testing.B) {
	s := newTestService(b, InsecureCost())
	signedUp(b, s, "alice")
	id := Identifier{Type: identifierUser, User: "alice"}
	for b.Loop() {
		if _, err := s.Login(b.Context(), id, "secret", Client{Device: "D", Refresh: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRegister(b *testing.B) {
	s := newTestService(b, InsecureCost())
	s.Registration = RegistrationOpen
	auth := json.RawMessage(`{"type":"m.login.dummy"}`)
	for b.Loop() {
		if _, err := s.Register(b.Context(), NewAccount{Password: "secret", Auth: auth}); err != nil {
			b.Fatal(err)
		}
	}
}
