package api

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// SDEV-5, SDEV-6: the caller's devices, as a list and one by one.
func TestDevices(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice := s.signUp(t, "alice")
	s.signIn(t, "alice", "LAPTOP")
	bob := s.signUp(t, "bob")
	seen := s.now.UnixMilli()
	device := func(id string) string {
		return fmt.Sprintf(`{"device_id":%q,"last_seen_ip":"192.0.2.1","last_seen_ts":%d}`, id, seen)
	}
	for _, version := range []string{"v3", "r0"} {
		path := "/_matrix/client/" + version + "/devices"
		wantJSON(t, do(s, "GET", path, alice, ""), 200, `{"devices":[`+device("LAPTOP")+`,`+device("PHONE")+`]}`)
		wantJSON(t, do(s, "GET", path+"/LAPTOP", alice, ""), 200, device("LAPTOP"))
		want(t, do(s, "GET", path+"/LAPTOP", bob, ""), 404, mxerr.MNotFound) // another user's
		want(t, do(s, "GET", path+"/NONE", alice, ""), 404, mxerr.MNotFound)
		want(t, do(s, "GET", path, "", ""), 401, mxerr.MMissingToken)
	}
}

// SDEV-5: last_seen_* follow the use of the device, some minutes late.
func TestDeviceLastSeen(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	use := func(address string) {
		r := httptest.NewRequest("GET", "/_matrix/client/v3/account/whoami", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.RemoteAddr = address + ":1234"
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	shown := func(address string, at time.Time) {
		t.Helper()
		d, err := s.Accounts.Device(t.Context(), "@alice:example.org", "PHONE")
		if err != nil || d.LastSeenIP != address || d.LastSeenTS != at.UnixMilli() {
			t.Errorf("last seen at %s %d, %v; want %s %d", d.LastSeenIP, d.LastSeenTS, err, address, at.UnixMilli())
		}
	}
	start := s.now
	s.now = start.Add(time.Minute)
	use("198.51.100.7")
	shown("192.0.2.1", start) // not worth a write yet
	s.now = start.Add(5 * time.Minute)
	use("198.51.100.8")
	shown("198.51.100.8", s.now)
	later := s.now
	s.now = s.now.Add(time.Minute)
	use("198.51.100.9")
	shown("198.51.100.8", later)
}

// SDEV-7: the display name is set, or left alone where the request has none.
func TestRenameDevice(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
	const path = "/_matrix/client/v3/devices/PHONE"
	name := func(token string) string { return field(do(s, "GET", path, token, ""), "display_name") }
	wantJSON(t, do(s, "PUT", path, alice, `{"display_name":"My phone"}`), 200, `{}`)
	if got := name(alice); got != "My phone" {
		t.Errorf("name %q", got)
	}
	for _, body := range []string{`{}`, ``, `{"display_name":null}`} {
		wantJSON(t, do(s, "PUT", "/_matrix/client/r0/devices/PHONE", alice, body), 200, `{}`)
		if got := name(alice); got != "My phone" {
			t.Errorf("after %q the name is %q", body, got)
		}
	}
	if got := name(bob); got != "" {
		t.Errorf("the other user's device is now called %q", got)
	}
	want(t, do(s, "PUT", path, alice, `{"display_name":1}`), 400, mxerr.MBadJSON)
	want(t, do(s, "PUT", "/_matrix/client/v3/devices/NONE", alice, `{"display_name":"x"}`), 404, mxerr.MNotFound)
	want(t, do(s, "PUT", "/_matrix/client/v3/devices/NONE", alice, `{}`), 404, mxerr.MNotFound)
	wantJSON(t, do(s, "PUT", path, alice, `{"display_name":""}`), 200, `{}`)
	if got := name(alice); got != "" {
		t.Errorf("name %q", got)
	}
}
