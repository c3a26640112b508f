package homeserver_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/push"
)

// pushRulesIn returns the content of the m.push_rules in an answer of /sync.
func pushRulesIn(sync gjson.Result) gjson.Result {
	return sync.Get(`account_data.events.#(type=="m.push_rules").content`)
}

// RULE-20, RULE-21, RULE-22: the complete rules are in an initial sync, and after each change in the next sync of every
// device, and nowhere else.
func TestPushRulesInSync(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	phone, bob := hs.User(t, "alice"), hs.User(t, "bob")
	laptop := hs.Login(t, "alice")
	bob.Sync(t)
	for _, device := range []*homeservertest.Client{phone, laptop} {
		if got := pushRulesIn(device.Sync(t)); got.Raw != device.Get(t, "/v3/pushrules/").Raw {
			t.Errorf("initial sync: %s", got.Raw)
		}
	}
	rule := homeservertest.Path("/v3/pushrules/global/room/{}", "!foo:example.com")
	for _, step := range []struct{ method, path, body string }{
		{"PUT", rule, `{"actions":["notify"]}`},
		{"PUT", rule + "/enabled", `{"enabled":false}`},
		{"PUT", rule + "/actions", `{"actions":["dont_notify"]}`},
		{"PUT", "/v3/pushrules/global/override/.m.rule.master/enabled", `{"enabled":true}`},
		{"DELETE", rule, ``},
	} {
		phone.Do(t, step.method, step.path, []byte(step.body)).Want(200)
		want := laptop.Get(t, "/v3/pushrules/").Raw
		for _, device := range []*homeservertest.Client{phone, laptop} {
			if got := pushRulesIn(device.Sync(t)); got.Raw != want {
				t.Errorf("after %s %s: %s, want %s", step.method, step.path, got.Raw, want)
			}
			if got := pushRulesIn(device.Sync(t)); got.Exists() {
				t.Errorf("once more: %s", got.Raw)
			}
		}
		if got := bob.Sync(t).Get("account_data.events"); len(got.Array()) > 0 {
			t.Errorf("bob gets %s", got.Raw)
		}
	}
	want := phone.Get(t, "/v3/pushrules/").Raw
	if !strings.Contains(want, `".m.rule.master","default":true,"enabled":true`) {
		t.Errorf("rules %s", want)
	}
	path := homeservertest.Path("/v3/user/{}/account_data/m.push_rules", phone.User) // RULE-22
	if got := phone.Get(t, path).Raw; got != want {
		t.Errorf("account data %s", got)
	}
	phone.Do(t, "PUT", path, map[string]any{}).WantError(405, "M_BAD_JSON")
	phone.Do(t, "PUT", homeservertest.Path("/v3/user/{}/rooms/{}/account_data/m.push_rules", phone.User, "!a:b"), map[string]any{}).
		WantError(405, "M_BAD_JSON")
}

// RULE-20: a change wakes those who wait.
func TestPushRulesWakeLongPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(t)
		token := register(t, srv, "", "alice")
		first := serve(srv, "GET", "/_matrix/client/v3/sync", token, "").Body.String()
		since := gjson.Get(first, "next_batch").Str
		started := time.Now()
		answer := make(chan string)
		go func() {
			answer <- serve(srv, "GET", "/_matrix/client/v3/sync?timeout=30000&since="+since, token, "").Body.String()
		}()
		synctest.Wait() // it waits
		if w := serve(srv, "PUT", "/_matrix/client/v3/pushrules/global/override/.m.rule.master/enabled", token, `{"enabled":true}`); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		got := pushRulesIn(gjson.Parse(<-answer))
		if !got.Get("global.override.0.enabled").Bool() || time.Since(started) > 0 {
			t.Errorf("after %v: %s", time.Since(started), got.Raw)
		}
	})
}

// DEF-20: a host leaves out the rules that guess from the text, or adds those for polls.
func TestWithPushRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		options push.Options
		want    string // overrides and underrides
	}{
		{push.Options{}, "12 5"},
		{push.Options{WithoutLegacy: true}, "10 5"},
		{push.Options{WithoutLegacy: true, Polls: true}, "11 9"},
	} {
		srv := newServer(t, homeserver.WithPushRules(tt.options))
		rules := gjson.ParseBytes(serve(srv, "GET", "/_matrix/client/v3/pushrules/", register(t, srv, "", "alice"), "").Body.Bytes())
		if got := rules.Get("global.override.#").Raw + " " + rules.Get("global.underride.#").Raw; got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.options, got, tt.want)
		}
	}
}
