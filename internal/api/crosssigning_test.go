package api

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/keys"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

const (
	crossSigningPath = "/_matrix/client/v3/keys/device_signing/upload"
	signaturesPath   = "/_matrix/client/v3/keys/signatures/upload"
)

// person is a user with cross-signing keys, all made from one name.
type person struct {
	user                  events.UserID
	master, self, signing signingKey
}

func newPerson(user events.UserID, generation string) person {
	of := func(usage string) signingKey { return newSigningKey(string(user) + generation + usage) }
	return person{user, of("master"), of("self"), of("user")}
}

// key returns a cross-signing key of the person, signed by another unless by is zero.
func (p person) key(t testing.TB, usage string, k, by signingKey) string {
	t.Helper()
	obj := fmt.Sprintf(`{"user_id":%q,"usage":[%q],"keys":{"ed25519:%[3]s":%[3]q}}`, p.user, usage, k.public)
	if by.public == "" {
		return obj
	}
	return by.sign(t, obj, p.user, "ed25519:"+by.public)
}

func (p person) masterKey(t testing.TB) string { return p.key(t, "master", p.master, signingKey{}) }
func (p person) selfKey(t testing.TB) string   { return p.key(t, "self_signing", p.self, p.master) }
func (p person) userKey(t testing.TB) string   { return p.key(t, "user_signing", p.signing, p.master) }

// all returns the body of an upload of the person's keys; more are further members.
func (p person) all(t testing.TB, more ...string) string {
	t.Helper()
	return "{" + strings.Join(append(more, `"master_key":`+p.masterKey(t), `"self_signing_key":`+p.selfKey(t),
		`"user_signing_key":`+p.userKey(t)), ",") + "}"
}

// XS-1, XS-2, UIA-32, XS-14, KEYS-37, CLIENTC-8: the first keys need no proof and are there at once, as they were sent.
func TestFirstCrossSigningKeys(t *testing.T) {
	t.Parallel()
	for _, path := range []string{crossSigningPath, "/_matrix/client/r0/keys/device_signing/upload", "/_matrix/client/unstable/keys/device_signing/upload"} {
		s := newServer(t, nil)
		token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
		p := newPerson(alice, "")
		master := strings.Replace(p.masterKey(t), `"usage"`, `"more":{"n":9007199254740993},"usage"`, 1)
		body := `{"master_key":` + master + `,"self_signing_key":` + p.selfKey(t) + `,"user_signing_key":` + p.userKey(t) + `}`
		before := len(s.lists)
		wantJSON(t, do(s, "POST", path, token, body), 200, `{}`)
		if len(s.lists) != before+1 || s.lists[before].User != alice { // DL-5, XS-16
			t.Errorf("device lists have changed %v", s.lists[before:])
		}
		own, others := s.queried(t, token), s.queried(t, bobs)
		for _, answer := range []gjson.Result{own, others} {
			if got := in(answer, "master_keys", string(alice)); len(got.Map()) != 4 || got.Get("more.n").Raw != "9007199254740993" {
				t.Errorf("XS-14: master key %s", got.Raw)
			}
			equalJSON(t, in(answer, "self_signing_keys", string(alice)).Raw, p.selfKey(t))
		}
		equalJSON(t, in(own, "user_signing_keys", string(alice)).Raw, p.userKey(t))
		if got := others.Get("user_signing_keys").Raw; got != `{}` {
			t.Errorf("KEYS-37: others see %s", got)
		}
	}
}

// XS-3, UIA-32: the keys that are there already are no change, whatever comes with them.
func TestSameCrossSigningKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	p := newPerson(alice, "")
	want(t, do(s, "POST", crossSigningPath, token, p.all(t)), 200, "")
	lists, wakes, position := len(s.lists), len(s.wakes), s.store.Position()
	for _, body := range []string{
		p.all(t), p.all(t, `"auth":{"type":"m.login.password","session":"stale"}`), `{}`,
		`{"master_key":` + p.masterKey(t) + `}`, `{"user_signing_key":` + p.userKey(t) + `,"master_key":null}`,
	} {
		wantJSON(t, do(s, "POST", crossSigningPath, token, body), 200, `{}`)
	}
	if len(s.lists) != lists || len(s.wakes) != wakes || s.store.Position() != position {
		t.Error("something has changed")
	}
}

// XS-4, DL-5, DL-7, SEC: every other change needs proof.
func TestReplaceCrossSigningKeys(t *testing.T) {
	t.Parallel()
	old, fresh := newPerson(alice, ""), newPerson(alice, "2")
	mixed := old
	mixed.self, mixed.signing = fresh.self, fresh.signing
	for name, test := range map[string]struct {
		before, body   string
		public, silent int // changes for everybody, and for alice alone
	}{
		"XS-4 all":                         {old.all(t), fresh.all(t), 1, 0},
		"XS-4 master":                      {old.all(t), `{"master_key":` + fresh.masterKey(t) + `}`, 1, 0},
		"XS-4 self-signing":                {old.all(t), `{"self_signing_key":` + mixed.selfKey(t) + `}`, 1, 0},
		"XS-4 DL-7 user-signing":           {old.all(t), `{"user_signing_key":` + mixed.userKey(t) + `}`, 0, 1},
		"XS-4 both":                        {old.all(t), `{"user_signing_key":` + mixed.userKey(t) + `,"self_signing_key":` + mixed.selfKey(t) + `}`, 1, 0},
		"XS-4 self-signing is added":       {`{"master_key":` + old.masterKey(t) + `}`, `{"self_signing_key":` + old.selfKey(t) + `}`, 1, 0},
		"XS-4 user-signing is added":       {`{"master_key":` + old.masterKey(t) + `}`, `{"user_signing_key":` + old.userKey(t) + `}`, 0, 1},
		"XS-4 one is new, one is the same": {old.all(t), `{"master_key":` + old.masterKey(t) + `,"user_signing_key":` + mixed.userKey(t) + `}`, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, nil)
			token := s.signUp(t, "alice")
			s.signUp(t, "bob")
			want(t, do(s, "POST", crossSigningPath, token, test.before), 200, "")
			s.lists, s.wakes = nil, nil
			was := s.queried(t, token).Raw
			w := do(s, "POST", crossSigningPath, token, newPerson(alice, "3").all(t))
			wantKeys(t, w, 401, "session", "flows", "params", "completed")
			other := strings.TrimSuffix(test.body, "}") + `,` + withPassword("alice", "alice", field(w, "session")) + `}`
			want(t, do(s, "POST", crossSigningPath, token, other), 403, mxerr.MForbidden) // proof for other keys
			w = do(s, "POST", crossSigningPath, token, test.body)
			wantKeys(t, w, 401, "session", "flows", "params", "completed")
			session := field(w, "session")
			with := func(user, password string) *httptest.ResponseRecorder {
				return do(s, "POST", crossSigningPath, token, strings.TrimSuffix(test.body, "}")+`,`+withPassword(user, password, session)+`}`)
			}
			want(t, with("alice", "wrong"), 401, mxerr.MForbidden)
			want(t, with("bob", "bob"), 403, mxerr.MForbidden)
			if s.queried(t, token).Raw != was || len(s.lists)+len(s.wakes) != 0 {
				t.Fatal("XS-13: the keys have changed without proof")
			}
			wantJSON(t, with("alice", "alice"), 200, `{}`)
			if s.queried(t, token).Raw == was {
				t.Error("the keys are the old ones")
			}
			if len(s.lists) != test.public || len(s.wakes) != test.silent {
				t.Errorf("%d changes for everybody, %d for alice", len(s.lists), len(s.wakes))
			}
		})
	}
}

// XS-15: a new master key drops the keys that it has not signed, and those alone.
func TestNewMasterKeyDropsOthers(t *testing.T) {
	t.Parallel()
	old, fresh := newPerson(alice, ""), newPerson(alice, "2")
	sections := func(s *server, token string) string {
		answer := s.queried(t, token)
		var there []string
		for _, name := range []string{"master_keys", "self_signing_keys", "user_signing_keys"} {
			if in(answer, name, string(alice)).Exists() {
				there = append(there, name)
			}
		}
		return strings.Join(there, " ")
	}
	signed := newPerson(alice, "")
	signed.master = fresh.master // the old keys, signed by the new master key
	for body, left := range map[string]string{
		`"master_key":` + fresh.masterKey(t):                                              "master_keys",
		`"master_key":` + fresh.masterKey(t) + `,"self_signing_key":` + fresh.selfKey(t):  "master_keys self_signing_keys",
		`"master_key":` + fresh.masterKey(t) + `,"self_signing_key":` + signed.selfKey(t): "master_keys self_signing_keys",
		`"master_key":` + fresh.masterKey(t) + `,"user_signing_key":` + signed.userKey(t): "master_keys user_signing_keys",
	} {
		s := newServer(t, nil)
		token := s.signUp(t, "alice")
		want(t, do(s, "POST", crossSigningPath, token, old.all(t)), 200, "")
		want(t, do(s, "POST", crossSigningPath, token, `{`+body+`,`+withPassword("alice", "alice", "")+`}`), 200, "")
		if got := sections(s, token); got != left {
			t.Errorf("%s are left, want %s", got, left)
		}
		// What is served is signed by the key that is served.
		for _, section := range []string{"self_signing_keys", "user_signing_keys"} {
			key := in(s.queried(t, token), section, string(alice)).Raw
			public := fresh.master.private.Public()
			if err := verifyEd25519(key, alice, "ed25519:"+fresh.master.public, public); key != "" && err != nil {
				t.Errorf("%s: %v", section, err)
			}
		}
	}
}

// XS-5, AS-16, UIA-31, XS-7, DEV-29: application services need no proof; who cannot prove anything is refused; suspension is no obstacle.
func TestCrossSigningCallers(t *testing.T) {
	t.Parallel()
	old, fresh := newPerson(alice, ""), newPerson(alice, "2")
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	s.Authenticator = bridge{s.Authenticator, alice}
	for _, p := range []person{old, fresh} { // XS-5
		wantJSON(t, do(s, "POST", crossSigningPath, "bridge", p.all(t)), 200, `{}`)
	}
	s.change(t, alice, func(u *store.User) { u.Suspended = true })
	want(t, do(s, "POST", crossSigningPath, token, strings.TrimSuffix(old.all(t), "}")+`,`+withPassword("alice", "alice", "")+`}`), 200, "")

	s = newServer(t, func(c *account.Config) {
		c.Flows = func(string, events.UserID, []uia.Flow) []uia.Flow { return nil }
	})
	session, err := s.Accounts.SignIn(t.Context(), "alice", account.Client{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, do(s, "POST", crossSigningPath, session.Token, old.all(t)), 200, "")
	want(t, do(s, "POST", crossSigningPath, session.Token, fresh.all(t)), 403, mxerr.MForbidden) // XS-7
}

// XS-8 to XS-13: forged and malformed keys; none of it is stored.
func TestBadCrossSigningKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	p, other := newPerson(alice, ""), newPerson(alice, "2")
	device := newSigningKey("device")
	s.signIn(t, "alice", device.public)
	stranger := newPerson(bob, "")
	master := p.masterKey(t)
	forged := p // whose keys another master key has signed
	forged.master = other.master
	change := func(key, from, to string) string {
		if !strings.Contains(key, from) {
			t.Fatalf("%s is not in %s", from, key)
		}
		return strings.Replace(key, from, to, 1)
	}
	for name, test := range map[string]struct {
		body string
		code mxerr.Code
	}{
		"XS-8 another user":            {`{"master_key":` + stranger.masterKey(t) + `}`, mxerr.MInvalidParam},
		"XS-8 no user":                 {`{"master_key":` + change(master, `"user_id":"@alice:example.org",`, ``) + `}`, mxerr.MInvalidParam},
		"XS-8 wrong usage":             {`{"master_key":` + p.selfKey(t) + `}`, mxerr.MInvalidParam},
		"XS-8 usage no array":          {`{"master_key":` + change(master, `["master"]`, `"master"`) + `}`, mxerr.MInvalidParam},
		"XS-8 no usage":                {`{"master_key":` + change(master, `"usage":["master"],`, ``) + `}`, mxerr.MInvalidParam},
		"XS-8 two keys":                {`{"master_key":` + change(master, `"keys":{`, `"keys":{"ed25519:x":"x",`) + `}`, mxerr.MInvalidParam},
		"XS-8 no key":                  {`{"master_key":{"user_id":"@alice:example.org","usage":["master"],"keys":{}}}`, mxerr.MInvalidParam},
		"XS-8 keys no object":          {`{"master_key":{"user_id":"@alice:example.org","usage":["master"],"keys":["ed25519:x"]}}`, mxerr.MInvalidParam},
		"XS-8 not called like itself":  {`{"master_key":` + change(master, `"ed25519:`, `"ed25519:x`) + `}`, mxerr.MInvalidParam},
		"XS-8 another algorithm":       {`{"master_key":` + change(master, `"ed25519:`, `"curve25519:`) + `}`, mxerr.MInvalidParam},
		"XS-8 key no string":           {`{"master_key":{"user_id":"@alice:example.org","usage":["master"],"keys":{"ed25519:1":1}}}`, mxerr.MInvalidParam},
		"XS-8 key no object":           {`{"master_key":"x"}`, mxerr.MBadJSON},
		"XS-9 not signed":              {`{"master_key":` + master + `,"self_signing_key":` + p.key(t, "self_signing", p.self, signingKey{}) + `}`, mxerr.MInvalidSignature},
		"XS-9 signed by another key":   {`{"master_key":` + master + `,"user_signing_key":` + forged.userKey(t) + `}`, mxerr.MInvalidSignature},
		"XS-9 signature of other text": {`{"master_key":` + master + `,"self_signing_key":` + change(p.selfKey(t), `"usage"`, `"more":1,"usage"`) + `}`, mxerr.MInvalidSignature},
		"XS-9 no base64":               {`{"master_key":` + master + `,"self_signing_key":` + change(p.selfKey(t), p.master.public+`":"`, p.master.public+`":"?`) + `}`, mxerr.MInvalidSignature},
		"XS-10 no master key":          {`{"self_signing_key":` + p.selfKey(t) + `}`, mxerr.MMissingParam},
	} {
		w := do(s, "POST", crossSigningPath, token, test.body)
		if w.Code != 400 || field(w, "errcode") != string(test.code) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	like := p
	like.master = device
	want(t, do(s, "POST", crossSigningPath, token, like.all(t)), 403, mxerr.MForbidden) // XS-11
	if got := s.queried(t, token); got.Get("master_keys").Raw+got.Get("self_signing_keys").Raw+got.Get("user_signing_keys").Raw != `{}{}{}` {
		t.Errorf("XS-13: stored %s", got.Raw)
	}
	// XS-12: padded base64 is taken, unsigned is not part of what is signed.
	signature := in(gjson.Parse(p.selfKey(t)), "signatures", string(alice), "ed25519:"+p.master.public).Str
	padded := strings.Replace(p.selfKey(t), signature, signature+"==", 1)
	body := `{"master_key":` + master + `,"self_signing_key":` + strings.TrimSuffix(padded, "}") + `,"unsigned":{"x":1}}}`
	want(t, do(s, "POST", crossSigningPath, token, body), 200, "")
	if got := in(s.queried(t, token), "self_signing_keys", string(alice)).Raw; !strings.Contains(got, "==") {
		t.Errorf("XS-14: %s", got)
	}
}

// verifyEd25519 checks a signature on a key as clients do.
func verifyEd25519(obj string, user events.UserID, keyID string, public crypto.PublicKey) error {
	return events.VerifyJSON([]byte(obj), string(user), keyID, public.(ed25519.PublicKey))
}

// signed makes the server with alice and bob, their cross-signing keys and phones.
func newSignedServer(t *testing.T) (s *server, a, b person, alices, bobs string) {
	t.Helper()
	s = newServer(t, nil)
	a, b = newPerson(alice, ""), newPerson(bob, "")
	alices, bobs = s.signUp(t, "alice"), s.signUp(t, "bob")
	for token, p := range map[string]person{alices: a, bobs: b} {
		want(t, do(s, "POST", crossSigningPath, token, p.all(t)), 200, "")
		s.upload(t, token, `{"device_keys":`+deviceKeys(t, p.user, "PHONE", "")+`}`)
	}
	s.lists, s.wakes = nil, nil
	return s, a, b, alices, bobs
}

// signatures uploads signed keys, by user and name, and returns the failures.
func (s *server) signatures(t *testing.T, token string, user events.UserID, name, key string) gjson.Result {
	t.Helper()
	w := do(s, "POST", signaturesPath, token, fmt.Sprintf(`{%q:{%q:%s}}`, user, name, key))
	want(t, w, 200, "")
	return gjson.GetBytes(w.Body.Bytes(), "failures")
}

// signers are the keys whose signatures by a user an answer shows on something.
func signers(key gjson.Result, user events.UserID) []string {
	return slices.Sorted(maps.Keys(in(key, "signatures", string(user)).Map()))
}

// XS-20 to XS-27, KEYS-36, DL-6, DL-8: what may be signed, who sees it, whom it concerns.
func TestSignatures(t *testing.T) {
	t.Parallel()
	s, a, b, alices, bobs := newSignedServer(t)
	carls := s.signUp(t, "carl")
	s.lists = nil
	phone, phoneKey := deviceKeys(t, alice, "PHONE", ""), newSigningKey(string(alice)+"PHONE")
	bySelf, byUser := "ed25519:"+a.self.public, "ed25519:"+a.signing.public

	// Own device by own self-signing key: everybody sees it (DL-6).
	for range 2 { // XS-27
		if f := s.signatures(t, alices, alice, "PHONE", a.self.sign(t, phone, alice, bySelf)); f.Raw != `{}` {
			t.Fatalf("XS-20: failures %s", f.Raw)
		}
	}
	if len(s.lists) != 1 || s.lists[0].User != alice || len(s.wakes) != 0 {
		t.Errorf("DL-6: %v, %v", s.lists, s.wakes)
	}
	for _, token := range []string{alices, bobs, carls} {
		if diff := cmp.Diff([]string{"ed25519:PHONE", bySelf}, signers(in(s.queried(t, token), "device_keys", string(alice), "PHONE"), alice)); diff != "" {
			t.Errorf("KEYS-36 XS-22 device (-want +got):\n%s", diff)
		}
	}

	// Own master key by own device: everybody sees it (DL-6).
	if f := s.signatures(t, alices, alice, a.master.public, phoneKey.sign(t, a.masterKey(t), alice, "ed25519:PHONE")); f.Raw != `{}` { // XS-24
		t.Fatalf("failures %s", f.Raw)
	}
	if len(s.lists) != 2 || len(s.wakes) != 0 {
		t.Errorf("DL-6: %v, %v", s.lists, s.wakes)
	}
	for _, token := range []string{alices, bobs, carls} {
		if diff := cmp.Diff([]string{"ed25519:PHONE"}, signers(in(s.queried(t, token), "master_keys", string(alice)), alice)); diff != "" {
			t.Errorf("XS-22 master key (-want +got):\n%s", diff)
		}
	}

	// Another's master key by own user-signing key: nobody else sees it (DL-8, XS-23).
	if f := s.signatures(t, alices, bob, b.master.public, a.signing.sign(t, b.masterKey(t), alice, byUser)); f.Raw != `{}` {
		t.Fatalf("failures %s", f.Raw)
	}
	if diff := cmp.Diff([]wake{{alice, s.store.Position()}}, s.wakes); diff != "" || len(s.lists) != 2 {
		t.Errorf("DL-8: %v, %v", s.lists, s.wakes)
	}
	for token, want := range map[string][]string{alices: {byUser}, bobs: nil, carls: nil} {
		if diff := cmp.Diff(want, signers(in(s.queried(t, token, bob), "master_keys", string(bob)), alice)); diff != "" {
			t.Errorf("XS-23 another's master key (-want +got):\n%s", diff)
		}
	}
	key := in(s.queried(t, alices, bob), "master_keys", string(bob)).Raw
	if err := verifyEd25519(key, alice, byUser, a.signing.private.Public()); err != nil {
		t.Errorf("KEYS-36: %v", err)
	}
	// It does not outlive the key it is on.
	fresh := newPerson(bob, "2")
	want(t, do(s, "POST", crossSigningPath, bobs, strings.TrimSuffix(fresh.all(t), "}")+`,`+withPassword("bob", "bob", "")+`}`), 200, "")
	if got := signers(in(s.queried(t, alices, bob), "master_keys", string(bob)), alice); got != nil {
		t.Errorf("the new key bears %v", got)
	}
}

// KEYS-9, KEYS-10: signatures stay on keys that are uploaded again, and not on others.
func TestSignaturesSurviveUploads(t *testing.T) {
	t.Parallel()
	s, a, _, alices, bobs := newSignedServer(t)
	phone, bySelf := deviceKeys(t, alice, "PHONE", ""), "ed25519:"+a.self.public
	s.signatures(t, alices, alice, "PHONE", a.self.sign(t, phone, alice, bySelf))
	shown := func() []string { return signers(in(s.queried(t, bobs), "device_keys", string(alice), "PHONE"), alice) }
	s.lists = nil
	s.upload(t, alices, `{"device_keys":`+phone+`}`)
	if got := shown(); !slices.Contains(got, bySelf) || len(s.lists) != 0 {
		t.Errorf("KEYS-9: signatures %v, %d changes", got, len(s.lists))
	}
	s.upload(t, alices, `{"device_keys":`+deviceKeys(t, alice, "PHONE", `"more":1`)+`}`)
	if got := shown(); slices.Contains(got, bySelf) || len(got) != 1 {
		t.Errorf("KEYS-10: signatures %v", got)
	}
}

// XS-21, XS-24 to XS-26: what is not accepted is listed and not stored, what is good beside it is.
func TestBadSignatures(t *testing.T) {
	t.Parallel()
	s, a, b, alices, bobs := newSignedServer(t)
	phone, bobsPhone := deviceKeys(t, alice, "PHONE", ""), deviceKeys(t, bob, "PHONE", "")
	phoneKey := newSigningKey(string(alice) + "PHONE")
	bySelf, byUser := "ed25519:"+a.self.public, "ed25519:"+a.signing.public
	was := s.queried(t, alices, alice, bob).Raw
	swap := func(key, from, to string) string { return strings.Replace(key, from, to, 1) }
	good := a.self.sign(t, phone, alice, bySelf)
	for name, test := range map[string]struct {
		user      events.UserID
		name, key string
		code      mxerr.Code
	}{
		"XS-21 unknown device":                       {alice, "NONE", good, mxerr.MNotFound},
		"XS-21 unknown key":                          {bob, "nonsense", a.signing.sign(t, b.masterKey(t), alice, byUser), mxerr.MNotFound},
		"XS-21 unknown user":                         {"@nobody:example.org", "PHONE", good, mxerr.MNotFound},
		"XS-21 wrong signature":                      {alice, "PHONE", swap(good, `"algorithms":["m.olm`, `"algorithms":["x.olm`), mxerr.MInvalidSignature},
		"XS-21 signature of other text":              {alice, "PHONE", swap(a.self.sign(t, `{}`, alice, bySelf), `{`, strings.TrimSuffix(strings.Replace(phone, `"signatures"`, `"unsigned"`, 1), "}")+","), mxerr.MInvalidSignature},
		"XS-21 no signature":                         {alice, "PHONE", swap(phone, string(alice)+`":{"ed`, string(bob)+`":{"ed`), mxerr.MInvalidSignature},
		"XS-25 another key":                          {alice, "PHONE", a.self.sign(t, deviceKeys(t, alice, "PHONE", `"more":1`), alice, bySelf), mxerr.MInvalidSignature},
		"XS-26 own device by user-signing key":       {alice, "PHONE", a.signing.sign(t, phone, alice, byUser), mxerr.MInvalidSignature},
		"XS-26 own device by master key":             {alice, "PHONE", a.master.sign(t, phone, alice, "ed25519:"+a.master.public), mxerr.MInvalidSignature},
		"XS-26 own master by self-signing key":       {alice, a.master.public, a.self.sign(t, a.masterKey(t), alice, bySelf), mxerr.MInvalidSignature},
		"XS-26 own master by unknown device":         {alice, a.master.public, phoneKey.sign(t, a.masterKey(t), alice, "ed25519:NONE"), mxerr.MInvalidSignature},
		"XS-26 own self-signing key":                 {alice, a.self.public, phoneKey.sign(t, a.selfKey(t), alice, "ed25519:PHONE"), mxerr.MInvalidSignature},
		"XS-26 another's device":                     {bob, "PHONE", a.self.sign(t, bobsPhone, alice, bySelf), mxerr.MNotFound},
		"XS-26 another's self-signing key":           {bob, b.self.public, a.signing.sign(t, b.selfKey(t), alice, byUser), mxerr.MNotFound},
		"XS-26 another's master by self-signing key": {bob, b.master.public, a.self.sign(t, b.masterKey(t), alice, bySelf), mxerr.MInvalidSignature},
		"XS-26 another's master by device":           {bob, b.master.public, phoneKey.sign(t, b.masterKey(t), alice, "ed25519:PHONE"), mxerr.MInvalidSignature},
		"signed in another's name":                   {bob, b.master.public, b.signing.sign(t, b.masterKey(t), bob, "ed25519:"+b.signing.public), mxerr.MInvalidSignature},
	} {
		failures := s.signatures(t, alices, test.user, test.name, test.key)
		got := in(failures, string(test.user), test.name)
		if got.Get("errcode").Str != string(test.code) || got.Get("error").Str == "" {
			t.Errorf("%s: failures %s, want %s", name, failures.Raw, test.code)
		}
	}
	if got := s.queried(t, alices, alice, bob).Raw; got != was || len(s.lists)+len(s.wakes) != 0 {
		t.Errorf("something was stored: %s", got)
	}

	// XS-21: partial success, over several keys and on one.
	both := phoneKey.sign(t, a.self.sign(t, phone, alice, bySelf), alice, "ed25519:NONE")
	w := do(s, "POST", signaturesPath, alices, fmt.Sprintf(`{"@alice:example.org":{"PHONE":%s,"NONE":%s},"@bob:example.org":{%q:%s}}`,
		both, phone, b.master.public, a.signing.sign(t, b.masterKey(t), alice, byUser)))
	want(t, w, 200, "")
	failures := gjson.GetBytes(w.Body.Bytes(), "failures")
	if got := slices.Sorted(maps.Keys(in(failures, string(alice)).Map())); !slices.Equal(got, []string{"NONE", "PHONE"}) || len(failures.Map()) != 1 {
		t.Errorf("failures %s", failures.Raw)
	}
	if got := signers(in(s.queried(t, bobs), "device_keys", string(alice), "PHONE"), alice); !slices.Equal(got, []string{"ed25519:PHONE", bySelf}) {
		t.Errorf("signatures on the device: %v", got)
	}
	if got := signers(in(s.queried(t, alices, bob), "master_keys", string(bob)), alice); !slices.Equal(got, []string{byUser}) {
		t.Errorf("signatures on the master key: %v", got)
	}
	for body, code := range map[string]mxerr.Code{
		``: mxerr.MNotJSON, `[]`: mxerr.MBadJSON, `{"@alice:example.org":[]}`: mxerr.MBadJSON, `{"@alice:example.org":{"PHONE":1}}`: mxerr.MBadJSON,
	} {
		want(t, do(s, "POST", signaturesPath, alices, body), 400, code)
	}
	want(t, do(s, "POST", signaturesPath, alices, `{"@alice:example.org":{`+many(1001, `"D%d":{}`)+`}}`), 413, mxerr.MTooLarge)
	wantJSON(t, do(s, "POST", signaturesPath, alices, `{}`), 200, `{"failures":{}}`)
	wantJSON(t, do(s, "POST", "/_matrix/client/r0/keys/signatures/upload", alices, `{}`), 200, `{"failures":{}}`)
}

// KEYS-40: what the service remembers of users' keys is never older than what is stored, whatever changes them.
func TestQueryIsNeverStale(t *testing.T) {
	t.Parallel()
	s, a, b, alices, bobs := newSignedServer(t)
	laptop := s.signIn(t, "alice", "LAPTOP")
	bySelf := "ed25519:" + a.self.public
	fresh := newPerson(alice, "2")
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"nothing", func() {}},
		{"device keys", func() { s.upload(t, laptop, `{"device_keys":`+deviceKeys(t, alice, "LAPTOP", "")+`}`) }},
		{"other device keys", func() { s.upload(t, laptop, `{"device_keys":`+deviceKeys(t, alice, "LAPTOP", `"n":1`)+`}`) }},
		{"a name", func() { want(t, do(s, "PUT", devicesPath+"/LAPTOP", laptop, `{"display_name":"x"}`), 200, "") }},
		{"a signed device", func() {
			s.signatures(t, alices, alice, "PHONE", a.self.sign(t, deviceKeys(t, alice, "PHONE", ""), alice, bySelf))
		}},
		{"a signed master key", func() {
			k := newSigningKey(string(alice) + "PHONE")
			s.signatures(t, alices, alice, a.master.public, k.sign(t, a.masterKey(t), alice, "ed25519:PHONE"))
		}},
		{"another's signed master key", func() {
			s.signatures(t, bobs, alice, a.master.public, b.signing.sign(t, a.masterKey(t), bob, "ed25519:"+b.signing.public))
		}},
		{"new cross-signing keys", func() {
			want(t, do(s, "POST", crossSigningPath, alices, strings.TrimSuffix(fresh.all(t), "}")+`,`+withPassword("alice", "alice", "")+`}`), 200, "")
		}},
		{"a dehydrated device", func() { want(t, do(s, "PUT", dehydratedPath, alices, dehydratedBody(t, "DRY", "")), 200, "") }},
		{"another dehydrated device", func() { want(t, do(s, "PUT", dehydratedPath, alices, dehydratedBody(t, "DRIER", "")), 200, "") }},
		{"none", func() { want(t, do(s, "DELETE", dehydratedPath, alices, ""), 200, "") }},
		{"a deleted device", func() {
			want(t, do(s, "DELETE", devicesPath+"/LAPTOP", alices, `{`+withPassword("alice", "alice", "")+`}`), 200, "")
		}},
		{"nothing: a device without keys", func() { s.signIn(t, "alice", "LAPTOP") }},
		{"logout", func() { want(t, do(s, "POST", "/_matrix/client/v3/logout/all", alices, ""), 200, "") }},
		{"deactivation", func() {
			if _, err := s.Accounts.DeactivateUser(t.Context(), alice, false); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		was := s.queried(t, bobs, alice, bob).Raw
		step.do()
		got := s.queried(t, bobs, alice, bob).Raw
		cold := keys.New(keys.Config{Store: s.store, Server: "example.org"})
		stored, err := cold.Query(t.Context(), bob, map[string][]string{string(alice): {}, string(bob): {}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(stored), got); diff != "" {
			t.Errorf("after %s (-stored +got):\n%s", step.what, diff)
		}
		if same := strings.HasPrefix(step.what, "nothing"); (got == was) != same {
			t.Errorf("%s: what is answered has changed: %v", step.what, !same)
		}
	}
}
