package api

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
)

// claim claims one key of a device of alice.
func (s *server) claim(t testing.TB, token, device, algorithm string) string {
	t.Helper()
	w := do(s, "POST", claimPath, token, fmt.Sprintf(`{"one_time_keys":{%q:{%q:%q}}}`, alice, device, algorithm))
	if w.Code != 200 || !gjson.GetBytes(w.Body.Bytes(), "one_time_keys").IsObject() || field(w, "failures") != "{}" {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	return in(gjson.ParseBytes(w.Body.Bytes()), "one_time_keys", string(alice), device).Raw
}

// KEYS-12, KEYS-18, KEYS-52, KEYS-54, KEYS-55: claims hand out keys as they are, in the order of uploads, until none is left.
func TestClaim(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	const signed = `{"key":"k","signatures":{"@alice:example.org":{"ed25519:PHONE":"s"}},"x <y>":1.5}`
	for _, keys := range []string{`"signed_curve25519:Z":` + signed, `"signed_curve25519:A":"plain","org.example.new:A":{"key":{"n":1}}`, `"signed_curve25519:M":"m"`} {
		s.upload(t, token, `{"one_time_keys":{`+keys+`}}`)
	}
	for _, key := range []string{`{"signed_curve25519:Z":` + signed + `}`, `{"signed_curve25519:A":"plain"}`, `{"signed_curve25519:M":"m"}`, ``} {
		if got := s.claim(t, bobs, "PHONE", "signed_curve25519"); got != key {
			t.Errorf("KEYS-52: claimed %s, want %s", got, key)
		}
	}
	if got := s.claim(t, token, "PHONE", "org.example.new"); got != `{"org.example.new:A":{"key":{"n":1}}}` { // KEYS-55
		t.Errorf("claimed %s", got)
	}
	if got := s.counts(t, token); got != `{"signed_curve25519":0}` {
		t.Errorf("counts %s", got)
	}
}

// KEYS-50, KEYS-54, KEYS-39: several at once, some of which are not there.
func TestClaimSeveral(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	phone, laptop, bobs := s.signUp(t, "alice"), s.signIn(t, "alice", "LAPTOP"), s.signUp(t, "bob")
	for token, id := range map[string]string{phone: "P", laptop: "L", bobs: "B"} {
		s.upload(t, token, `{"one_time_keys":{"x:`+id+`":"`+id+`"}}`)
	}
	w := do(s, "POST", claimPath, bobs, `{"timeout":10,"one_time_keys":{
		"@alice:example.org":{"PHONE":"x","LAPTOP":"x","NONE":"x"},"@bob:example.org":{"PHONE":"y"},
		"@nobody:example.org":{"PHONE":"x"},"malformed":{"PHONE":"x"},"@alice:example.com":{"PHONE":"x"}}}`)
	want(t, w, 200, "")
	equalJSON(t, field(w, "one_time_keys"), `{"@alice:example.org":{"PHONE":{"x:P":"P"},"LAPTOP":{"x:L":"L"}}}`)
	failures := gjson.GetBytes(w.Body.Bytes(), "failures").Map()
	if len(failures) != 1 || !failures["example.com"].Get("errcode").Exists() {
		t.Errorf("KEYS-39: failures %s", field(w, "failures"))
	}
	wantJSON(t, do(s, "POST", claimPath, bobs, `{"one_time_keys":{}}`), 200, `{"one_time_keys":{},"failures":{}}`)
	wantJSON(t, do(s, "POST", "/_matrix/client/r0/keys/claim", bobs, `{"one_time_keys":{"@alice:example.org":{"PHONE":"x"}}}`), 200,
		`{"one_time_keys":{},"failures":{}}`)
	for body, code := range map[string]mxerr.Code{
		`{}`: mxerr.MMissingParam, `{"one_time_keys":[]}`: mxerr.MBadJSON, `{"one_time_keys":{"@a:b":"x"}}`: mxerr.MBadJSON,
		`{"one_time_keys":{"@a:b":{"c":1}}}`: mxerr.MBadJSON,
	} {
		want(t, do(s, "POST", claimPath, bobs, body), 400, code)
	}
	tooMany := do(s, "POST", claimPath, bobs, `{"one_time_keys":{"@alice:example.org":{`+many(5001, `"D%d":"x"`)+`}}}`)
	want(t, tooMany, 413, mxerr.MTooLarge)
}

// KEYS-16, KEYS-17, KEYS-18, KEYS-19, KEYS-53: the fallback key is handed out when there is no other, again and again.
func TestFallbackKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	unused := func(want string) {
		t.Helper()
		err := s.store.View(t.Context(), func(v store.View) error {
			_, unused, _, err := s.Keys.Counts(v, alice, "PHONE")
			if got := fmt.Sprintf("%q", unused); got != want {
				t.Errorf("DL-18: unused fallback keys %s, want %s", got, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	unused(`[]`)
	s.upload(t, token, `{"one_time_keys":{"x:1":"1"},"fallback_keys":{"x:F":{"key":"f","fallback":true,"signatures":{}},"y:F":"y"}}`)
	unused(`["x" "y"]`)
	for _, key := range []string{`{"x:1":"1"}`, `{"x:F":{"fallback":true,"key":"f","signatures":{}}}`, `{"x:F":{"fallback":true,"key":"f","signatures":{}}}`} {
		if got := s.claim(t, bobs, "PHONE", "x"); got != key {
			t.Errorf("claimed %s, want %s", got, key)
		}
	}
	unused(`["y"]`)
	s.upload(t, token, `{"fallback_keys":{"x:F":{"fallback":true,"key":"f","signatures":{}}}}`) // KEYS-17
	unused(`["y"]`)
	s.upload(t, token, `{"org.matrix.msc2732.fallback_keys":{"x:G":{"fallback":true,"key":"g","signatures":{}}}}`) // KEYS-19
	unused(`["x" "y"]`)
	if got := s.claim(t, bobs, "PHONE", "x"); got != `{"x:G":{"fallback":true,"key":"g","signatures":{}}}` { // KEYS-16
		t.Errorf("claimed %s", got)
	}
	s.upload(t, token, `{"one_time_keys":{"x:2":"2"}}`)
	if got := s.claim(t, bobs, "PHONE", "x"); got != `{"x:2":"2"}` {
		t.Errorf("claimed %s", got)
	}
	unused(`["y"]`)
}

// KEYS-57: a claim wakes the device, one that takes nothing does not.
func TestClaimWakes(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	s.upload(t, token, `{"one_time_keys":{"x:1":"1"},"fallback_keys":{"x:F":"f"}}`)
	for range 2 { // the one-time key, then the fallback key
		s.wakes = nil
		s.claim(t, bobs, "PHONE", "x")
		if diff := cmp.Diff([]wake{{alice, s.store.Position()}}, s.wakes); diff != "" {
			t.Errorf("wakes (-want +got):\n%s", diff)
		}
		err := s.store.View(t.Context(), func(v store.View) error {
			_, _, claimed, err := s.Keys.Counts(v, alice, "PHONE")
			if claimed != s.wakes[0].Pos {
				t.Errorf("claimed at %d, woken at %d", claimed, s.wakes[0].Pos)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	s.wakes = nil
	s.claim(t, bobs, "NONE", "x")
	s.claim(t, bobs, "PHONE", "y")
	if len(s.wakes) != 0 {
		t.Errorf("wakes %v", s.wakes)
	}
}

// KEYS-22, KEYS-51: uploads and claims at once lose no key and hand out none twice.
func TestClaimAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	const workers, uploads, each = 6, 6, 5 // fewer claims than are remembered
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		taken = map[string]int{}
	)
	note := func(key string) {
		mu.Lock()
		defer mu.Unlock()
		for name := range gjson.Parse(key).Map() {
			taken[name]++
		}
	}
	for worker := range workers {
		wg.Go(func() {
			for i := range uploads {
				w := do(s, "POST", uploadPath, token, `{"one_time_keys":{`+many(each, fmt.Sprintf(`"x:%d-%d-%%d":"k"`, worker, i))+`,"x:shared":"k"}}`)
				if w.Code != 200 {
					t.Errorf("status %d: %s", w.Code, w.Body)
				}
				for range each {
					note(s.claim(t, bobs, "PHONE", "x"))
				}
			}
		})
	}
	wg.Wait()
	for {
		key := s.claim(t, bobs, "PHONE", "x")
		if key == "" {
			break
		}
		note(key)
	}
	if n := len(taken); n != workers*uploads*each+1 {
		t.Errorf("KEYS-22: %d keys came out", n)
	}
	for name, times := range taken {
		if times != 1 {
			t.Errorf("KEYS-51: %s was claimed %d times", name, times)
		}
	}
	if got := s.counts(t, token); got != `{"signed_curve25519":0}` {
		t.Errorf("counts %s", got)
	}
}
