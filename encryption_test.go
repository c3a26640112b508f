package homeserver_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// lists is the device_lists of an answer.
func lists(answer gjson.Result) (changed, left []string) {
	names := func(list gjson.Result) (out []string) {
		for _, u := range list.Array() {
			out = append(out, events.UserID(u.Str).Localpart())
		}
		slices.Sort(out)
		return out
	}
	return names(answer.Get("device_lists.changed")), names(answer.Get("device_lists.left"))
}

// wantLists checks the device_lists of an answer, given as localparts.
func wantLists(t *testing.T, what string, answer gjson.Result, changed, left string) {
	t.Helper()
	gotChanged, gotLeft := lists(answer)
	if strings.Join(gotChanged, " ") != changed || strings.Join(gotLeft, " ") != left {
		t.Errorf("%s: changed %v, left %v; want %q and %q", what, gotChanged, gotLeft, changed, left)
	}
}

// noPresence is a filter that keeps others' presence from ending a wait.
const noPresence = `{"presence":{"types":[]}}`

// waiting begins a sync that waits for news.
func waiting(t *testing.T, c *homeservertest.Client) <-chan *homeservertest.Response {
	t.Helper()
	got := make(chan *homeservertest.Response, 1)
	path := "/v3/sync?timeout=" + forever + "&since=" + c.Since + "&filter=" + url.QueryEscape(noPresence)
	go func() { got <- c.Do(t, "GET", path, nil) }()
	return got
}

// uploadKeys makes a device's identity keys known; more tells them from others.
func uploadKeys(t *testing.T, c *homeservertest.Client, more string) {
	t.Helper()
	c.Post(t, "/v3/keys/upload", fmt.Sprintf(`{"device_keys":{"user_id":%q,"device_id":%q,"algorithms":[],"keys":{},"signatures":{},"more":%q}}`,
		c.User, c.Device, more))
}

// signingKey returns a key of a user, which is the same for the same name.
func signingKey(user events.UserID, name string) (public string, private ed25519.PrivateKey) {
	seed := sha256.Sum256([]byte(string(user) + name))
	private = ed25519.NewKeyFromSeed(seed[:])
	return base64.RawStdEncoding.EncodeToString(private.Public().(ed25519.PublicKey)), private
}

// crossSigningKeys returns the body of an upload of a user's keys, of which the
// user-signing key has a generation of its own.
func crossSigningKeys(t *testing.T, user events.UserID, generation string) string {
	t.Helper()
	top, private := signingKey(user, "master")
	key := func(usage, public string) string {
		obj := fmt.Sprintf(`{"user_id":%q,"usage":[%q],"keys":{"ed25519:%[3]s":%[3]q}}`, user, usage, public)
		signed, err := events.SignJSON([]byte(obj), string(user), "ed25519:"+top, private)
		if err != nil {
			t.Fatal(err)
		}
		return string(signed)
	}
	self, _ := signingKey(user, "self")
	own, _ := signingKey(user, "user"+generation)
	return `{"master_key":` + key("master", top) + `,"self_signing_key":` + key("self_signing", self) + `,"user_signing_key":` + key("user_signing", own) + `}`
}

// auth is proof of being a user of homeservertest.
func auth(user events.UserID) string {
	return fmt.Sprintf(`"auth":{"type":"m.login.password","identifier":{"type":"m.id.user","user":%q},"password":%q}`, user, homeservertest.Password)
}

// DL-1, DL-17, DL-18, CLIENTC-1: what every answer to a device has.
func TestKeyCountsInSync(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	counts := func(what string, answer gjson.Result, oneTime, unused string) {
		t.Helper()
		for name, want := range map[string]string{"device_one_time_keys_count": oneTime, "device_unused_fallback_key_types": unused} {
			if got := answer.Get(name).Raw; got != want {
				t.Errorf("%s: %s is %s, want %s", what, name, got, want)
			}
		}
	}
	first := alice.Sync(t)
	counts("DL-17 first, without keys", first, `{"signed_curve25519":0}`, `[]`)
	if first.Get("device_lists").Exists() { // DL-1
		t.Errorf("DL-1: %s", first)
	}
	counts("incremental, without keys", alice.Sync(t), `{"signed_curve25519":0}`, `[]`)
	alice.Post(t, "/v3/keys/upload", `{"one_time_keys":{"signed_curve25519:A":{"key":"a"},"x:A":"a"},"fallback_keys":{"signed_curve25519:F":{"key":"f"}}}`)
	counts("after an upload", alice.Sync(t), `{"signed_curve25519":1,"x":1}`, `["signed_curve25519"]`)
	bob := hs.User(t, "bob")
	for _, key := range []string{"A", "F"} {
		answer := bob.Post(t, "/v3/keys/claim", fmt.Sprintf(`{"one_time_keys":{%q:{%q:"signed_curve25519"}}}`, alice.User, alice.Device))
		if !strings.Contains(answer.Raw, "signed_curve25519:"+key) {
			t.Fatalf("claimed %s", answer)
		}
	}
	counts("after claims", alice.Sync(t), `{"signed_curve25519":0,"x":1}`, `[]`)
	alice.Since = ""
	counts("first", alice.Sync(t), `{"signed_curve25519":0,"x":1}`, `[]`)
	tablet := hs.Login(t, "alice")
	counts("another device", tablet.Sync(t), `{"signed_curve25519":0}`, `[]`)
	counts("and the first again", alice.Sync(t), `{"signed_curve25519":0,"x":1}`, `[]`)
}

// KEYS-57: a claim ends the waiting of the device, once; an upload does not.
func TestClaimEndsWaiting(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	alice.Sync(t)
	got := waiting(t, alice)
	alice.Post(t, "/v3/keys/upload", `{"one_time_keys":{"signed_curve25519:A":{"key":"a"}}}`)
	bob.Post(t, "/v3/keys/claim", fmt.Sprintf(`{"one_time_keys":{%q:{%q:"signed_curve25519"}}}`, alice.User, alice.Device))
	answer := (<-got).Want(200)
	if answer.Get("device_one_time_keys_count.signed_curve25519").Raw != "0" { // had it ended with the upload, there would be one
		t.Errorf("woken with %s", answer)
	}
	start := time.Now()
	answer = syncWith(t, alice, answer.Get("next_batch").Str, noPresence, "timeout", "150")
	if time.Since(start) < 150*time.Millisecond {
		t.Errorf("one claim ends two: %s", answer)
	}
}

// DL-2 to DL-8, DL-16, DEV-6, DEV-17, DEV-26, KEYS-9, KEYS-40: changes of devices and keys, for those who share a room,
// for the other devices of the user and for nobody else; each ends their waiting.
func TestDeviceListsInSync(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carl := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carl")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`) // CON-1, DL-11: not encrypted
	bob.Join(t, room)
	tablet := hs.Login(t, "alice")
	var extra *homeservertest.Client
	keys := func(generation string, proof string) {
		alice.Post(t, "/v3/keys/device_signing/upload", strings.TrimSuffix(crossSigningKeys(t, alice.User, generation), "}")+proof+"}")
	}
	for _, step := range []struct {
		what   string
		change func()
		alone  bool // for the user's own devices alone
	}{
		{"DL-3 device keys", func() { uploadKeys(t, alice, "1") }, false},
		{"DL-3 other device keys", func() { uploadKeys(t, alice, "2") }, false},
		{"DEV-26 a login", func() { extra = hs.Login(t, "alice") }, false},
		{"DEV-6 a new name", func() { alice.Put(t, "/v3/devices/"+extra.Device, `{"display_name":"x"}`) }, false},
		{"DEV-17 a device is deleted", func() { alice.MustDo(t, "DELETE", "/v3/devices/"+extra.Device, `{`+auth(alice.User)+`}`) }, false},
		{"DL-5 cross-signing keys", func() { keys("", "") }, false},
		{"DL-7 a user-signing key", func() { keys("2", ","+auth(alice.User)) }, true},
		{"DL-4 logout", func() {
			extra = hs.Login(t, "alice")
			for _, c := range []*homeservertest.Client{tablet, bob, carl} {
				c.Sync(t)
			}
			extra.Post(t, "/v3/logout", nil)
		}, false},
	} {
		for _, c := range []*homeservertest.Client{tablet, bob, carl} {
			c.Sync(t)
		}
		since := bob.Since
		own, others := waiting(t, tablet), waiting(t, bob)
		if step.alone {
			others = nil
		}
		step.change()
		wantLists(t, step.what+", the user", (<-own).Want(200), "alice", "")
		wantLists(t, step.what+", nobody else", carl.Sync(t), "", "")
		if step.alone {
			wantLists(t, step.what+", who shares a room", bob.Sync(t), "", "")
			continue
		}
		if others != nil {
			wantLists(t, step.what+", who shares a room", (<-others).Want(200), "alice", "")
		}
		wantLists(t, step.what+", again", syncWith(t, bob, since, ""), "alice", "") // DL-16
		wantLists(t, step.what+", keys/changes", gjson.Parse(`{"device_lists":`+bob.Get(t, "/v3/keys/changes?from="+since+"&to="+since).Raw+`}`), "alice", "")
	}
	answer := bob.Post(t, "/v3/keys/query", fmt.Sprintf(`{"device_keys":{%q:[]}}`, alice.User)) // KEYS-40
	if !strings.Contains(answer.Raw, `"more":"2"`) {
		t.Errorf("KEYS-40: %s", answer)
	}
	bob.Sync(t)
	uploadKeys(t, alice, "2") // KEYS-9
	wantLists(t, "KEYS-9 the same keys", bob.Sync(t), "", "")
}

// DL-9 to DL-15: users come and go with the rooms, in the answer that tells of their membership.
func TestDeviceListsFollowRooms(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob, carl := hs.User(t, "alice"), hs.User(t, "bob"), hs.User(t, "carl")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	other := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	clients := map[string]*homeservertest.Client{"alice": alice, "bob": bob, "carl": carl}
	type expected struct{ changed, left string }
	for _, step := range []struct {
		what   string
		change func()
		want   map[string]expected
	}{
		{"DL-9 a join", func() { bob.Join(t, room) }, map[string]expected{"alice": {"bob", ""}, "bob": {"alice", ""}}},
		{"DL-9 a third", func() { carl.Join(t, room) }, map[string]expected{"alice": {"carl", ""}, "bob": {"carl", ""}, "carl": {"alice bob", ""}}},
		{"DL-12 a second room is left", func() { bob.Join(t, other); bob.Leave(t, other) }, nil},
		{"DL-12 leaving", func() { bob.Leave(t, room) }, map[string]expected{"alice": {"", "bob"}, "bob": {"", "alice carl"}, "carl": {"", "bob"}}},
		{"DL-13 after leaving", func() { uploadKeys(t, bob, "1") }, map[string]expected{"bob": {"bob", ""}}},
		{"DL-13 coming back", func() { bob.Join(t, room) }, map[string]expected{"alice": {"bob", ""}, "bob": {"alice carl", ""}, "carl": {"bob", ""}}},
		{"DL-14 leaving and coming back", func() { bob.Leave(t, room); bob.Join(t, room) },
			map[string]expected{"alice": {"bob", ""}, "bob": {"alice carl", ""}, "carl": {"bob", ""}}},
		{"DL-12 a kick", func() {
			alice.Post(t, homeservertest.Path("/v3/rooms/{}/kick", room), fmt.Sprintf(`{"user_id":%q}`, carl.User))
		}, map[string]expected{"alice": {"", "carl"}, "bob": {"", "carl"}, "carl": {"", "alice bob"}}},
		{"DL-12 a ban", func() {
			alice.Post(t, homeservertest.Path("/v3/rooms/{}/ban", room), fmt.Sprintf(`{"user_id":%q}`, bob.User))
		}, map[string]expected{"alice": {"", "bob"}, "bob": {"", "alice"}}},
		{"DL-10 an invite", func() { alice.Invite(t, other, carl.User) }, map[string]expected{"alice": {"carl", ""}}},
	} {
		for _, c := range clients {
			c.Sync(t)
		}
		since := map[string]string{"alice": alice.Since, "bob": bob.Since, "carl": carl.Since}
		step.change()
		for name, c := range clients {
			answer := c.Sync(t)
			if step.what == "DL-12 a second room is left" { // who came and left in between may be in changed
				if _, left := lists(answer); len(left) > 0 {
					t.Errorf("%s: %s is told that %v left", step.what, name, left)
				}
				continue
			}
			want := step.want[name]
			wantLists(t, step.what+", "+name, answer, want.changed, want.left)
			if want != (expected{}) && !strings.HasPrefix(step.what, "DL-13 after") && !answer.Get("rooms").Exists() { // DL-15
				t.Errorf("%s: %s is told of nobody's membership: %s", step.what, name, answer)
			}
			hidden := syncWith(t, c, since[name], `{"room":{"rooms":[],"timeline":{"limit":1,"lazy_load_members":true}}}`) // SYNC-55
			wantLists(t, step.what+", filtered, "+name, hidden, want.changed, want.left)
		}
	}
}

// messages lists the n of the to-device messages of an answer.
func messages(t *testing.T, answer gjson.Result) (n []int) {
	t.Helper()
	for _, m := range answer.Get("to_device.events").Array() {
		if len(m.Map()) != 3 || m.Get("type").Str != "m.test" || !strings.HasPrefix(m.Get("sender").Str, "@") { // TD-5
			t.Errorf("TD-5: %s", m)
		}
		n = append(n, int(m.Get("content.n").Int()))
	}
	return n
}

func numbers(from, to int) (n []int) {
	for i := from; i < to; i++ {
		n = append(n, i)
	}
	return n
}

// TD-5 to TD-12, TD-16, SYNC-52: how messages reach a device through /sync.
func TestToDeviceInSync(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	tablet := hs.Login(t, "alice")
	sent := 0
	send := func(n int) {
		t.Helper()
		for range n {
			bob.Put(t, fmt.Sprint("/v3/sendToDevice/m.test/", sent), fmt.Sprintf(`{"messages":{%q:{"*":{"n":%d}}}}`, alice.User, sent))
			sent++
		}
	}
	if answer := alice.Sync(t); answer.Get("to_device").Exists() {
		t.Errorf("TD-16: %s", answer)
	}
	const hideAll = `{"presence":{"types":[]},"account_data":{"types":[]},"room":{"rooms":[],"timeline":{"types":[]}},"event_fields":["x"]}`
	got := make(chan gjson.Result, 1)
	since := alice.Since
	go func() { got <- syncWith(t, alice, since, hideAll, "timeout", forever) }()
	send(1)
	answer := <-got // TD-11
	same(t, "TD-11", messages(t, answer), numbers(0, 1))
	same(t, "TD-9 again", messages(t, syncWith(t, alice, since, "")), numbers(0, 1))
	same(t, "TD-9 without a token", messages(t, syncWith(t, alice, "", "")), numbers(0, 1))
	next := answer.Get("next_batch").Str
	same(t, "TD-8 acknowledged", messages(t, syncWith(t, alice, next, "")), nil)
	same(t, "TD-8 and gone", messages(t, syncWith(t, alice, since, "")), nil)
	same(t, "TD-8 from a first sync, too", messages(t, syncWith(t, alice, "", "")), nil)
	same(t, "TD-12 but not for the other device", messages(t, tablet.Sync(t)), numbers(0, 1))

	send(249)
	room := alice.CreateRoom(t, nil) // later than all of them
	alice.Since = next
	at := 1
	for ; at < 250; at += 100 { // TD-7
		answer := syncWith(t, alice, alice.Since, "", "timeout", forever) // TD-7: it does not wait when there is more
		same(t, "TD-7 SYNC-52", messages(t, answer), numbers(at, min(at+100, 250)))
		same(t, "SYNC-6 again", messages(t, syncWith(t, alice, alice.Since, "")), numbers(at, min(at+100, 250)))
		alice.Since = answer.Get("next_batch").Str
		if last := at+100 >= 250; homeservertest.HasRoom("join", room)(answer) != last {
			t.Errorf("the room is in the answer with messages from %d: %v", at, !last)
		}
	}
	same(t, "nothing more", messages(t, syncWith(t, alice, alice.Since, "")), nil)

	// TD-10: a first sync begins with the oldest, and goes on from there to everything else.
	answer = syncWith(t, tablet, tablet.Since, "")
	tablet.Since = answer.Get("next_batch").Str
	same(t, "acknowledged up to 101", messages(t, answer), numbers(1, 101))
	first := tablet.Since
	tablet.Since = ""
	at, found := 1, false
	for range 4 {
		answer := tablet.Sync(t)
		n := len(messages(t, answer))
		same(t, "TD-10", messages(t, answer), numbers(at, at+n))
		at += n
		found = found || homeservertest.HasRoom("join", room)(answer)
	}
	if at != 250 || !found {
		t.Errorf("TD-10: messages up to %d, the room: %v", at, found)
	}
	same(t, "TD-8", messages(t, syncWith(t, tablet, first, "")), nil)
}

// DEV-20: the waiting of a device that is deleted ends.
func TestDeletionEndsWaiting(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	tablet := hs.Login(t, "alice")
	tablet.Sync(t)
	got := waiting(t, tablet)
	for range 10 { // by then it waits; if not, it is refused at once
		alice.Get(t, "/v3/devices")
	}
	alice.MustDo(t, "DELETE", "/v3/devices/"+tablet.Device, `{`+auth(alice.User)+`}`)
	(<-got).WantError(http.StatusUnauthorized, "M_UNKNOWN_TOKEN")
}

// ADM-5: who waits while the account is locked is told that, and not what has happened.
func TestLockingEndsWaiting(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := bob.CreateRoom(t, `{"preset":"public_chat"}`)
	alice.Join(t, room)
	alice.Sync(t)
	got := waiting(t, alice)
	for range 10 { // by then it waits; if not, it is refused at once
		bob.Get(t, "/v3/devices")
	}
	if err := hs.SetLocked(t.Context(), alice.User, true); err != nil {
		t.Fatal(err)
	}
	bob.Say(t, room, "secret")
	(<-got).WantError(http.StatusUnauthorized, "M_USER_LOCKED")
}

// SEC-1, SEC-2, SEC-3, CLIENTC-5, KB-28: secrets are account data, whose every setting comes back to all devices.
func TestSecretStorage(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice := hs.User(t, "alice")
	tablet := hs.Login(t, "alice")
	for _, typ := range []string{
		"m.secret_storage.key.abc", "m.secret_storage.default_key", "m.cross_signing.master", "m.cross_signing.self_signing",
		"m.cross_signing.user_signing", "m.megolm_backup.v1", "m.key_backup", "org.example.secret/ü",
	} {
		path := homeservertest.Path("/v3/user/{}/account_data/{}", alice.User, typ)
		alice.Do(t, "GET", path, nil).WantError(404, "M_NOT_FOUND")
		for _, content := range []string{`{"encrypted":{"k":{"iv":"a+b/c=","n":1.50}}}`, `{"encrypted":{"k":{"iv":"a+b/c=","n":1.50}}}`, `{}`} {
			alice.Sync(t)
			tablet.Sync(t)
			alice.Put(t, path, content)
			if got := alice.Get(t, path).Raw; got != content {
				t.Errorf("SEC-3: %s, want %s", got, content)
			}
			for _, c := range []*homeservertest.Client{alice, tablet} {
				var got []string
				for _, e := range c.Sync(t).Get("account_data.events").Array() {
					got = append(got, e.Get("type").Str+e.Get("content").Raw)
				}
				if diff := cmp.Diff([]string{typ + content}, got); diff != "" {
					t.Errorf("SEC-2 (-want +got):\n%s", diff)
				}
			}
		}
	}
}

// VER-2, VER-3, VER-4: verification in a room, and encrypted events, pass as they were sent.
func TestEncryptedEvents(t *testing.T) {
	t.Parallel()
	hs := homeservertest.New(t)
	alice, bob := hs.User(t, "alice"), hs.User(t, "bob")
	room := alice.CreateRoom(t, `{"preset":"public_chat"}`)
	bob.Join(t, room)
	bob.Sync(t)
	request := alice.Send(t, room, "m.room.message", `{"msgtype":"m.key.verification.request","body":"x","from_device":"A","methods":["m.sas.v1"],"to":"@bob:example.org"}`)
	related := fmt.Sprintf(`"m.relates_to":{"rel_type":"m.reference","event_id":%q}`, request)
	sent := map[string]string{
		"m.key.verification.ready": `{"from_device":"A","methods":[],` + related + `}`,
		"m.room.encrypted":         `{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"<&>","n":9007199254740991,` + related + `}`,
	}
	for typ, content := range sent {
		alice.Send(t, room, typ, content)
	}
	before := time.Now()
	found := 0
	for _, e := range homeservertest.Timeline(bob.Sync(t), room) {
		if ts := time.UnixMilli(e.Get("origin_server_ts").Int()); before.Sub(ts).Abs() > time.Minute || e.Get("unsigned.age").Int() > 60_000 {
			t.Errorf("VER-3: %s", e)
		}
		if want, ok := sent[e.Get("type").Str]; ok {
			found++
			got, err1 := events.Canonical([]byte(e.Get("content").Raw))
			wanted, err2 := events.Canonical([]byte(want))
			if err1 != nil || err2 != nil || string(got) != string(wanted) {
				t.Errorf("VER-4: %s, want %s", got, wanted)
			}
		}
	}
	if found != len(sent) {
		t.Errorf("VER-2: %d events came", found)
	}
}
