package api

import (
	"testing"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// SDEV-12 but for the keys: logout ends the calling session and removes its device, others stay; API-1: the body is ignored.
func TestLogout(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"without a body": "", "empty object": "{}", "API-1 no JSON": "not json", "API-1 no object": "[]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, nil)
			phone := s.signUp(t, "alice")
			laptop := s.signIn(t, "alice", "LAPTOP")
			if !s.signedIn(phone) || !s.signedIn(laptop) {
				t.Fatal("not signed in")
			}
			wantJSON(t, do(s, "POST", "/_matrix/client/v3/logout", phone, body), 200, `{}`)
			w := do(s, "POST", "/_matrix/client/v3/logout", phone, body)
			want(t, w, 401, mxerr.MUnknownToken)
			if field(w, "soft_logout") == "true" {
				t.Errorf("AUTH-4: soft logout though the device is gone: %s", w.Body)
			}
			if !s.signedIn(laptop) {
				t.Error("the other session has ended as well")
			}
			w = do(s, "GET", "/_matrix/client/v3/devices", laptop, "")
			if ids := field(w, "devices.#.device_id"); ids != `["LAPTOP"]` {
				t.Errorf("devices %s", ids)
			}
		})
	}
}

// SDEV-13 but for the keys: logout/all ends all sessions of the user, the caller's included, and nobody else's.
func TestLogoutAll(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v3", "r0"} {
		s := newServer(t, nil)
		phone, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
		laptop := s.signIn(t, "alice", "LAPTOP")
		for _, token := range []string{phone, laptop, bob} {
			if !s.signedIn(token) {
				t.Fatal("not signed in")
			}
		}
		wantJSON(t, do(s, "POST", "/_matrix/client/"+version+"/logout/all", laptop, "no json"), 200, `{}`)
		if s.signedIn(phone) || s.signedIn(laptop) || !s.signedIn(bob) {
			t.Errorf("signed in: phone %v, laptop %v, bob %v", s.signedIn(phone), s.signedIn(laptop), s.signedIn(bob))
		}
		devices, err := s.Accounts.Devices(t.Context(), "@alice:example.org")
		if err != nil || len(devices) != 0 {
			t.Errorf("devices are left: %v, %v", devices, err)
		}
	}
}

// SDEV-12, SDEV-13: a token is needed.
func TestLogoutWithoutToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, path := range []string{"/_matrix/client/v3/logout", "/_matrix/client/v3/logout/all"} {
		want(t, do(s, "POST", path, "", ""), 401, mxerr.MMissingToken)
		want(t, do(s, "POST", path, "nonsense", ""), 401, mxerr.MUnknownToken)
	}
}
