package homeserver_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// Every change of keys ends the waiting of those who must learn of it, and of nobody else, and is told to them: in /sync
// (SYNC-54, DL-16) and in both forms of sliding sync (SLIDE-44, SLIDE-49). alice, who changes them, has a phone and a
// tablet; bob is in a room with her, carl in an encrypted one; dora has left one and erin is only invited. The server
// knows them from the database or has followed them into the rooms.
func TestWhoLearnsOfKeys(t *testing.T) {
	t.Parallel()
	for _, followed := range []bool{false, true} {
		t.Run(fmt.Sprint("followed: ", followed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { checkWhoLearnsOfKeys(t, followed) })
		})
	}
}

func checkWhoLearnsOfKeys(t *testing.T, followed bool) {
	srv := newServer(t)
	call := caller(t, srv)
	const alice, bob = events.UserID("@alice:example.org"), events.UserID("@bob:example.org")
	devices := map[string]string{"phone": register(t, srv, "", "alice")} // access tokens
	for _, name := range []string{"bob", "carl", "dora", "erin"} {
		devices[name] = register(t, srv, "", name)
	}
	login := func(device string) string {
		return call("", "POST", "/v3/login", fmt.Sprintf(`{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"secret","device_id":%q}`, device)).Get("access_token").Str
	}
	devices["tablet"] = login("TABLET")
	for _, token := range devices {
		if followed {
			call(token, "GET", "/v3/sync?set_presence=offline", "")
		}
	}
	phone := call(devices["phone"], "GET", "/v3/account/whoami", "").Get("device_id").Str
	room := call(devices["phone"], "POST", "/v3/createRoom", `{"preset":"public_chat","invite":["@erin:example.org"]}`).Get("room_id").Str
	secret := call(devices["phone"], "POST", "/v3/createRoom", `{"preset":"public_chat","initial_state":[{"type":"m.room.encryption","content":{"algorithm":"m.megolm.v1.aes-sha2"}}]}`).Get("room_id").Str
	for name, room := range map[string]string{"bob": room, "carl": secret, "dora": room} {
		call(devices[name], "POST", homeservertest.Path("/v3/join/{}", room), `{}`)
	}
	call(devices["dora"], "POST", homeservertest.Path("/v3/rooms/{}/leave", room), `{}`)

	sign := func(key string, by events.UserID, id, name string) string {
		_, private := signingKey(by, name)
		signed, err := events.SignJSON([]byte(key), string(by), "ed25519:"+id, private)
		if err != nil {
			t.Fatal(err)
		}
		return string(signed)
	}
	deviceKey := func(user events.UserID, device, more string) string {
		public, _ := signingKey(user, device)
		return fmt.Sprintf(`{"user_id":%q,"device_id":%q,"algorithms":[],"keys":{"ed25519:%[2]s":%[3]q},"signatures":{},"more":%[4]q}`, user, device, public, more)
	}
	upload := func(key string) { call(devices["phone"], "POST", "/v3/keys/upload", `{"device_keys":`+key+`}`) }
	oneTime := func(keys string) { call(devices["phone"], "POST", "/v3/keys/upload", keys) }
	claim := func() {
		call(devices["bob"], "POST", "/v3/keys/claim", fmt.Sprintf(`{"one_time_keys":{%q:{%q:"signed_curve25519"}}}`, alice, phone))
	}
	crossSign := func(user, generation, proof string) {
		body := strings.TrimSuffix(crossSigningKeys(t, events.UserID("@"+user+":example.org"), generation), "}")
		token := devices[user]
		if user == "alice" {
			token = devices["phone"]
		}
		call(token, "POST", "/v3/keys/device_signing/upload", body+proof+"}")
	}
	signed := func(owner events.UserID, name, key string) {
		answer := call(devices["phone"], "POST", "/v3/keys/signatures/upload", fmt.Sprintf(`{%q:{%q:%s}}`, owner, name, key))
		if answer.Get("failures").Raw != "{}" {
			t.Errorf("signatures: %s", answer)
		}
	}
	const password = `"auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":"alice"},"password":"secret"}`
	const dehydrated = "/unstable/org.matrix.msc3814.v1/dehydrated_device"
	self, _ := signingKey(alice, "self")
	own, _ := signingKey(alice, "user2")
	top, _ := signingKey(alice, "master")
	bobsTop, _ := signingKey(bob, "master")
	masterOf := func(user events.UserID) string { return gjson.Get(crossSigningKeys(t, user, ""), "master_key").Raw }
	var extra string
	crossSign("bob", "", "")

	endpoints := map[string]struct {
		begin func(token string) string
		wait  func(token, since string) gjson.Result // the part that tells of keys
	}{
		"sync": {
			func(token string) string {
				return call(token, "GET", "/v3/sync?set_presence=offline", "").Get("next_batch").Str
			},
			func(token, since string) gjson.Result {
				return call(token, "GET", "/v3/sync?set_presence=offline&timeout=20000&since="+since, "")
			},
		},
		"sliding sync": {
			func(token string) string {
				return call(token, "POST", slidingPath+"?set_presence=offline", `{"extensions":{"e2ee":{"enabled":true}}}`).Get("pos").Str
			},
			func(token, since string) gjson.Result {
				return call(token, "POST", slidingPath+"?set_presence=offline&timeout=20000&pos="+since, `{"extensions":{"e2ee":{"enabled":true}}}`).Get("extensions.e2ee")
			},
		},
		"sliding sync, v4": {
			func(token string) string {
				return call(token, "POST", slidingV4Path, `{"conn_id":"4","set_presence":"offline","extensions":{"e2ee":{"enabled":true}}}`).Get("pos").Str
			},
			func(token, since string) gjson.Result {
				return call(token, "POST", slidingV4Path, fmt.Sprintf(`{"conn_id":"4","pos":%q,"timeout":20000,"set_presence":"offline","extensions":{"e2ee":{"enabled":true},"to_device":{"enabled":true}}}`, since)).Get("extensions.e2ee")
			},
		},
	}
	const everybody, ownDevices = "phone tablet bob carl", "phone tablet"
	for _, step := range []struct {
		what    string
		change  func()
		learn   string // who is woken
		changed string // in device_lists; otherwise it is told in the counts
	}{
		{"DL-3 KEYS-10 device keys", func() { upload(deviceKey(alice, phone, "1")) }, everybody, `["@alice:example.org"]`},
		{"DL-3 KEYS-10 other device keys", func() { upload(deviceKey(alice, phone, "2")) }, everybody, `["@alice:example.org"]`},
		{"KEYS-9 the same device keys", func() { upload(deviceKey(alice, phone, "2")) }, "", ""},
		{"DL-4 a new device", func() { extra = login("EXTRA") }, everybody, `["@alice:example.org"]`},
		{"DL-4 another name of a device", func() { call(devices["tablet"], "PUT", "/v3/devices/EXTRA", `{"display_name":"x"}`) }, everybody, `["@alice:example.org"]`},
		{"DL-4 a device is deleted", func() { call(devices["phone"], "DELETE", "/v3/devices/EXTRA", "{"+password+"}") }, everybody, `["@alice:example.org"]`},
		{"DL-4 another device", func() { extra = login("EXTRA") }, everybody, `["@alice:example.org"]`},
		{"DL-4 logout", func() { call(extra, "POST", "/v3/logout", "") }, everybody, `["@alice:example.org"]`},
		{"DEHY-6 a dehydrated device", func() {
			call(devices["phone"], "PUT", dehydrated, `{"device_id":"DRY","device_data":{"algorithm":"x"},"device_keys":`+deviceKey(alice, "DRY", "")+`}`)
		}, everybody, `["@alice:example.org"]`},
		{"DEHY-6 no dehydrated device", func() { call(devices["phone"], "DELETE", dehydrated, "") }, everybody, `["@alice:example.org"]`},
		{"DL-5 XS-16 cross-signing keys", func() { crossSign("alice", "", "") }, everybody, `["@alice:example.org"]`},
		{"XS-3 the same cross-signing keys", func() { crossSign("alice", "", "") }, "", ""},
		{"DL-7 XS-16 another user-signing key", func() { crossSign("alice", "2", ","+password) }, ownDevices, `["@alice:example.org"]`},
		{"DL-6 XS-16 the self-signing key signs a device", func() { signed(alice, phone, sign(deviceKey(alice, phone, "2"), alice, self, "self")) }, everybody, `["@alice:example.org"]`},
		{"DL-6 XS-16 a device signs the master key", func() { signed(alice, top, sign(masterOf(alice), alice, phone, phone)) }, everybody, `["@alice:example.org"]`},
		{"XS-27 once more", func() { signed(alice, top, sign(masterOf(alice), alice, phone, phone)) }, "", ""},
		{"DL-8 XS-16 the user-signing key signs bob's master key", func() { signed(bob, bobsTop, sign(masterOf(bob), alice, own, "user2")) }, ownDevices, `["@bob:example.org"]`},
		{"KEYS-57 new keys end nobody's waiting", func() {
			oneTime(`{"one_time_keys":{"signed_curve25519:A":{"key":"a"}},"fallback_keys":{"signed_curve25519:F":{"key":"f","fallback":true}}}`)
		}, "", ""},
		{"KEYS-57 a one-time key is claimed", claim, "phone", ""},
		{"KEYS-57 KEYS-53 the fallback key is used", claim, "phone", ""},
		{"KEYS-53 the fallback key is used again", claim, "", ""},
	} {
		type outcome struct {
			who, endpoint string
			told          gjson.Result
			waited        time.Duration
		}
		outcomes := make(chan outcome, len(devices)*len(endpoints))
		for who, token := range devices {
			for name, endpoint := range endpoints {
				since := endpoint.begin(token)
				go func() {
					started := time.Now()
					told := endpoint.wait(token, since)
					outcomes <- outcome{who, name, told, time.Since(started)}
				}()
			}
		}
		synctest.Wait()
		if len(outcomes) > 0 {
			t.Errorf("%s: somebody does not wait", step.what)
		}
		step.change()
		for range cap(outcomes) {
			o := <-outcomes
			learns := strings.Contains(step.learn, o.who)
			if woken := o.waited < time.Second; woken != learns {
				t.Errorf("%s: %s in %s is woken: %v", step.what, o.who, o.endpoint, woken)
			}
			want := ""
			if learns {
				want = step.changed
			}
			if got := o.told.Get("device_lists.changed").Raw; got != want || o.told.Get("device_lists.left.#").Int() > 0 {
				t.Errorf("%s: %s in %s is told %s", step.what, o.who, o.endpoint, o.told)
			}
			if strings.Contains(step.what, "claimed") && learns && o.told.Get("device_one_time_keys_count.signed_curve25519").Raw != "0" ||
				strings.Contains(step.what, "used") && learns && o.told.Get("device_unused_fallback_key_types").Raw != "[]" {
				t.Errorf("%s: %s in %s is told %s", step.what, o.who, o.endpoint, o.told)
			}
		}
	}
}
