package homeserver_test

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// aPusher is a request to set up a pusher.
const aPusher = `{"app_display_name":"App","app_id":"org.example.app","data":{"url":"https://push.example.org/_matrix/push/v1/notify"},
	"device_display_name":"Phone","kind":"http","lang":"en","pushkey":"key"}`

// pusherWith is aPusher with other values: path, JSON, path, JSON; "" removes.
func pusherWith(t *testing.T, changes ...string) string {
	t.Helper()
	body := aPusher
	for i := 0; i < len(changes); i += 2 {
		var err error
		if changes[i+1] == "" {
			body, err = sjson.Delete(body, changes[i])
		} else {
			body, err = sjson.SetRaw(body, changes[i], changes[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return body
}

// pushkeys returns the pushkeys of a user's pushers.
func pushkeys(t *testing.T, c *homeservertest.Client) (keys []string) {
	t.Helper()
	for _, p := range c.Get(t, "/v3/pushers").Get("pushers").Array() {
		keys = append(keys, p.Get("pushkey").Str)
	}
	return keys
}

func TestPushers(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	set := func(t *testing.T, body string) {
		t.Helper()
		if got := alice.Post(t, "/v3/pushers/set", body).Raw; got != `{}` {
			t.Errorf("the answer is %s", got)
		}
	}
	list := func(t *testing.T) []gjson.Result {
		t.Helper()
		return alice.Get(t, "/v3/pushers").Get("pushers").Array()
	}
	same(t, "pushers of somebody without", alice.Get(t, "/v3/pushers").Raw, `{"pushers":[]}`) // PUSH-1
	// PUSH-2: it is created.
	set(t, aPusher)
	pushers := list(t)
	same(t, "pushers", len(pushers), 1)
	// PUSH-1: all of it is returned; without profile_tag there is none.
	gjson.Parse(aPusher).ForEach(func(name, value gjson.Result) bool {
		same(t, name.Str, pushers[0].Get(name.Str).Raw, value.Raw)
		return true
	})
	same(t, "profile_tag", pushers[0].Get("profile_tag").Raw, "")
	same(t, "enabled", pushers[0].Get(`org\.matrix\.msc3881\.enabled`).Raw, "true") // PUSH-14
	same(t, "device", pushers[0].Get(`org\.matrix\.msc3881\.device_id`).Str, alice.Device)
	same(t, "feature", alice.Get(t, "/versions").Get("unstable_features").Get(`org\.matrix\.msc3881`).Raw, "true")

	// PUSH-2: it is updated. PUSH-11: any format is kept. CLIENTC-15: so are other keys.
	data := `{"auth":"a","default_payload":{"n":[1.0,null]},"endpoint":"https://e","format":"org.example.none","url":"https://push.example.org/_matrix/push/v1/notify"}`
	set(t, pusherWith(t, "data", data, "profile_tag", `"work"`, "lang", `"de"`, "append", "true", `org\.matrix\.msc3881\.enabled`, "false"))
	pushers = list(t)
	same(t, "pushers", len(pushers), 1)
	same(t, "data", pushers[0].Get("data").Raw, data)
	same(t, "profile_tag", pushers[0].Get("profile_tag").Str, "work")
	same(t, "lang", pushers[0].Get("lang").Str, "de")
	same(t, "enabled", pushers[0].Get(`org\.matrix\.msc3881\.enabled`).Raw, "false") // PUSH-14
	// PUSH-2: app and key name a pusher.
	set(t, pusherWith(t, "app_id", `"other"`))
	set(t, pusherWith(t, "pushkey", `"another"`))
	same(t, "pushers", len(list(t)), 3)
	// PUSH-3
	for range 2 {
		set(t, `{"app_id":"org.example.app","kind":null,"pushkey":"key"}`)
		same(t, "pushers", len(list(t)), 2)
	}
	hs.Anonymous().Do(t, "GET", "/v3/pushers", nil).WantError(401, "M_MISSING_TOKEN")
	hs.Anonymous().Do(t, "POST", "/v3/pushers/set", aPusher).WantError(401, "M_MISSING_TOKEN")
	// One user cannot make an event a thousand requests.
	for i := range 98 {
		set(t, pusherWith(t, "pushkey", `"`+strings.Repeat("k", i+1)+`"`))
	}
	alice.Do(t, "POST", "/v3/pushers/set", aPusher).WantError(403, "M_FORBIDDEN")
	set(t, pusherWith(t, "pushkey", `"k"`, "lang", `"fr"`))
}

func TestPushersRefused(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	url := func(u string) []string { return []string{"data.url", `"` + u + `"`} }
	for name, tt := range map[string]struct {
		changes []string
		code    string
	}{
		"PUSH-3: without kind":                                 {[]string{"kind", ""}, "M_MISSING_PARAM"},
		"PUSH-3: without app_id":                               {[]string{"kind", "null", "app_id", ""}, "M_MISSING_PARAM"},
		"PUSH-3: without pushkey":                              {[]string{"kind", "null", "pushkey", ""}, "M_MISSING_PARAM"},
		"PUSH-4: without app_display_name":                     {[]string{"app_display_name", ""}, "M_MISSING_PARAM"},
		"PUSH-4: without device_display_name":                  {[]string{"device_display_name", ""}, "M_MISSING_PARAM"},
		"PUSH-4: without lang":                                 {[]string{"lang", ""}, "M_MISSING_PARAM"},
		"PUSH-4: without data":                                 {[]string{"data", ""}, "M_MISSING_PARAM"},
		"PUSH-4: data is null":                                 {[]string{"data", "null"}, "M_MISSING_PARAM"},
		"data is no object":                                    {[]string{"data", "[]"}, "M_BAD_JSON"},
		"kind is no string":                                    {[]string{"kind", "1"}, "M_BAD_JSON"},
		"lang is no string":                                    {[]string{"lang", "1"}, "M_BAD_JSON"},
		"PUSH-5: app_id of 65 characters":                      {[]string{"app_id", `"` + strings.Repeat("é", 65) + `"`}, "M_INVALID_PARAM"},
		"PUSH-5: pushkey of 513 bytes":                         {[]string{"pushkey", `"` + strings.Repeat("k", 513) + `"`}, "M_INVALID_PARAM"},
		"PUSH-5: when deleting":                                {[]string{"kind", "null", "pushkey", `"` + strings.Repeat("k", 513) + `"`}, "M_INVALID_PARAM"},
		"PUSH-6: without url":                                  {[]string{"data.url", ""}, "M_MISSING_PARAM"},
		"PUSH-6: url is no string":                             {[]string{"data.url", "1"}, "M_INVALID_PARAM"},
		"PUSH-6: url is no URL":                                {url("push.example.org"), "M_INVALID_PARAM"},
		"PUSH-6: url cannot be parsed":                         {url("https://[/_matrix/push/v1/notify"), "M_INVALID_PARAM"},
		"PUSH-6: url without host":                             {url("https:///_matrix/push/v1/notify"), "M_INVALID_PARAM"},
		"PUSH-6: another path":                                 {url("https://push.example.org/notify"), "M_INVALID_PARAM"},
		"PUSH-6: a longer path":                                {url("https://push.example.org/x/_matrix/push/v1/notify"), "M_INVALID_PARAM"},
		"PUSH-6: path with a slash at the end":                 {url("https://push.example.org/_matrix/push/v1/notify/"), "M_INVALID_PARAM"},
		"PUSH-6: path escaped":                                 {url("https://push.example.org/_matrix%2Fpush/v1/notify"), "M_INVALID_PARAM"},
		"PUSH-7: http":                                         {url("http://push.example.org/_matrix/push/v1/notify"), "M_INVALID_PARAM"},
		"PUSH-9: email, which is not there":                    {[]string{"kind", `"email"`, "app_id", `"m.email"`, "pushkey", `"a@example.org"`}, "M_INVALID_PARAM"},
		"PUSH-9: an unknown kind":                              {[]string{"kind", `"pigeon"`}, "M_INVALID_PARAM"},
		"PUSH-4: what is missing comes before an unknown kind": {[]string{"kind", `"pigeon"`, "lang", ""}, "M_MISSING_PARAM"},
	} {
		t.Run(name, func(t *testing.T) {
			alice.Do(t, "POST", "/v3/pushers/set", pusherWith(t, tt.changes...)).WantError(400, tt.code)
			same(t, "pushers", len(pushkeys(t, alice)), 0)
		})
	}
	// PUSH-5: up to the limits.
	alice.Post(t, "/v3/pushers/set", pusherWith(t, "app_id", `"`+strings.Repeat("é", 64)+`"`, "pushkey", `"`+strings.Repeat("k", 512)+`"`))
	same(t, "pushers", len(pushkeys(t, alice)), 1)
}

// PUSH-7: a host may permit http.
func TestPushersOverHTTP(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t, homeserver.WithPushGateways(homeserver.PushGateways{Insecure: true}))
	alice := hs.User(t, "alice")
	alice.Post(t, "/v3/pushers/set", pusherWith(t, "data.url", `"http://localhost:1/_matrix/push/v1/notify"`))
	same(t, "pushers", len(pushkeys(t, alice)), 1)
	alice.Do(t, "POST", "/v3/pushers/set", pusherWith(t, "data.url", `"ftp://localhost:1/_matrix/push/v1/notify"`)).WantError(400, "M_INVALID_PARAM")
	if _, err := homeserver.New("example.org", homeserver.WithPushGateways(homeserver.PushGateways{Allow: make([]netip.Prefix, 1)})); err == nil ||
		!strings.Contains(err.Error(), "WithPushGateways") {
		t.Errorf("a range that is none: %v", err)
	}
}

// PUSH-10: without append, a pushkey of an app is one user's.
func TestPushersOfOthers(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carol := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carol")
	alice.Post(t, "/v3/pushers/set", aPusher)
	alice.Post(t, "/v3/pushers/set", pusherWith(t, "pushkey", `"another"`))
	alice.Post(t, "/v3/pushers/set", pusherWith(t, "app_id", `"other"`))
	bob.Post(t, "/v3/pushers/set", pusherWith(t, "append", "true"))
	same(t, "alice's after append", len(pushkeys(t, alice)), 3)
	carol.Post(t, "/v3/pushers/set", aPusher)
	same(t, "carol's", pushkeys(t, carol), []string{"key"})
	same(t, "bob's", pushkeys(t, bob), nil)
	same(t, "alice's", pushkeys(t, alice), []string{"another", "key"})
	// Nobody removes what is another's.
	bob.Post(t, "/v3/pushers/set", pusherWith(t, "kind", "null"))
	same(t, "carol's", pushkeys(t, carol), []string{"key"})
}

// DEV-19, PUSH-13: pushers go with the device that has set them up, which is remembered over a restart.
func TestPushersGoWithTheirDevice(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "chat.db")
	open := func(t *testing.T) *homeservertest.Server {
		t.Helper()
		st, err := sqlite.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		return homeservertest.New(t, homeserver.WithStore(st))
	}
	var phone, tablet, laptop *homeservertest.Client
	t.Run("before", func(t *testing.T) {
		hs := open(t)
		phone, tablet, laptop = hs.User(t, "alice"), hs.Login(t, "alice"), hs.Login(t, "alice")
		for key, c := range map[string]*homeservertest.Client{`"one"`: phone, `"two"`: tablet, `"three"`: laptop, `"four"`: laptop} {
			c.Post(t, "/v3/pushers/set", pusherWith(t, "pushkey", key))
		}
		// It is of the device that has set it last.
		phone.Post(t, "/v3/pushers/set", pusherWith(t, "pushkey", `"four"`))
	})
	hs := open(t)
	here := func(c *homeservertest.Client) *homeservertest.Client {
		again := hs.Anonymous()
		again.User, again.Device, again.Token = c.User, c.Device, c.Token
		return again
	}
	phone, tablet, laptop = here(phone), here(tablet), here(laptop)
	same(t, "pushers after a restart", pushkeys(t, phone), []string{"four", "one", "three", "two"}) // PUSH-13
	path := homeservertest.Path("/v3/devices/{}", tablet.Device)
	phone.MustDo(t, "DELETE", path, map[string]any{"auth": map[string]any{
		"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": "alice"}, "password": homeservertest.Password,
	}})
	same(t, "after the tablet is deleted", pushkeys(t, phone), []string{"four", "one", "three"})
	laptop.Post(t, "/v3/logout", `{}`)
	same(t, "after the laptop is logged out", pushkeys(t, phone), []string{"four", "one"})
}

// PWD-8: a new password ends the pushers of the sessions that it ends, and no others.
func TestPushersAfterNewPassword(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	phone := hs.User(t, "alice")
	tablet := hs.Login(t, "alice")
	phone.Post(t, "/v3/pushers/set", pusherWith(t, "pushkey", `"phone"`))
	tablet.Post(t, "/v3/pushers/set", pusherWith(t, "pushkey", `"tablet"`))
	change := func(logout bool) {
		t.Helper()
		phone.Post(t, "/v3/account/password", map[string]any{
			"new_password": homeservertest.Password, "logout_devices": logout, "auth": map[string]any{
				"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": "alice"}, "password": homeservertest.Password,
			},
		})
	}
	change(false)
	same(t, "after a change that keeps sessions", pushkeys(t, phone), []string{"phone", "tablet"})
	change(true)
	same(t, "after one that ends them", pushkeys(t, phone), []string{"phone"})
}

// DEACT-3: with the account go its pushers, those too that no device has set up.
func TestPushersAfterDeactivation(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	_, irc, _ := withBridges(t, homeserver.WithStore(st))
	eve := ghost(t, irc, "irc_eve")
	irc.Post(t, as(eve, "/v3/pushers/set"), aPusher)
	same(t, "pushers", irc.Get(t, as(eve, "/v3/pushers")).Get("pushers.#").Int(), 1)
	irc.Post(t, as(eve, "/v3/account/deactivate"), `{}`)
	var left []store.Pusher
	if err := st.View(t.Context(), func(v store.View) (err error) {
		left, err = v.PushersOf([]events.UserID{eve})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	same(t, "pushers after deactivation", left, nil)
}
