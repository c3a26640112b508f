package api

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// DEV-1, DEV-2, DEV-3, SDEV-5, SDEV-6: the caller's devices, as a list and one by one.
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

// DEV-27, SDEV-5: last_seen_* follow the use of the device, some minutes late.
func TestDeviceLastSeen(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	use := func(address string) {
		r := httptest.NewRequest("GET", "/_matrix/client/v3/account/whoami", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("User-Agent", "x"+strings.Repeat("é", 10000))
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
	if d, err := s.Accounts.Device(t.Context(), "@alice:example.org", "PHONE"); err != nil || d.UserAgent != "x"+strings.Repeat("é", 255) {
		t.Errorf("kept of the user agent: %q, %v", d.UserAgent, err)
	}
}

// DEV-4, SDEV-7: the display name is set, or left alone where the request has none.
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
	want(t, do(s, "PUT", path, alice, `{"display_name":"`+strings.Repeat("x", 513)+`"}`), 400, mxerr.MInvalidParam)
	want(t, do(s, "PUT", "/_matrix/client/v3/devices/NONE", alice, `{"display_name":"x"}`), 404, mxerr.MNotFound)
	want(t, do(s, "PUT", "/_matrix/client/v3/devices/NONE", alice, `{}`), 404, mxerr.MNotFound)
	wantJSON(t, do(s, "PUT", path, alice, `{"display_name":""}`), 200, `{}`)
	if got := name(alice); got != "" {
		t.Errorf("name %q", got)
	}
}

const devicesPath = "/_matrix/client/v3/devices"

// bridge is an Authenticator for which the token "bridge" is an application service's that acts as a user.
type bridge struct {
	Authenticator
	user events.UserID
}

func (b bridge) Authenticate(ctx context.Context, p Credentials) (*Caller, error) {
	if p.Token == "bridge" {
		return &Caller{User: b.user, Device: p.Device, Service: "bridge"}, nil
	}
	return b.Authenticator.Authenticate(ctx, p)
}

// deviceIDs returns the IDs of a user's devices.
func (s *server) deviceIDs(t *testing.T, token string) string {
	t.Helper()
	w := do(s, "GET", devicesPath, token, "")
	want(t, w, 200, "")
	return field(w, "devices.#.device_id")
}

// DEV-5, SDEV-8: an application service makes devices by naming them.
func TestPutDeviceByService(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice := s.signUp(t, "alice")
	s.Authenticator = bridge{s.Authenticator, "@alice:example.org"}
	s.lists = nil
	wantJSON(t, do(s, "PUT", devicesPath+"/BRIDGE", "bridge", `{"display_name":"Bridge"}`), 201, `{}`)
	wantJSON(t, do(s, "PUT", devicesPath+"/BRIDGE", "bridge", `{}`), 200, `{}`)
	wantJSON(t, do(s, "PUT", devicesPath+"/NAMELESS", "bridge", `{}`), 201, `{}`)
	wantJSON(t, do(s, "PUT", devicesPath+"/PHONE", "bridge", `{"display_name":"Phone"}`), 200, `{}`)
	want(t, do(s, "PUT", devicesPath+"/"+strings.Repeat("x", 256), "bridge", `{}`), 400, mxerr.MInvalidParam)
	want(t, do(s, "PUT", devicesPath+"/OTHER", alice, `{}`), 404, mxerr.MNotFound) // DEV-4
	if got := s.deviceIDs(t, alice); got != `["BRIDGE","NAMELESS","PHONE"]` {
		t.Errorf("devices %s", got)
	}
	wantJSON(t, do(s, "GET", devicesPath+"/BRIDGE", alice, ""), 200, `{"device_id":"BRIDGE","display_name":"Bridge"}`) // DEV-2
	if len(s.lists) != 3 {
		t.Errorf("DEV-17: device lists changed %d times", len(s.lists))
	}
}

// DEV-13, AS-16, UIA-31, SDEV-9: application services delete devices without more proof.
func TestDeleteDeviceByService(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice := s.signUp(t, "alice")
	for _, id := range []string{"A", "B", "C"} {
		s.signIn(t, "alice", id)
	}
	s.Authenticator = bridge{s.Authenticator, "@alice:example.org"}
	wantJSON(t, do(s, "DELETE", devicesPath+"/A", "bridge", ``), 200, `{}`)
	wantJSON(t, do(s, "POST", "/_matrix/client/v3/delete_devices", "bridge", `{"devices":["B","NONE"]}`), 200, `{}`)
	if got := s.deviceIDs(t, alice); got != `["C","PHONE"]` {
		t.Errorf("devices %s", got)
	}
}

// DEV-31: the settings of a device go with it, and no others.
func TestSettingsGoWithTheDevice(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice := s.signUp(t, "alice")
	s.signIn(t, "alice", "A")
	s.signIn(t, "alice", "B")
	settings := func(device string) string {
		return "/_matrix/client/v3/user/@alice:example.org/account_data/org.matrix.msc3890.local_notification_settings." + device
	}
	for _, id := range []string{"A", "B", "PHONE"} {
		want(t, do(s, "PUT", settings(id), alice, `{"is_silenced":true}`), 200, "")
	}
	s.Authenticator = bridge{s.Authenticator, "@alice:example.org"}
	want(t, do(s, "DELETE", devicesPath+"/A", "bridge", ``), 200, "")
	want(t, do(s, "GET", settings("A"), alice, ""), 404, mxerr.MNotFound)
	wantJSON(t, do(s, "GET", settings("B"), alice, ""), 200, `{"is_silenced":true}`)
	want(t, do(s, "POST", "/_matrix/client/v3/logout", alice, "{}"), 200, "")
	want(t, do(s, "GET", settings("PHONE"), "bridge", ""), 404, mxerr.MNotFound)
	wantJSON(t, do(s, "GET", settings("B"), "bridge", ""), 200, `{"is_silenced":true}`)
}

// DEV-7 to DEV-11, DEV-15, SDEV-9, SDEV-10: deleting one device.
func TestDeleteDevice(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"DEV-8 SDEV-10 no body": "", "empty body": "{}", "auth null": `{"auth":null}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, nil)
			alice := s.signUp(t, "alice")
			s.signUp(t, "bob")
			laptop := s.signIn(t, "alice", "LAPTOP")
			s.lists = nil

			w := do(s, "DELETE", devicesPath+"/LAPTOP", alice, body) // DEV-7
			wantKeys(t, w, 401, "session", "flows", "params", "completed")
			if got := field(w, "flows"); got != `[{"stages":["m.login.password"]}]` {
				t.Errorf("flows %s", got)
			}
			session := field(w, "session")
			w = do(s, "DELETE", devicesPath+"/LAPTOP", alice, `{`+withPassword("alice", "wrong", session)+`}`)
			want(t, w, 401, mxerr.MForbidden) // DEV-9
			if field(w, "flows") == "" || field(w, "session") != session || field(w, "error") == "" {
				t.Errorf("DEV-9: %s", w.Body)
			}
			w = do(s, "DELETE", devicesPath+"/LAPTOP", alice, `{`+withPassword("bob", "bob", session)+`}`)
			want(t, w, 403, mxerr.MForbidden) // DEV-10
			if !s.signedIn(laptop) || len(s.lists) != 0 {
				t.Fatal("DEV-10: the device is gone")
			}
			w = do(s, "DELETE", devicesPath+"/PHONE", alice, `{`+withPassword("alice", "alice", session)+`}`)
			want(t, w, 403, mxerr.MForbidden) // proof for one device is none for another (UIA-14)

			w = do(s, "DELETE", devicesPath+"/LAPTOP", alice, `{`+withPassword("alice", "alice", session)+`}`)
			wantJSON(t, w, 200, `{}`)
			want(t, do(s, "GET", devicesPath, laptop, ""), 401, mxerr.MUnknownToken) // DEV-15
			want(t, do(s, "GET", devicesPath+"/LAPTOP", alice, ""), 404, mxerr.MNotFound)
			if got := s.deviceIDs(t, alice); got != `["PHONE"]` {
				t.Errorf("devices %s", got)
			}
			if diff := cmp.Diff([]wake{{"@alice:example.org", s.store.Position()}}, s.lists); diff != "" { // DEV-17, DEV-20
				t.Errorf("device lists (-want +got):\n%s", diff)
			}
			for _, gone := range []string{"LAPTOP", "NONE"} { // DEV-11
				w = do(s, "DELETE", devicesPath+"/"+gone, alice, ``)
				wantKeys(t, w, 401, "session", "flows", "params", "completed")
				w = do(s, "DELETE", devicesPath+"/"+gone, alice, `{`+withPassword("alice", "alice", field(w, "session"))+`}`)
				wantJSON(t, w, 200, `{}`)
			}
		})
	}
}

// DEV-12, SDEV-11: deleting several devices.
func TestDeleteDevices(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	const path = "/_matrix/client/v3/delete_devices"
	alice, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
	for _, id := range []string{"A", "B", "C"} {
		s.signIn(t, "alice", id)
	}
	for body, code := range map[string]mxerr.Code{
		``: mxerr.MNotJSON, `{}`: mxerr.MMissingParam, `{"devices":"A"}`: mxerr.MBadJSON, `{"devices":[1]}`: mxerr.MBadJSON,
	} {
		want(t, do(s, "POST", path, alice, body), 400, code)
	}
	const devices = `"devices":["A","NONE","C"]`
	w := do(s, "POST", path, alice, `{`+devices+`}`)
	wantKeys(t, w, 401, "session", "flows", "params", "completed")
	session := field(w, "session")
	want(t, do(s, "POST", path, alice, `{"devices":["B"],`+withPassword("alice", "alice", session)+`}`), 403, mxerr.MForbidden)
	wantJSON(t, do(s, "POST", path, alice, `{`+devices+`,`+withPassword("alice", "alice", session)+`}`), 200, `{}`)
	if got := s.deviceIDs(t, alice); got != `["B","PHONE"]` {
		t.Errorf("devices %s", got)
	}
	// One's own device of the same name is another device.
	w = do(s, "POST", path, bob, `{"devices":["PHONE"],`+withPassword("bob", "bob", "")+`}`)
	wantJSON(t, w, 200, `{}`)
	if !s.signedIn(alice) || s.signedIn(bob) {
		t.Errorf("signed in: alice %v, bob %v", s.signedIn(alice), s.signedIn(bob))
	}
}

// DEV-28: guests may read and name their devices, not delete them.
func TestGuestDevices(t *testing.T) {
	t.Parallel()
	a := newTestAPI(Config{})
	want(t, do(a, "DELETE", devicesPath+"/DEV", "guest", ""), 403, mxerr.MGuestAccessForbidden)
	want(t, do(a, "POST", "/_matrix/client/v3/delete_devices", "guest", `{"devices":[]}`), 403, mxerr.MGuestAccessForbidden)
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	s.change(t, "@alice:example.org", func(u *store.User) { u.Guest = true })
	want(t, do(s, "GET", devicesPath, token, ""), 200, "")
	want(t, do(s, "GET", devicesPath+"/PHONE", token, ""), 200, "")
	want(t, do(s, "PUT", devicesPath+"/PHONE", token, `{"display_name":"x"}`), 200, "")
}

// DEV-6, DEV-17, DEV-21, DEV-22, DEV-26, DL-4, SDEV-14: what is told to others about a user's devices, with which name.
func TestDeviceListsFollowDevices(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	var phone, laptop string
	for _, step := range []struct {
		name    string
		do      func()
		changes int
	}{
		{"DEV-26 registration", func() { phone = s.signUp(t, "alice") }, 1},
		{"DEV-26 login", func() { laptop = s.signIn(t, "alice", "LAPTOP") }, 1},
		{"DL-4 login on a known device", func() { laptop = s.signIn(t, "alice", "LAPTOP") }, 1},
		{"DEV-6 a new name", func() {
			want(t, do(s, "PUT", devicesPath+"/PHONE", phone, `{"display_name":"x"}`), 200, "")
		}, 1},
		{"the same name", func() {
			want(t, do(s, "PUT", devicesPath+"/PHONE", phone, `{"display_name":"x"}`), 200, "")
			want(t, do(s, "PUT", devicesPath+"/PHONE", phone, `{}`), 200, "")
		}, 0},
		{"DEV-21 logout", func() { want(t, do(s, "POST", "/_matrix/client/v3/logout", laptop, ``), 200, "") }, 1},
		{"DEV-22 a new password", func() {
			s.signIn(t, "alice", "LAPTOP")
			s.lists = nil
			w := do(s, "POST", "/_matrix/client/v3/account/password", phone, `{"new_password":"new",`+withPassword("alice", "alice", "")+`}`)
			want(t, w, 200, "")
		}, 1},
		{"DEV-21 logout of all", func() { want(t, do(s, "POST", "/_matrix/client/v3/logout/all", phone, ``), 200, "") }, 1},
	} {
		s.lists = nil
		step.do()
		if len(s.lists) != step.changes {
			t.Errorf("%s: changed %d times, want %d", step.name, len(s.lists), step.changes)
		}
		for _, c := range s.lists {
			if c.User != "@alice:example.org" {
				t.Errorf("%s: %s has changed", step.name, c.User)
			}
		}
	}
}

// DEV-25, LOGIN-14: a device is not called like a cross-signing key of its user.
func TestDeviceCalledLikeKey(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice := s.signUp(t, "alice")
	s.signUp(t, "bob")
	err := s.store.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutCrossSigningKey(store.CrossSigningKey{User: "@alice:example.org", Usage: "master", Public: "KEY", JSON: []byte(`{}`)})
	})
	if err != nil {
		t.Fatal(err)
	}
	const login = `{"type":"m.login.password","user":"alice","password":"alice","device_id":"KEY"}`
	want(t, do(s, "POST", "/_matrix/client/v3/login", "", login), 403, mxerr.MForbidden)
	s.Authenticator = bridge{s.Authenticator, "@alice:example.org"}
	want(t, do(s, "PUT", devicesPath+"/KEY", "bridge", `{}`), 403, mxerr.MForbidden)
	if got := s.deviceIDs(t, alice); got != `["PHONE"]` {
		t.Errorf("devices %s", got)
	}
	s.signIn(t, "bob", "KEY") // another user's key
}

// DEV-30: whoami names the device of the token, and none for a service that acts without one.
func TestWhoamiDevice(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	s.Authenticator = bridge{s.Authenticator, alice}
	const path = "/_matrix/client/v3/account/whoami"
	for target, device := range map[string]string{path: "", path + "?device_id=PHONE": "PHONE"} {
		w := do(s, "GET", target, "bridge", "")
		want(t, w, 200, "")
		if got := field(w, "device_id"); got != device || (device == "") == strings.Contains(w.Body.String(), "device_id") {
			t.Errorf("%s: %s", target, w.Body)
		}
	}
	if w := do(s, "GET", path, token, ""); field(w, "device_id") != "PHONE" {
		t.Errorf("%s", w.Body)
	}
}

// DEV-29: a suspended user can still delete devices and log out.
func TestSuspendedUserDeletesDevices(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	s.signIn(t, "alice", "LAPTOP")
	s.change(t, alice, func(u *store.User) { u.Suspended = true })
	wantJSON(t, do(s, "DELETE", devicesPath+"/LAPTOP", token, `{`+withPassword("alice", "alice", "")+`}`), 200, `{}`)
	if got := s.deviceIDs(t, token); got != `["PHONE"]` {
		t.Errorf("devices %s", got)
	}
	wantJSON(t, do(s, "POST", "/_matrix/client/v3/logout", token, ``), 200, `{}`)
}
