package api

import (
	"context"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/appservice"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// countingStore counts how often it is used.
type countingStore struct {
	store.Store
	views, updates int
}

func (c *countingStore) View(ctx context.Context, f func(store.View) error) error {
	c.views++
	return c.Store.View(ctx, f)
}

func (c *countingStore) Update(ctx context.Context, f func(store.Tx) error) error {
	c.updates++
	return c.Store.Update(ctx, f)
}

// A long poll looks at its caller twice, before it waits and before it answers (ADM-5), which costs nothing: neither time is
// the store asked, nor a host about a token that it has verified within the last minute; and last_seen_ts, which a
// request moves if it is five minutes old (SDEV-5), is moved once. That holds for users, guests (GUEST-1) and application services
// (ASC-4, ASC-5) alike.
func TestWaitingLooksTwiceForNothing(t *testing.T) {
	t.Parallel()
	for name, caller := range map[string]struct {
		query, token string
		device       bool // it has one, which is seen
		hosts        bool // the token is the host's
	}{
		"user":                      {token: "alice", device: true},
		"guest":                     {token: "guest", device: true},
		"token of the host":         {token: "jwt", device: true, hosts: true},
		"the same without a device": {token: "cookie", hosts: true},
		"service":                   {token: "service-secret"},
		"service for a user":        {token: "service-secret", query: "?user_id=@ghost:example.org"},
		"service for a device":      {token: "service-secret", query: "?user_id=@ghost:example.org&device_id=BOT", device: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			services, err := appservice.New("example.org", []appservice.Registration{{
				ID: "bridge", Token: "service-secret", ServerToken: "other-secret", Sender: "bridge",
				Users: []appservice.Namespace{{Regex: "@ghost:.*"}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			var counted *countingStore
			host := &hostTokens{known: map[string]uia.Verified{
				"jwt": {User: "@carol:example.org", Device: "APP"}, "cookie": {User: "@carol:example.org"},
			}}
			s := newServer(t, func(c *account.Config) {
				counted = &countingStore{Store: c.Store}
				c.Store, c.Services, c.Guests, c.Provider = counted, services, true, host
			})
			s.Services = services
			token := caller.token
			switch token {
			case "guest":
				token = field(do(s, "POST", registerPath+"?kind=guest", "", `{}`), "access_token")
			case "alice":
				token = s.signUp(t, "alice")
			case "service-secret":
				for _, user := range []string{"bridge", "ghost"} {
					if _, err := s.Accounts.SignIn(t.Context(), user, account.Client{Device: "BOT"}); err != nil {
						t.Fatal(err)
					}
				}
			}
			wait := func(context.Context, *Caller, empty) (empty, error) {
				s.now = s.now.Add(30 * time.Second)
				return empty{}, nil
			}
			s.build([]route{get("/wait", byUser, wait).guests().longPoll()})
			poll := func() {
				want(t, do(s.API, "GET", "/_matrix/client/v3/wait"+caller.query, token, ""), 200, "")
				s.now = s.now.Add(-30 * time.Second) // for the next one it is the same minute
			}

			poll() // from here on it is known
			counted.views, counted.updates, host.calls = 0, 0, 0
			for range 5 {
				poll()
			}
			if counted.views+counted.updates+host.calls > 0 {
				t.Errorf("the store was read %d times and written %d times, the host asked %d times", counted.views, counted.updates, host.calls)
			}
			s.now = s.now.Add(5 * time.Minute)
			poll()
			seen, asked := 0, 0
			if caller.device {
				seen = 1
			}
			if caller.hosts {
				asked = 1
			}
			if counted.updates != seen || host.calls != asked {
				t.Errorf("after five minutes: last_seen_ts was written %d times, want %d; the host asked %d times, want %d",
					counted.updates, seen, host.calls, asked)
			}
		})
	}
}
