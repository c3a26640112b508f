package api

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/devicelist"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const (
	uploadPath  = "/_matrix/client/v3/keys/upload"
	queryPath   = "/_matrix/client/v3/keys/query"
	claimPath   = "/_matrix/client/v3/keys/claim"
	changesPath = "/_matrix/client/v3/keys/changes"

	alice = events.UserID("@alice:example.org")
	bob   = events.UserID("@bob:example.org")
)

// signingKey is an ed25519 key, always the same for a name.
type signingKey struct {
	private ed25519.PrivateKey
	public  string // unpadded base64
}

func newSigningKey(name string) signingKey {
	seed := sha256.Sum256([]byte(name))
	private := ed25519.NewKeyFromSeed(seed[:])
	return signingKey{private, base64.RawStdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))}
}

// sign adds a signature to a JSON object.
func (k signingKey) sign(t testing.TB, obj string, user events.UserID, keyID string) string {
	t.Helper()
	signed, err := events.SignJSON([]byte(obj), string(user), keyID, k.private)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

// deviceKeys returns the signed keys of a device; more are further members.
func deviceKeys(t testing.TB, user events.UserID, device, more string) string {
	t.Helper()
	k := newSigningKey(string(user) + device)
	if more != "" {
		more = "," + more
	}
	return k.sign(t, fmt.Sprintf(`{"user_id":%q,"device_id":%[2]q,"algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],`+
		`"keys":{"curve25519:%[2]s":"curve","ed25519:%[2]s":%q}%s}`, user, device, k.public, more), user, "ed25519:"+device)
}

// upload uploads keys, which must succeed.
func (s *server) upload(t testing.TB, token, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := do(s, "POST", uploadPath, token, body)
	if w.Code != 200 {
		t.Fatalf("upload of %.200s: status %d, %s", body, w.Code, w.Body)
	}
	return w
}

// queried returns what a path of the keys of users says to somebody; without users, alice's.
func (s *server) queried(t testing.TB, token string, users ...events.UserID) gjson.Result {
	t.Helper()
	if len(users) == 0 {
		users = []events.UserID{alice}
	}
	wanted := make([]string, len(users))
	for i, user := range users {
		wanted[i] = fmt.Sprintf("%q:[]", user)
	}
	w := do(s, "POST", queryPath, token, `{"device_keys":{`+strings.Join(wanted, ",")+`}}`)
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return gjson.ParseBytes(w.Body.Bytes())
}

// in returns a member by names that may mean something in paths of gjson.
func in(r gjson.Result, names ...string) gjson.Result {
	for _, name := range names {
		r = r.Map()[name]
	}
	return r
}

// counts returns the answer to an upload of nothing.
func (s *server) counts(t testing.TB, token string) string {
	t.Helper()
	return gjson.GetBytes(s.upload(t, token, `{}`).Body.Bytes(), "one_time_key_counts").Raw
}

// KEYS-1, KEYS-2, KEYS-3, CLIENTC-1, CLIENTC-2: any part may be uploaded; the answer counts one-time keys, at zero too.
func TestUploadCounts(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, other := s.signUp(t, "alice"), s.signIn(t, "alice", "OTHER")
	for _, step := range []struct{ body, counts string }{
		{``, `{"signed_curve25519":0}`},
		{`{}`, `{"signed_curve25519":0}`},
		{`{"device_keys":null,"one_time_keys":{},"fallback_keys":{}}`, `{"signed_curve25519":0}`},
		{`{"device_keys":` + deviceKeys(t, alice, "PHONE", "") + `}`, `{"signed_curve25519":0}`},
		{`{"fallback_keys":{"signed_curve25519:F":{"key":"f","fallback":true,"signatures":{}}}}`, `{"signed_curve25519":0}`},
		{`{"one_time_keys":{"signed_curve25519:A":{"key":"a"},"signed_curve25519:B":{"key":"b"}}}`, `{"signed_curve25519":2}`},
		{`{"one_time_keys":{"curve25519:A":"a"}}`, `{"curve25519":1,"signed_curve25519":2}`},
		{`{"unknown":1}`, `{"curve25519":1,"signed_curve25519":2}`},
	} {
		wantJSON(t, do(s, "POST", uploadPath, token, step.body), 200, `{"one_time_key_counts":`+step.counts+`}`)
	}
	if got := s.counts(t, other); got != `{"signed_curve25519":0}` {
		t.Errorf("KEYS-2: the other device has %s", got)
	}
	wantJSON(t, do(s, "POST", "/_matrix/client/r0/keys/upload", token, `{}`), 200, `{"one_time_key_counts":{"curve25519":1,"signed_curve25519":2}}`)
}

// KEYS-4, KEYS-5, KEYS-6, KEYS-11, KEYS-12: what is wrong with keys, and that nothing is stored of such a request.
func TestUploadRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	before := len(s.lists)
	keys := func(replace, with string) string {
		full := `{"user_id":"@alice:example.org","device_id":"PHONE","algorithms":["a"],"keys":{},"signatures":{}}`
		if !strings.Contains(full, replace) {
			t.Fatalf("%s is not in %s", replace, full)
		}
		return `{"one_time_keys":{"x:1":"1"},"device_keys":` + strings.Replace(full, replace, with, 1) + `}`
	}
	for name, test := range map[string]struct {
		body string
		code mxerr.Code
	}{
		"KEYS-5 another user":              {keys("@alice", "@bob"), mxerr.MBadJSON},
		"KEYS-5 another device":            {keys("PHONE", "OTHER"), mxerr.MBadJSON},
		"KEYS-5 named twice":               {keys(`"algorithms"`, `"user_id":"@bob:example.org","algorithms"`), mxerr.MBadJSON},
		"KEYS-6 no user":                   {keys(`"user_id":"@alice:example.org",`, ``), mxerr.MBadJSON},
		"KEYS-6 no device":                 {keys(`"device_id":"PHONE",`, ``), mxerr.MBadJSON},
		"KEYS-6 no algorithms":             {keys(`"algorithms":["a"],`, ``), mxerr.MBadJSON},
		"KEYS-6 algorithms no array":       {keys(`["a"]`, `"a"`), mxerr.MBadJSON},
		"KEYS-6 algorithms no strings":     {keys(`["a"]`, `["a",1]`), mxerr.MBadJSON},
		"KEYS-6 no keys":                   {keys(`"keys":{},`, ``), mxerr.MBadJSON},
		"KEYS-6 keys no object":            {keys(`"keys":{}`, `"keys":[]`), mxerr.MBadJSON},
		"KEYS-6 no signatures":             {keys(`,"signatures":{}`, ``), mxerr.MBadJSON},
		"KEYS-6 signatures no object":      {keys(`"signatures":{}`, `"signatures":null`), mxerr.MBadJSON},
		"KEYS-6 no object":                 {`{"one_time_keys":{"x:1":"1"},"device_keys":[]}`, mxerr.MBadJSON},
		"KEYS-11 one-time without ID":      {`{"one_time_keys":{"x:1":"1","x":"2"}}`, mxerr.MBadJSON},
		"KEYS-11 one-time with empty ID":   {`{"one_time_keys":{"x:1":"1","x:":"2"}}`, mxerr.MBadJSON},
		"KEYS-11 one-time no algorithm":    {`{"one_time_keys":{"x:1":"1",":1":"2"}}`, mxerr.MBadJSON},
		"KEYS-11 fallback without ID":      {`{"one_time_keys":{"x:1":"1"},"fallback_keys":{"x":"2"}}`, mxerr.MBadJSON},
		"KEYS-12 one-time neither nor":     {`{"one_time_keys":{"x:1":"1","x:2":[]}}`, mxerr.MBadJSON},
		"KEYS-12 fallback neither nor":     {`{"one_time_keys":{"x:1":"1"},"fallback_keys":{"x:2":7}}`, mxerr.MBadJSON},
		"KEYS-12 null":                     {`{"one_time_keys":{"x:1":"1","x:2":null}}`, mxerr.MBadJSON},
		"one-time keys no object":          {`{"one_time_keys":[]}`, mxerr.MBadJSON},
		"fallback keys no object":          {`{"one_time_keys":{"x:1":"1"},"fallback_keys":"x"}`, mxerr.MBadJSON},
		"too many algorithms of one-time":  {`{"one_time_keys":{` + many(51, `"a%d:1":"1"`) + `}}`, mxerr.MTooLarge},
		"too many algorithms of fallback":  {`{"fallback_keys":{` + many(51, `"a%d:1":"1"`) + `}}`, mxerr.MTooLarge},
		"a large device key":               {keys(`"a"`, `"`+strings.Repeat("a", 64_000)+`"`), mxerr.MTooLarge},
		"a large one-time key":             {`{"one_time_keys":{"x:1":"` + strings.Repeat("a", 64_000) + `"}}`, mxerr.MTooLarge},
		"more one-time keys than are kept": {`{"one_time_keys":{` + many(1001, `"a:%d":"1"`) + `}}`, mxerr.MTooLarge},
	} {
		w := do(s, "POST", uploadPath, token, test.body)
		if status := map[bool]int{true: 413, false: 400}[test.code == mxerr.MTooLarge]; w.Code != status || field(w, "errcode") != string(test.code) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if got := s.counts(t, token); got != `{"signed_curve25519":0}` {
		t.Errorf("one-time keys of refused requests: %s", got)
	}
	if got := in(s.queried(t, bobs), "device_keys", string(alice)).Raw; got != `{}` || len(s.lists) != before {
		t.Errorf("device keys of refused requests: %s, and %d changes", got, len(s.lists)-before)
	}
	s.Authenticator = bridge{s.Authenticator, alice}
	want(t, do(s, "POST", uploadPath, "bridge", `{}`), 400, mxerr.MMissingParam) // KEYS-4
	w := do(s, "POST", uploadPath+"?device_id=PHONE", "bridge", `{"one_time_keys":{"x:1":"1"}}`)
	wantJSON(t, w, 200, `{"one_time_key_counts":{"signed_curve25519":0,"x":1}}`)
}

// many repeats a member with numbers.
func many(n int, format string) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(members, ",")
}

// KEYS-7, KEYS-8, KEYS-33, KEYS-35, CLIENTC-21: what is uploaded comes back value for value, with signatures that verify.
func TestDeviceKeysVerbatim(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, other := s.signUp(t, "alice"), s.signIn(t, "alice", "LAPTOP")
	bobs := s.signUp(t, "bob")
	phone := deviceKeys(t, alice, "PHONE", `"dehydrated":true,"valid_until_ts":9007199254740991,"ünknown <&>":[null,"\u0001",{}]`)
	s.upload(t, token, `{"device_keys":`+strings.TrimSuffix(phone, "}")+`,"unsigned":{"device_display_name":"forged"}} }`)
	// KEYS-7: nobody judges what a key is; numbers stay as they are written.
	laptop := `{"user_id":"@alice:example.org","device_id":"LAPTOP","algorithms":[],"keys":{"x":"1"},"signatures":{},"big":9007199254740993,"float":1.50e+2}`
	s.upload(t, other, `{"device_keys":`+laptop+`}`)
	want(t, do(s, "PUT", devicesPath+"/LAPTOP", other, `{"display_name":"Alice's \"laptop\""}`), 200, "")

	devices := in(s.queried(t, bobs), "device_keys", string(alice))
	got := in(devices, "PHONE").Raw
	if unsigned := in(devices, "PHONE", "unsigned").Raw; unsigned != `{}` || strings.Contains(got, "forged") { // KEYS-35
		t.Errorf("KEYS-35: unsigned is %s", unsigned)
	}
	public := newSigningKey(string(alice) + "PHONE").private.Public().(ed25519.PublicKey)
	if err := events.VerifyJSON([]byte(got), string(alice), "ed25519:PHONE", public); err != nil {
		t.Errorf("KEYS-8: %v", err)
	}
	equalJSON(t, strings.TrimSuffix(got, `,"unsigned":{}}`)+"}", phone)
	for _, number := range []string{"9007199254740993", "1.50e+2"} {
		if !strings.Contains(in(devices, "LAPTOP").Raw, number) {
			t.Errorf("KEYS-8: %s is not in %s", number, in(devices, "LAPTOP").Raw)
		}
	}
	if name := in(devices, "LAPTOP", "unsigned", "device_display_name").Str; name != `Alice's "laptop"` {
		t.Errorf("KEYS-35: name %q", name)
	}
}

// equalJSON compares two texts as JSON.
func equalJSON(t testing.TB, got, want string) {
	t.Helper()
	a, err1 := events.Canonical([]byte(got))
	b, err2 := events.Canonical([]byte(want))
	if err1 != nil || err2 != nil {
		t.Fatalf("%q: %v; %q: %v", got, err1, want, err2)
	}
	if diff := cmp.Diff(string(b), string(a)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// KEYS-9, KEYS-10, CON-2, DL-3: identical keys are no news, others replace them.
func TestReplaceDeviceKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	changes := func(want int, body string) {
		t.Helper()
		before := len(s.lists)
		s.upload(t, token, `{"device_keys":`+body+`}`)
		if got := s.lists[before:]; len(got) != want || want > 0 && got[0].User != alice {
			t.Errorf("device lists have changed %d times, want %d", len(got), want)
		}
	}
	first := deviceKeys(t, alice, "PHONE", "")
	changes(1, first)
	changes(0, first)
	changes(0, " "+strings.Replace(first, `"algorithms"`, "\n\"algorithms\"", 1))
	changes(0, strings.TrimSuffix(first, "}")+`,"unsigned":{"x":1}}`)
	second := deviceKeys(t, alice, "PHONE", `"more":1`)
	changes(1, second)
	if got := in(s.queried(t, bobs), "device_keys", string(alice), "PHONE", "more").Raw; got != "1" {
		t.Errorf("KEYS-10: the old keys are still there")
	}
	changes(1, first)
}

// KEYS-13, KEYS-14, KEYS-15, CLIENTC-9: keys that are there already, in full, in part, or under a name that is taken.
func TestRepeatOneTimeKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	body := func(keys string) string { return `{"one_time_keys":{` + keys + `}}` }
	s.upload(t, token, body(`"x:1":{"key":"1","signatures":{"a":{"b":"c"}}},"y:1":"1"`))
	s.upload(t, token, body(`"x:1":{"signatures":{"a":{"b":"c"}}, "key":"1"},"y:1":"1"`)) // KEYS-13
	s.upload(t, token, body(`"x:1":{"key":"1"}`))                                         // but for signatures
	s.upload(t, token, body(`"x:1":{"key":"1"},"x:2":{"key":"2"}`))                       // KEYS-15
	if got := s.counts(t, token); got != `{"signed_curve25519":0,"x":2,"y":1}` {
		t.Errorf("counts %s", got)
	}
	for _, taken := range []string{`"x:1":{"key":"other"}`, `"x:1":"1"`, `"y:1":"2"`, `"x:1":{"key":"1","fallback":true}`} { // KEYS-14
		before := s.store.Position()
		w := do(s, "POST", uploadPath, token, `{"device_keys":`+deviceKeys(t, alice, "PHONE", "")+`,"one_time_keys":{"x:3":"3",`+taken+`},"fallback_keys":{"z:1":"1"}}`)
		want(t, w, 400, mxerr.MUnknown)
		id, _, _ := strings.Cut(strings.TrimPrefix(taken, `"`), `"`)
		if !strings.HasPrefix(field(w, "error"), "One time key "+id+" already exists. ") {
			t.Errorf("KEYS-14: %s", w.Body)
		}
		if s.store.Position() != before || s.counts(t, token) != `{"signed_curve25519":0,"x":2,"y":1}` {
			t.Error("KEYS-14: something of the request is stored")
		}
	}
	// A repeated upload does not bring back what was claimed meanwhile (KEYS-51).
	if got := s.claim(t, bobs, "PHONE", "y"); got != `{"y:1":"1"}` {
		t.Fatalf("claimed %s", got)
	}
	s.upload(t, token, body(`"y:1":"1"`))
	if got := s.claim(t, bobs, "PHONE", "y"); got != "" {
		t.Errorf("KEYS-51: claimed again: %s", got)
	}
	s.upload(t, token, body(`"y:1":"another"`)) // the device has begun anew
	if got := s.claim(t, bobs, "PHONE", "y"); got != `{"y:1":"another"}` {
		t.Errorf("claimed %s", got)
	}
}

// KEYS-30 to KEYS-34, KEYS-38, KEYS-39, CON-3: who and what is in the answer.
func TestQuery(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	phone, laptop, tablet := s.signUp(t, "alice"), s.signIn(t, "alice", "LAPTOP"), s.signIn(t, "alice", "TABLET")
	bobs := s.signUp(t, "bob")
	s.signUp(t, "carl")
	s.upload(t, phone, `{"device_keys":`+deviceKeys(t, alice, "PHONE", "")+`}`)
	s.upload(t, laptop, `{"device_keys":`+deviceKeys(t, alice, "LAPTOP", "")+`}`)
	s.upload(t, tablet, `{}`)
	s.upload(t, bobs, `{"device_keys":`+deviceKeys(t, bob, "PHONE", "")+`}`)
	w := do(s, "POST", queryPath, bobs, `{"timeout":10000,"device_keys":{"@alice:example.org":[],"@bob:example.org":["PHONE","NONE"],
		"@carl:example.org":[],"@nobody:example.org":[],"malformed":[],"@alice:example.com":[]}}`)
	wantKeys(t, w, 200, "device_keys", "failures", "master_keys", "self_signing_keys", "user_signing_keys") // KEYS-32
	got := map[string][]string{}
	for user, devices := range gjson.GetBytes(w.Body.Bytes(), "device_keys").Map() {
		got[user] = slices.Sorted(maps.Keys(devices.Map()))
	}
	want1 := map[string][]string{string(alice): {"LAPTOP", "PHONE"}, string(bob): {"PHONE"}, "@carl:example.org": nil} // KEYS-33, KEYS-34
	if diff := cmp.Diff(want1, got); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
	failures := gjson.GetBytes(w.Body.Bytes(), "failures").Map() // KEYS-34, KEYS-39
	if len(failures) != 1 || !failures["example.com"].Get("errcode").Exists() {
		t.Errorf("failures %v", failures)
	}
	w = do(s, "POST", "/_matrix/client/r0/keys/query", bobs, `{"device_keys":{"@alice:example.org":["LAPTOP","TABLET"],"@carl:example.org":["X"]}}`)
	if got := slices.Collect(maps.Keys(in(gjson.ParseBytes(w.Body.Bytes()), "device_keys", string(alice)).Map())); !slices.Equal(got, []string{"LAPTOP"}) {
		t.Errorf("KEYS-33: %v", got)
	}
	wantJSON(t, do(s, "POST", queryPath, bobs, `{"device_keys":{}}`), 200,
		`{"device_keys":{},"failures":{},"master_keys":{},"self_signing_keys":{},"user_signing_keys":{}}`)
	for body, code := range map[string]mxerr.Code{
		`{}`: mxerr.MMissingParam, `{"device_keys":[]}`: mxerr.MBadJSON, // KEYS-30
		`{"device_keys":{"@alice:example.org":{}}}`:  mxerr.MBadJSON, // KEYS-31
		`{"device_keys":{"@alice:example.org":[1]}}`: mxerr.MBadJSON,
		`{"device_keys":{"@alice:example.org":"X"}}`: mxerr.MBadJSON,
	} {
		want(t, do(s, "POST", queryPath, bobs, body), 400, code)
	}
	want(t, do(s, "POST", queryPath, bobs, `{"device_keys":{`+many(10_001, `"@u%d:example.org":[]`)+`}}`), 413, mxerr.MTooLarge)
}

// DEV-16, DEV-21, DEV-24, SDEV-9, SDEV-12, SDEV-13, CLIENTC-17: keys go with their device, and stay when it signs in again.
func TestKeysFollowDevices(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *server, phone, laptop string) *httptest.ResponseRecorder{
		"DEV-16 deletion": func(s *server, _, laptop string) *httptest.ResponseRecorder {
			return do(s, "DELETE", devicesPath+"/PHONE", laptop, `{`+withPassword("alice", "alice", "")+`}`)
		},
		"DEV-21 SDEV-12 logout": func(s *server, phone, _ string) *httptest.ResponseRecorder {
			return do(s, "POST", "/_matrix/client/v3/logout", phone, ``)
		},
		"DEV-21 SDEV-13 logout of all": func(s *server, _, laptop string) *httptest.ResponseRecorder {
			return do(s, "POST", "/_matrix/client/v3/logout/all", laptop, ``)
		},
		"DEV-22 a new password": func(s *server, _, laptop string) *httptest.ResponseRecorder {
			return do(s, "POST", "/_matrix/client/v3/account/password", laptop, `{"new_password":"x",`+withPassword("alice", "alice", "")+`}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, nil)
			phone, laptop, bobs := s.signUp(t, "alice"), s.signIn(t, "alice", "LAPTOP"), s.signUp(t, "bob")
			s.upload(t, phone, `{"device_keys":`+deviceKeys(t, alice, "PHONE", "")+`,"one_time_keys":{"x:1":"1"},"fallback_keys":{"x:F":"f"}}`)
			phone = s.signIn(t, "alice", "PHONE") // DEV-24
			if !in(s.queried(t, bobs), "device_keys", string(alice), "PHONE").Exists() || s.counts(t, phone) != `{"signed_curve25519":0,"x":1}` {
				t.Fatal("DEV-24: the keys are gone")
			}
			want(t, end(s, phone, laptop), 200, "")
			if in(s.queried(t, bobs), "device_keys", string(alice), "PHONE").Exists() {
				t.Error("the device keys are still there")
			}
			if got := s.claim(t, bobs, "PHONE", "x"); got != "" {
				t.Errorf("claimed %s", got)
			}
		})
	}
}

// KEYS-60 to KEYS-62: the same lists as in /sync, between tokens.
func TestKeyChanges(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	from := fmt.Sprintf("1-%d", s.store.Position())
	wantJSON(t, do(s, "GET", changesPath+"?from="+from+"&to="+from, token, ""), 200, `{"changed":[],"left":[]}`)
	s.upload(t, token, `{"device_keys":`+deviceKeys(t, alice, "PHONE", "")+`}`)
	for range 2 {
		wantJSON(t, do(s, "GET", changesPath+"?from="+from+"&to="+from, token, ""), 200, `{"changed":["@alice:example.org"],"left":[]}`) // KEYS-61
		wantJSON(t, do(s, "GET", "/_matrix/client/r0/keys/changes?from="+from, token, ""), 200, `{"changed":["@alice:example.org"],"left":[]}`)
	}
	want(t, do(s, "GET", changesPath, token, ""), 400, mxerr.MMissingParam)
	for _, query := range []string{"?from=nonsense", "?from=1-999999", "?from=" + from + "&to=x"} {
		want(t, do(s, "GET", changesPath+query, token, ""), 400, mxerr.MInvalidParam)
	}
}

// KEYS-21: guests encrypt like everybody else. None of it works without a token.
func TestKeysForGuests(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	s.change(t, alice, func(u *store.User) { u.Guest = true })
	for path, body := range map[string]string{uploadPath: `{}`, queryPath: `{"device_keys":{}}`, claimPath: `{"one_time_keys":{}}`} {
		want(t, do(s, "POST", path, token, body), 200, "")
		want(t, do(s, "POST", path, "", body), 401, mxerr.MMissingToken)
	}
	want(t, do(s, "GET", changesPath+"?from=1-0", "", ""), 401, mxerr.MMissingToken)
}

// KEYS-41, CLIENTC-10: 250 users in one request, some of whom are not there.
func TestQueryMany(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	s.upload(t, token, `{"device_keys":`+deviceKeys(t, alice, "PHONE", "")+`}`)
	const n = 250
	err := s.store.Update(t.Context(), func(tx store.Tx) error {
		for i := range n - 1 {
			if i%5 == 0 {
				continue // nobody
			}
			user := events.UserID(fmt.Sprintf("@u%d:example.org", i))
			if err := tx.CreateUser(store.User{ID: user}); err != nil {
				return err
			}
			if i%5 == 1 {
				continue // without a device
			}
			for _, device := range []string{"A", "B", "C"} {
				if err := tx.PutDevice(store.Device{User: user, ID: device}); err != nil {
					return err
				}
				key := store.DeviceKey{User: user, Device: device, JSON: fmt.Appendf(nil, `{"user_id":%q,"device_id":%q,"algorithms":[],"keys":{},"signatures":{}}`, user, device)}
				if err := tx.PutDeviceKey(key); err != nil {
					return err
				}
			}
			if err := devicelist.New(nil).Changed(tx, user); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w := do(s, "POST", queryPath, token, `{"device_keys":{"@alice:example.org":["PHONE"],`+many(n-1, `"@u%d:example.org":[]`)+`}}`)
	want(t, w, 200, "")
	answer := gjson.GetBytes(w.Body.Bytes(), "device_keys").Map()
	for i := range n - 1 {
		user := fmt.Sprintf("@u%d:example.org", i)
		devices, ok := answer[user]
		if wanted := map[int]int{0: 0, 1: 0, 2: 3, 3: 3, 4: 3}[i%5]; ok == (i%5 == 0) || len(devices.Map()) != wanted {
			t.Errorf("%s: %s", user, devices.Raw)
		}
		if id := devices.Get("B.user_id").Str; i%5 > 1 && id != user {
			t.Errorf("%s has the keys of %s", user, id)
		}
	}
	if len(answer[string(alice)].Map()) != 1 {
		t.Errorf("alice: %s", answer[string(alice)].Raw)
	}
}
