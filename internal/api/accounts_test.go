package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/backup"
	"github.com/ca4c8834/homeserver/internal/devicelist"
	"github.com/ca4c8834/homeserver/internal/keys"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/pushrules"
	"github.com/ca4c8834/homeserver/internal/todevice"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// server is an API over real accounts in a database of its own.
type server struct {
	*API
	store store.Store
	now   time.Time
	wakes []wake          // in the order of the calls
	lists []wake          // likewise: changes of devices
	rooms []changedField  // likewise
	left  []events.UserID // likewise

	leaveErr error // of LeaveAll
}

type wake struct {
	User events.UserID
	Pos  store.Pos
}

type changedField struct {
	User  events.UserID
	Field string
}

// UserChanged implements account.Waker.
func (s *server) UserChanged(user events.UserID, pos store.Pos) {
	s.wakes = append(s.wakes, wake{user, pos})
}

// DevicesChanged implements devicelist.Waker.
func (s *server) DevicesChanged(user events.UserID, _ []store.RoomNum, pos store.Pos) {
	s.lists = append(s.lists, wake{user, pos})
}

// ProfileChanged implements account.Rooms.
func (s *server) ProfileChanged(_ context.Context, user events.UserID, fields ...string) error {
	for _, field := range fields {
		s.rooms = append(s.rooms, changedField{user, field})
	}
	return nil
}

// LeaveAll implements account.Rooms.
func (s *server) LeaveAll(_ context.Context, user events.UserID) error {
	s.left = append(s.left, user)
	return s.leaveErr
}

// newServer makes a server with open registration; change may alter that.
func newServer(t *testing.T, change func(*account.Config)) *server {
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
	s := &server{store: st, now: fixedClock()}
	clock := func() time.Time { return s.now }
	rules := pushrules.New(pushrules.Config{Store: st, Defaults: push.NewDefaults(push.Options{}), Waker: s})
	cfg := account.Config{
		Store: st, Server: "example.org", Now: clock,
		Registration: account.RegistrationOpen, Cost: account.InsecureCost(),
		Rooms: s, Waker: s, DeviceLists: devicelist.New(s), PushRules: rules,
	}
	if change != nil {
		change(&cfg)
	}
	accounts := account.New(cfg)
	s.API = New(Config{
		Capabilities: func(ctx context.Context, c *Caller) (account.Capabilities, error) {
			return accounts.Capabilities(ctx, c.User)
		},
		Authenticator: Accounts{accounts}, Accounts: accounts, PushRules: rules, Now: clock,
		Keys: keys.New(keys.Config{
			Store: st, Server: "example.org", Now: clock, Lists: devicelist.New(s), Waker: s, Accounts: accounts,
		}),
		Backups:  backup.New(st),
		ToDevice: todevice.New(todevice.Config{Store: st, Now: clock, Waker: s}),
	})
	return s
}

// signUp registers a user, whose password is the username, and returns the
// access token of the device "PHONE".
func (s *server) signUp(t *testing.T, username string) (token string) {
	t.Helper()
	w := do(s, "POST", "/_matrix/client/v3/register", "", fmt.Sprintf(
		`{"auth":{"type":"m.login.dummy"},"username":%q,"password":%[1]q,"device_id":"PHONE"}`, username))
	want(t, w, 200, "")
	return field(w, "access_token")
}

// signIn logs a user of signUp in and returns the access token.
func (s *server) signIn(t *testing.T, username, device string) (token string) {
	t.Helper()
	w := do(s, "POST", "/_matrix/client/v3/login", "", fmt.Sprintf(
		`{"type":"m.login.password","identifier":{"type":"m.id.user","user":%q},"password":%[1]q,"device_id":%q}`, username, device))
	want(t, w, 200, "")
	return field(w, "access_token")
}

// change alters an account in the database, as administration does.
func (s *server) change(t *testing.T, user events.UserID, f func(*store.User)) {
	t.Helper()
	err := s.store.Update(t.Context(), func(tx store.Tx) error {
		u, err := tx.User(user)
		if err != nil {
			return err
		}
		f(&u)
		return tx.UpdateUser(u)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// field returns a member of an answer as text.
func field(w *httptest.ResponseRecorder, path string) string {
	return gjson.GetBytes(w.Body.Bytes(), path).String()
}

// memberOf returns a member of a member of an answer as JSON, "" if there is none. Its names are no paths.
func memberOf(w *httptest.ResponseRecorder, names ...string) string {
	value := gjson.ParseBytes(w.Body.Bytes())
	for _, name := range names {
		value = value.Map()[name]
	}
	return value.Raw
}

// wantJSON checks the status and the whole body.
func wantJSON(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	var got, wanted any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("status %d, body %q: %v", w.Code, w.Body, err)
	}
	if err := json.Unmarshal([]byte(body), &wanted); err != nil {
		t.Fatalf("wanted body %q: %v", body, err)
	}
	if diff := cmp.Diff(wanted, got); w.Code != status || diff != "" {
		t.Errorf("status %d, want %d (-want +got):\n%s", w.Code, status, diff)
	}
}

// wantKeys checks the status and that the body has exactly these members, none of them null.
func wantKeys(t *testing.T, w *httptest.ResponseRecorder, status int, keys ...string) {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("status %d, body %q: %v", w.Code, w.Body, err)
	}
	wanted := make(map[string]bool)
	for _, key := range keys {
		wanted[key] = true
	}
	got := make(map[string]bool)
	for key, value := range body {
		got[key] = value != nil
	}
	if diff := cmp.Diff(wanted, got); w.Code != status || diff != "" {
		t.Errorf("status %d, want %d, members (-want +got):\n%s\nbody %s", w.Code, status, diff, w.Body)
	}
}

// signedIn reports whether a token works.
func (s *server) signedIn(token string) bool {
	return do(s, "GET", "/_matrix/client/v3/account/whoami", token, "").Code == 200
}

// AUTH-1, AUTH-2, AUTH-3, ERR-4: the token of a real session in the header or the query; none, and one that is not known.
func TestTokensOfSessions(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	const whoami = "/_matrix/client/v3/account/whoami"
	want(t, do(s, "GET", whoami, token, ""), 200, "")
	want(t, do(s, "GET", whoami+"?access_token="+token, "", ""), 200, "")
	want(t, do(s, "GET", whoami, "", ""), 401, mxerr.MMissingToken)
	for bad, soft := range map[string]bool{"nonsense": false, "hs__x": false, strings.ToUpper(token): false, token + "x": true} {
		w := do(s, "GET", whoami, bad, "")
		want(t, w, 401, mxerr.MUnknownToken)
		if gjson.GetBytes(w.Body.Bytes(), "soft_logout").Bool() != soft {
			t.Errorf("AUTH-4: soft logout %v wanted, for as long as there is such a device: %s", soft, w.Body)
		}
	}
}

// REFR-8, AUTH-4: an expired token is a soft logout, for as long as the device is there.
func TestExpiredToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	s.signUp(t, "alice")
	err := s.store.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutToken(store.Token{
			Hash: sha256.Sum256([]byte("short")), User: "@alice:example.org", Device: "PHONE",
			ExpiresTS: s.now.UnixMilli() + 1000,
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if !s.signedIn("short") {
		t.Fatal("token is refused before its time is over")
	}
	s.now = s.now.Add(time.Second)
	w := do(s, "GET", "/_matrix/client/v3/account/whoami", "short", "")
	want(t, w, 401, mxerr.MUnknownToken)
	if field(w, "soft_logout") != "true" {
		t.Errorf("no soft logout: %s", w.Body)
	}
}
