package homeserver_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

func quiet() homeserver.Option { return homeserver.WithLogger(slog.New(slog.DiscardHandler)) }

// New names every fault at once.
func TestFaults(t *testing.T) {
	t.Parallel()
	faults := map[string]homeserver.Option{
		"an option is nil":                     nil,
		"WithStore":                            homeserver.WithStore(nil),
		"WithAuthProvider":                     homeserver.WithAuthProvider(nil),
		"WithPublicURL":                        homeserver.WithPublicURL("example.org"),
		"comes before /_matrix":                homeserver.WithPublicURL("https://example.org/chat/_matrix"),
		"WithAccountRules":                     homeserver.WithAccountRules(homeserver.AccountRules{SessionLifetime: -1}),
		"WithSSO":                              homeserver.WithSSO(homeserver.SSO{TokenLifetime: -1}),
		"WithRegistration: 9":                  homeserver.WithRegistration(9),
		"WithRegistrationTokens: \"a b\"":      homeserver.WithRegistrationTokens("fine", "a b"),
		"WithRegistrationTokens needs":         homeserver.WithRegistrationTokens("fine"),
		"WithRateLimit: class 0":               homeserver.WithRateLimit(0, time.Second, 1),
		"WithRateLimit: class 1, one every 0s": homeserver.WithRateLimit(homeserver.RateMessages, 0, 1),
		"one every 1s, burst 0":                homeserver.WithRateLimit(homeserver.RateMedia, time.Second, 0),
		"WithUserRateLimits":                   homeserver.WithUserRateLimits(nil),
		"WithClientAddress":                    homeserver.WithClientAddress(nil),
		"WithReports":                          homeserver.WithReports(nil),
		"WithRoomMemory: 0":                    homeserver.WithRoomMemory(0),
		"WithMediaStore":                       homeserver.WithMediaStore(nil),
		"WithMediaRules":                       homeserver.WithMediaRules(homeserver.MediaRules{MaxUpload: -1}),
		"WithURLPreviews":                      homeserver.WithURLPreviews(homeserver.PreviewAddresses{Deny: make([]netip.Prefix, 1)}),
		`application service "b"`:              homeserver.WithAppServices(homeserver.AppService{ID: "b"}),
		`WithServerNotices: ""`:                homeserver.WithServerNotices("", "Notices"),
		`WithServerNotices: "A"`:               homeserver.WithServerNotices("A", "Notices"),
		`WithServerNotices: the rooms`:         homeserver.WithServerNotices("notices", ""),
		`WithRoomVersion: "13"`:                homeserver.WithRoomVersion("13"),
		"WithLogger":                           homeserver.WithLogger(nil),
		"WithClock":                            homeserver.WithClock(nil),
	}
	var all []homeserver.Option
	for fault, option := range faults {
		all = append(all, option)
		if _, err := homeserver.New("example.org", option); err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("want a fault with %q, got %v", fault, err)
		}
	}
	_, err := homeserver.New("not a name", all...)
	if err == nil {
		t.Fatal("no error")
	}
	for fault := range faults {
		if fault != "WithRegistrationTokens needs" && !strings.Contains(err.Error(), fault) {
			t.Errorf("%q is missing in: %v", fault, err)
		}
	}
	if !strings.Contains(err.Error(), "server name") {
		t.Errorf("the name is missing in: %v", err)
	}
	for _, url := range []string{"", "/chat", "ftp://example.org", "https:///chat", "https://example.org?a=b", "https://example.org#a", "https://exa mple.org"} {
		if _, err := homeserver.New("example.org", homeserver.WithPublicURL(url)); err == nil {
			t.Errorf("the public URL %q is accepted", url)
		}
	}
}

// A host that keeps everything but uploads is told so.
func TestStoreWithoutMediaStore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		options []homeserver.Option
		warned  bool
	}{
		{"neither", nil, false},
		{"store", []homeserver.Option{homeserver.WithStore(memory(t))}, true},
		{"both", []homeserver.Option{homeserver.WithStore(memory(t)), homeserver.WithMediaStore(media.Memory())}, false},
	} {
		var log bytes.Buffer
		newServer(t, append(tt.options, homeserver.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))...)
		if warned := strings.Contains(log.String(), "uploads are lost"); warned != tt.warned {
			t.Errorf("%s: the log is %q", tt.name, &log)
		}
	}
}

func memory(t *testing.T) store.Store {
	t.Helper()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	return st
}

const registerPath = "/_matrix/client/v3/register"

// Registration is closed unless the host opens it (REG-6); of several policies
// the last one counts, and of tokens all (UIA-24).
func TestRegistrationPolicy(t *testing.T) {
	t.Parallel()
	closed, open, byToken := homeserver.WithRegistration(homeserver.RegistrationClosed),
		homeserver.WithRegistration(homeserver.RegistrationOpen), homeserver.WithRegistration(homeserver.RegistrationByToken)
	const dummy = `{"username":"alice","password":"secret","auth":{"type":"m.login.dummy"}}`
	token := func(s string) string {
		return `{"username":"alice","password":"secret","auth":{"type":"m.login.registration_token","token":"` + s + `"}}`
	}
	tokens := []homeserver.Option{byToken, homeserver.WithRegistrationTokens("one"), homeserver.WithRegistrationTokens("two")}
	for _, tt := range []struct {
		name    string
		options []homeserver.Option
		body    string
		status  int
	}{
		{"default", nil, dummy, 403},
		{"closed", []homeserver.Option{open, closed}, dummy, 403},
		{"open", []homeserver.Option{closed, open}, dummy, 200},
		{"by token, without one", tokens, dummy, 401},
		{"by token, a wrong one", tokens, token("three"), 401},
		{"by token, the first", tokens, token("one"), 200},
		{"by token, the last", tokens, token("two"), 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv, err := homeserver.New("example.org", append(tt.options, homeserver.WithInsecurePasswordHashing())...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = srv.Close() }()
			if w := serve(srv, "POST", registerPath, "", tt.body); w.Code != tt.status {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

// Nobody registers beside the host's own accounts, or they could take the account of
// somebody whom the host knows and who has not signed in yet (REG-6).
func TestNobodyRegistersBesideAnAuthProvider(t *testing.T) {
	t.Parallel()
	provider, open := homeserver.WithAuthProvider(users{"alice": "secret"}), homeserver.WithRegistration(homeserver.RegistrationOpen)
	srv := newServer(t, open, provider)
	const dummy = `{"username":"alice","password":"mine","auth":{"type":"m.login.dummy"}}`
	if w := serve(srv, "POST", registerPath, "", dummy); w.Code != 403 || gjson.GetBytes(w.Body.Bytes(), "errcode").Str != "M_FORBIDDEN" {
		t.Errorf("registered: %d %s", w.Code, w.Body)
	}
	newServer(t, provider, homeserver.WithRegistration(homeserver.RegistrationClosed))
	for _, later := range []homeserver.Option{open, homeserver.WithRegistration(homeserver.RegistrationByToken)} {
		if _, err := homeserver.New("example.org", provider, later); err == nil || !strings.Contains(err.Error(), "WithAuthProvider") {
			t.Errorf("want a fault, got %v", err)
		}
	}
}

// Requests are limited by default, as the host says, or not at all (RATE-1).
func TestRateLimitOptions(t *testing.T) {
	t.Parallel()
	login := func(every time.Duration, burst int) homeserver.Option {
		return homeserver.WithRateLimit(homeserver.RateLogin, every, burst)
	}
	for name, tt := range map[string]struct {
		options []homeserver.Option
		allowed int // of 30 requests at the same moment
	}{
		"default":           {nil, 20},
		"own":               {[]homeserver.Option{login(time.Hour, 9), login(time.Minute, 3)}, 3},
		"none":              {[]homeserver.Option{login(time.Minute, 3), homeserver.WithoutRateLimits()}, 30},
		"none but this one": {[]homeserver.Option{homeserver.WithoutRateLimits(), login(time.Minute, 3)}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1_700_000_000, 0)
			srv := newServer(t, append(tt.options, homeserver.WithClock(func() time.Time { return now }))...)
			allowed := 0
			for range 30 {
				if serve(srv, "GET", "/_matrix/client/v3/login", "", "").Code == 200 {
					allowed++
				}
			}
			if allowed != tt.allowed {
				t.Errorf("%d requests are allowed, want %d", allowed, tt.allowed)
			}
		})
	}
}

// The host gives users budgets of their own (RATE-1); those who are not signed in have that of their address.
func TestUserRateLimits(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	srv := newServer(t, homeserver.WithClock(func() time.Time { return now }),
		homeserver.WithRateLimit(homeserver.RateAccount, time.Hour, 2), homeserver.WithRateLimit(homeserver.RateLogin, time.Hour, 2),
		homeserver.WithUserRateLimits(func(user events.UserID, class homeserver.RateClass, usual homeserver.RateLimit) homeserver.RateLimit {
			switch {
			case class == homeserver.RateAccount && usual != homeserver.RateLimit{Every: time.Hour, Burst: 2}:
				t.Errorf("usually %+v", usual)
			case user == "@bot:example.org" && class == homeserver.RateAccount:
				return homeserver.RateLimit{Every: time.Hour, Burst: 7}
			case user == "@root:example.org":
				return homeserver.RateLimit{}
			}
			return usual
		}))
	for user, want := range map[string]int{"alice": 2, "bot": 7, "root": 30, "": 2} {
		path, token := "/_matrix/client/v3/login", ""
		if user != "" {
			session, err := srv.SignIn(t.Context(), user, homeserver.Device{})
			if err != nil {
				t.Fatal(err)
			}
			path, token = "/_matrix/client/v3/account/whoami", session.Token
		}
		allowed := 0
		for allowed < 30 && serve(srv, "GET", path, token, "").Code == 200 {
			allowed++
		}
		if allowed != want {
			t.Errorf("%q is allowed %d requests, want %d", user, allowed, want)
		}
	}
}

// A client cannot choose its address by a header, a proxy can.
func TestForwardedFor(t *testing.T) {
	t.Parallel()
	address := homeserver.ForwardedFor(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"))
	for _, tt := range []struct {
		name, peer string
		header     []string
		want       string
	}{
		{"no proxy", "192.0.2.1:5", nil, "192.0.2.1"},
		{"no proxy, and a lie", "192.0.2.1:5", []string{"192.0.2.9"}, "192.0.2.1"},
		{"one proxy", "10.0.0.1:5", []string{"192.0.2.1"}, "192.0.2.1"},
		{"one proxy, and a lie", "10.0.0.1:5", []string{"192.0.2.9, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies in two headers", "10.0.0.1:5", []string{"192.0.2.9,192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		{"IPv6", "[fd00::1]:5", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:5", []string{"192.0.2.1"}, "192.0.2.1"},
		{"a proxy that tells nothing", "10.0.0.1:5", nil, "10.0.0.1"},
		{"a proxy that tells nonsense", "10.0.0.1:5", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		{"only proxies", "10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"a peer without a port", "@", []string{"192.0.2.1"}, "@"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.peer
		for _, h := range tt.header {
			r.Header.Add("X-Forwarded-For", h)
		}
		if got := address(r); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
