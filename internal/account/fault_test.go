package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/ca4c8834/homeserver/store/storetest"
	"github.com/ca4c8834/homeserver/uia"
)

var errDisk = errors.New("the disk is full")

// idp is an identity provider at which everybody is who the query says.
type idp struct{}

func (idp) About() uia.ProviderInfo { return uia.ProviderInfo{ID: "idp", Name: "IdP"} }

func (idp) Begin(_ context.Context, r uia.SSORequest) (uia.SSOStart, error) {
	return uia.SSOStart{URL: "https://idp.example.com/?" + url.Values{"state": {r.State}}.Encode()}, nil
}

func (idp) Finish(_ context.Context, r uia.SSOResponse) (uia.External, error) {
	return uia.External{Subject: r.Query.Get("who"), Username: r.Query.Get("who")}, nil
}

// Wherever the storage fails, an operation changes nothing, and works when it is tried again.
func TestFaults(t *testing.T) {
	t.Parallel()
	session := func(t *testing.T, s *Service) Session {
		t.Helper()
		x, err := s.Login(t.Context(), Identifier{Type: identifierUser, User: "alice"}, "secret", Client{Device: "D", Refresh: true})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	works := func(s *Service, t *testing.T, token string) bool {
		_, err := s.Authenticate(t.Context(), token, "", "", false)
		return err == nil
	}
	signsIn := func(s *Service, t *testing.T, user, password string) bool {
		_, err := s.Login(t.Context(), Identifier{Type: identifierUser, User: user}, password, Client{Device: "CHECK"})
		return err == nil
	}
	for name, begin := range map[string]func(t *testing.T, s *Service) (try func() error, unchanged func() bool){
		"register with a token": func(t *testing.T, s *Service) (func() error, func() bool) {
			s.Registration = RegistrationByToken
			token, err := s.CreateRegistrationToken(t.Context(), RegistrationToken{Uses: 1})
			if err != nil {
				t.Fatal(err)
			}
			name := "bob"
			auth := fmt.Appendf(nil, `{"type":"m.login.registration_token","token":%q}`, token)
			return func() error {
					_, err := s.Register(t.Context(), NewAccount{Username: &name, Password: "secret", Auth: auth})
					return err
				}, func() bool {
					tokens, err := s.ListRegistrationTokens(t.Context())
					return err == nil && tokens[0].Used == 0 && s.Available(t.Context(), "bob") == nil
				}
		},
		"renew a session": func(t *testing.T, s *Service) (func() error, func() bool) {
			x := session(t, s)
			return func() error { _, err := s.Refresh(t.Context(), x.Refresh); return err },
				func() bool { return works(s, t, x.Token) }
		},
		"log in with a token": func(t *testing.T, s *Service) (func() error, func() bool) {
			token, err := s.CreateLoginToken(t.Context(), alice, loginTokenLifetime)
			if err != nil {
				t.Fatal(err)
			}
			return func() error { _, err := s.LoginWithToken(t.Context(), token, Client{Device: "NEW"}); return err },
				func() bool { _, err := s.Device(t.Context(), alice, "NEW"); return err != nil }
		},
		"change the password": func(t *testing.T, s *Service) (func() error, func() bool) {
			x := session(t, s)
			auth := json.RawMessage(`{"type":"m.login.password","user":"alice","password":"secret"}`)
			return func() error {
				return s.ChangePassword(t.Context(), PasswordChange{User: alice, Password: "new", LogoutDevices: true, Auth: auth})
			}, func() bool { return works(s, t, x.Token) && signsIn(s, t, "alice", "secret") }
		},
		"deactivate": func(t *testing.T, s *Service) (func() error, func() bool) {
			x := session(t, s)
			return func() error { _, err := s.DeactivateUser(t.Context(), alice, true); return err },
				func() bool { return works(s, t, x.Token) && signsIn(s, t, "alice", "secret") && s.ErasedAt(alice) == 0 }
		},
		"add an address": func(t *testing.T, s *Service) (func() error, func() bool) {
			return func() error { return s.SetThreePID(t.Context(), alice, MediumEmail, "a@example.org") },
				func() bool { all, err := s.ThreePIDs(t.Context(), alice); return err == nil && len(all) == 0 }
		},
		"come back from an identity provider": func(t *testing.T, s *Service) (func() error, func() bool) {
			s.SSO.Providers = []uia.IdentityProvider{idp{}}
			begun, err := s.BeginSSO(t.Context(), SSORequest{Provider: "idp", Redirect: "https://app.example.org"})
			if err != nil {
				t.Fatal(err)
			}
			query := url.Values{"state": {begun.State}, "who": {"carol"}}
			return func() error { _, err := s.FinishSSO(t.Context(), "idp", begun.Sealed, query); return err },
				func() bool { return s.Available(t.Context(), "carol") == nil }
		},
		"let a guest in": func(t *testing.T, s *Service) (func() error, func() bool) {
			s.Guests = true
			return func() error { _, err := s.RegisterGuest(t.Context(), Client{}); return err }, func() bool { return true }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestService(t, InsecureCost())
			fault := storetest.Faulty(s.Store)
			s.Store = fault
			s.Provider.(*storedPasswords).store = fault
			signedUp(t, s, "alice")
			try, unchanged := begin(t, s)
			for n := 1; ; n++ {
				fault.FailAt(n, errDisk)
				err := try()
				fault.FailAt(0, nil)
				if err == nil {
					break
				}
				if !errors.Is(err, errDisk) {
					t.Fatalf("call %d: %v", n, err)
				}
				if !unchanged() {
					t.Fatalf("call %d failed and something has changed", n)
				}
				if n > 200 {
					t.Fatal("it never succeeds")
				}
			}
		})
	}
}
