package api

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const (
	versionPath  = "/_matrix/client/v3/room_keys/version"
	roomKeysPath = "/_matrix/client/v3/room_keys/keys"
	algorithm    = "m.megolm_backup.v1.curve25519-aes-sha2"
)

// newBackup makes a version and returns its name.
func (s *server) newBackup(t testing.TB, token string) string {
	t.Helper()
	w := do(s, "POST", versionPath, token, `{"algorithm":"`+algorithm+`","auth_data":{"public_key":"p","signatures":{}}}`)
	if w.Code != 200 || field(w, "version") == "" {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return field(w, "version")
}

// sessionKey returns a key in a backup; data tells one from another.
func sessionKey(firstIndex, forwarded int, verified bool, data string) string {
	return fmt.Sprintf(`{"first_message_index":%d,"forwarded_count":%d,"is_verified":%v,"session_data":{"ciphertext":%q}}`,
		firstIndex, forwarded, verified, data)
}

// backupState returns the etag and count of a version.
func (s *server) backupState(t testing.TB, token, version string) (etag string, count int64) {
	t.Helper()
	w := do(s, "GET", versionPath+"/"+version, token, "")
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return field(w, "etag"), gjson.GetBytes(w.Body.Bytes(), "count").Int()
}

// KB-1 to KB-4, KB-7 to KB-9, KB-27: versions are made, read and counted.
func TestBackupVersions(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, other, bobs := s.signUp(t, "alice"), s.signIn(t, "alice", "LAPTOP"), s.signUp(t, "bob")
	want(t, do(s, "GET", versionPath, token, ""), 404, mxerr.MNotFound) // KB-3
	var versions []string
	for range 11 {
		version := s.newBackup(t, token)
		for _, earlier := range versions {
			if version == earlier {
				t.Errorf("KB-1: version %s is used again", version)
			}
		}
		versions = append(versions, version)
		body := `{"algorithm":"` + algorithm + `","auth_data":{"public_key":"p","signatures":{}},"count":0,"etag":"0","version":"` + version + `"}`
		wantJSON(t, do(s, "GET", versionPath, other, ""), 200, body) // KB-3, KB-8, KB-27
	}
	for _, version := range versions {
		w := do(s, "GET", "/_matrix/client/r0/room_keys/version/"+version, token, "") // KB-4
		if field(w, "version") != version {
			t.Errorf("KB-4: %s", w.Body)
		}
		want(t, do(s, "GET", versionPath+"/"+version, bobs, ""), 404, mxerr.MNotFound) // KB-27
	}
	for _, unknown := range []string{"0", "12", "-1", "01", "x", "99999999999999999999"} {
		want(t, do(s, "GET", versionPath+"/"+unknown, token, ""), 404, mxerr.MNotFound)
	}
	for left := len(versions) - 1; left >= 0; left-- { // KB-6, KB-7
		for range 2 {
			wantJSON(t, do(s, "DELETE", versionPath+"/"+versions[left], token, ""), 200, `{}`)
		}
		want(t, do(s, "GET", versionPath+"/"+versions[left], token, ""), 404, mxerr.MNotFound)
		if w := do(s, "GET", versionPath, token, ""); left > 0 && field(w, "version") != versions[left-1] {
			t.Errorf("KB-7: after %s, %s is current", versions[left], w.Body)
		}
	}
	want(t, do(s, "GET", versionPath, token, ""), 404, mxerr.MNotFound) // CLIENTC-6
	want(t, do(s, "DELETE", versionPath+"/12", token, ""), 404, mxerr.MNotFound)
	want(t, do(s, "DELETE", versionPath+"/x", token, ""), 404, mxerr.MNotFound)
	want(t, do(s, "DELETE", versionPath+"/1", bobs, ""), 404, mxerr.MNotFound)
	if version := s.newBackup(t, token); version != "12" {
		t.Errorf("KB-1: version %s after 11", version)
	}
}

// KB-1, KB-2, KB-5, CON-11: what a version says about itself.
func TestBackupAuthData(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	for _, data := range []string{`"anything"`, `{"a":[1.50,9007199254740993]}`, `[]`, `7`, `null`} { // KB-2
		w := do(s, "POST", versionPath, token, `{"algorithm":"org.example.unlisted","auth_data":`+data+`}`)
		want(t, w, 200, "")
		path := versionPath + "/" + field(w, "version")
		w = do(s, "GET", path, token, "")
		if got := field(w, "auth_data"); gjson.GetBytes(w.Body.Bytes(), "auth_data").Raw != data || field(w, "algorithm") != "org.example.unlisted" {
			t.Errorf("KB-2: auth data %s, want %s", got, data)
		}
		wantJSON(t, do(s, "PUT", path, token, `{"algorithm":"org.example.unlisted","auth_data":{"new":`+data+`}}`), 200, `{}`) // KB-5
		w = do(s, "GET", path, token, "")
		if gjson.GetBytes(w.Body.Bytes(), "auth_data.new").Raw != data || field(w, "etag") != "0" {
			t.Errorf("KB-5: %s", w.Body)
		}
	}
	version := s.newBackup(t, token)
	path := versionPath + "/" + version
	good := `"algorithm":"` + algorithm + `","auth_data":{"x":1}`
	wantJSON(t, do(s, "PUT", path, token, `{`+good+`,"version":"`+version+`"}`), 200, `{}`)
	for body, code := range map[string]mxerr.Code{
		`{` + good + `,"version":"1"}`:           mxerr.MInvalidParam,
		`{"algorithm":"other","auth_data":{}}`:   mxerr.MInvalidParam,
		`{"auth_data":{}}`:                       mxerr.MMissingParam,
		`{"algorithm":"` + algorithm + `"}`:      mxerr.MMissingParam,
		`{"algorithm":1,"auth_data":{}}`:         mxerr.MBadJSON,
		`{"algorithm":"` + algorithm + `","auth`: mxerr.MNotJSON,
	} {
		want(t, do(s, "PUT", path, token, body), 400, code)
		if !strings.Contains(body, "version") && !strings.Contains(body, "other") {
			want(t, do(s, "POST", versionPath, token, body), 400, code) // KB-1
		}
	}
	want(t, do(s, "PUT", versionPath+"/99", token, `{`+good+`}`), 404, mxerr.MNotFound)
	want(t, do(s, "PUT", path, bobs, `{`+good+`}`), 404, mxerr.MNotFound)
	if w := do(s, "GET", path, token, ""); field(w, "auth_data") != `{"x":1}` || field(w, "version") != version {
		t.Errorf("refused changes were made: %s", w.Body)
	}
}

// KB-10, KB-11, KB-20, KB-21, KB-23, KB-24, KB-25: keys are written, read and deleted, all, by room and one by one.
func TestBackupKeys(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"v3", "r0"} {
		s := newServer(t, nil)
		keys := "/_matrix/client/" + base + "/room_keys/keys"
		token, other := s.signUp(t, "alice"), s.signIn(t, "alice", "LAPTOP")
		version := s.newBackup(t, token)
		query := "?version=" + version
		wantJSON(t, do(s, "GET", keys+query, token, ""), 200, `{"rooms":{}}`) // KB-21
		wantJSON(t, do(s, "GET", keys+"/!a"+query, token, ""), 200, `{"sessions":{}}`)
		want(t, do(s, "GET", keys+"/!a/1"+query, token, ""), 404, mxerr.MNotFound)

		key := func(data string) string { return sessionKey(0, 0, false, data) }
		last := "0"
		state := func(method, path, body string, count int, changed bool) {
			t.Helper()
			w := do(s, method, keys+path+query, token, body)
			wantKeys(t, w, 200, "etag", "count")
			etag, counted := s.backupState(t, other, version)
			if field(w, "count") != strconv.Itoa(count) || counted != int64(count) || etag != field(w, "etag") || (etag != last) != changed {
				t.Errorf("%s %s: %s, then etag %s and count %d; before it was %s", method, path, w.Body, etag, counted, last)
			}
			last = etag
		}
		state("PUT", "", `{"rooms":{"!a":{"sessions":{"1":`+key("a1")+`,"2":`+key("a2")+`}},"not a room ID":{"sessions":{"1":`+key("b1")+`}}}}`, 3, true) // KB-10, KB-24
		state("PUT", "/%21a", `{"sessions":{"3":`+key("a3")+`}}`, 4, true)                                                                                // KB-11
		state("PUT", "/!a/x%2Fy+z%3D%3D", key("slash"), 5, true)                                                                                          // KB-25
		state("PUT", "", `{"rooms":{}}`, 5, false)
		state("PUT", "", `{"rooms":{"!a":{"sessions":{"1":`+key("same")+`}}}}`, 5, false) // KB-19

		wantJSON(t, do(s, "GET", keys+query, other, ""), 200, `{"rooms":{
			"!a":{"sessions":{"1":`+key("a1")+`,"2":`+key("a2")+`,"3":`+key("a3")+`,"x/y+z==":`+key("slash")+`}},
			"not a room ID":{"sessions":{"1":`+key("b1")+`}}}}`)
		wantJSON(t, do(s, "GET", keys+"/not%20a%20room%20ID"+query, token, ""), 200, `{"sessions":{"1":`+key("b1")+`}}`)
		wantJSON(t, do(s, "GET", keys+"/!a/x%2Fy%2Bz=="+query, token, ""), 200, key("slash")) // KB-25
		want(t, do(s, "GET", keys+"/!a/x"+query, token, ""), 404, mxerr.MNotFound)

		state("DELETE", "/!a/x%2Fy+z==", "", 4, true) // KB-23
		state("DELETE", "/!a/x%2Fy+z==", "", 4, false)
		state("DELETE", "/!a", "", 1, true)
		state("DELETE", "/!none", "", 1, false)
		state("DELETE", "", "", 0, true)
		state("DELETE", "", "", 0, false)
		wantJSON(t, do(s, "GET", keys+query, token, ""), 200, `{"rooms":{}}`)
	}
}

// KB-16 to KB-20: which of two keys for a session is kept.
func TestBackupReplacement(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	version := s.newBackup(t, token)
	type key struct {
		first, forwarded int
		verified         bool
	}
	for i, test := range []struct {
		rule     string
		old, new key
		replaced bool
	}{
		{"KB-16 verified wins", key{0, 0, false}, key{9, 9, true}, true},
		{"KB-16 verified stays", key{9, 9, true}, key{0, 0, false}, false},
		{"KB-17 lower index wins", key{5, 0, false}, key{4, 9, false}, true},
		{"KB-17 lower index stays", key{4, 9, false}, key{5, 0, false}, false},
		{"KB-17 among verified", key{5, 0, true}, key{4, 9, true}, true},
		{"KB-18 lower count wins", key{4, 2, false}, key{4, 1, false}, true},
		{"KB-18 lower count stays", key{4, 1, true}, key{4, 2, true}, false},
		{"KB-18 all equal", key{4, 1, true}, key{4, 1, true}, false},
	} {
		path := fmt.Sprintf("%s/!r/%d?version=%s", roomKeysPath, i, version)
		put := func(k key, data string) {
			t.Helper()
			want(t, do(s, "PUT", path, token, sessionKey(k.first, k.forwarded, k.verified, data)), 200, "")
		}
		put(test.old, "old")
		before, _ := s.backupState(t, token, version)
		put(test.new, "new")
		after, count := s.backupState(t, token, version)
		got := field(do(s, "GET", path, token, ""), "session_data.ciphertext")
		if (got == "new") != test.replaced || (after != before) != test.replaced || count != int64(i+1) { // KB-19, KB-20
			t.Errorf("%s: %s is kept, etag %s then %s, count %d", test.rule, got, before, after, count)
		}
	}
}

// KB-12 to KB-15, KB-21, KB-22, KB-23: the wrong version, no version, keys of the wrong form.
func TestBackupRefusals(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bobs := s.signUp(t, "alice"), s.signUp(t, "bob")
	good := sessionKey(1, 2, true, "x")
	bodies := map[string]string{"": `{"rooms":{"!r":{"sessions":{"1":` + good + `}}}}`, "/!r": `{"sessions":{"1":` + good + `}}`, "/!r/1": good}
	all := func(token, query string, status int, code mxerr.Code, methods ...string) {
		t.Helper()
		for path, body := range bodies {
			for _, method := range methods {
				if method != "PUT" {
					body = ""
				}
				want(t, do(s, method, roomKeysPath+path+query, token, body), status, code)
			}
		}
	}
	all(token, "", 400, mxerr.MMissingParam, "PUT", "GET", "DELETE")       // KB-12
	all(token, "?version=1", 404, mxerr.MNotFound, "PUT", "GET", "DELETE") // KB-14
	first := s.newBackup(t, token)
	want(t, do(s, "PUT", roomKeysPath+"/!r/1?version="+first, token, good), 200, "")
	second := s.newBackup(t, token)
	for path, body := range bodies { // KB-13
		w := do(s, "PUT", roomKeysPath+path+"?version="+first, token, body)
		want(t, w, 403, mxerr.MWrongRoomKeysVersion)
		if field(w, "current_version") != second {
			t.Errorf("KB-13: %s", w.Body)
		}
	}
	all(token, "?version=x", 404, mxerr.MNotFound, "PUT", "GET", "DELETE")
	all(token, "?version=99", 404, mxerr.MNotFound, "PUT", "GET", "DELETE")
	all(bobs, "?version="+second, 404, mxerr.MNotFound, "PUT", "GET", "DELETE")          // KB-27
	wantJSON(t, do(s, "GET", roomKeysPath+"/!r/1?version="+first, token, ""), 200, good) // KB-22
	want(t, do(s, "DELETE", roomKeysPath+"/!r/1?version="+first, token, ""), 200, "")    // KB-23
	want(t, do(s, "DELETE", versionPath+"/"+second, token, ""), 200, "")
	all(token, "?version="+second, 404, mxerr.MNotFound, "PUT", "GET", "DELETE")
	if w := do(s, "PUT", roomKeysPath+"/!r/1?version="+first, token, good); w.Code != 200 {
		t.Errorf("KB-7: the first version is not current: %s", w.Body)
	}

	replace := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("no %s", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	etag, _ := s.backupState(t, token, first)
	for key, code := range map[string]mxerr.Code{ // KB-15
		replace(`"first_message_index":1,`, ``):                                  mxerr.MMissingParam,
		replace(`"forwarded_count":2,`, ``):                                      mxerr.MMissingParam,
		replace(`"is_verified":true,`, ``):                                       mxerr.MMissingParam,
		replace(`,"session_data":{"ciphertext":"x"}`, ``):                        mxerr.MMissingParam,
		replace(`"first_message_index":1`, `"first_message_index":"1"`):          mxerr.MBadJSON,
		replace(`"first_message_index":1`, `"first_message_index":1.5`):          mxerr.MBadJSON,
		replace(`"forwarded_count":2`, `"forwarded_count":99999999999999999999`): mxerr.MBadJSON,
		replace(`"forwarded_count":2`, `"forwarded_count":null`):                 mxerr.MBadJSON,
		replace(`"is_verified":true`, `"is_verified":"true"`):                    mxerr.MBadJSON,
		`[]`:  mxerr.MBadJSON,
		`"x"`: mxerr.MBadJSON,
	} {
		for path, body := range map[string]string{
			"":      `{"rooms":{"!s":{"sessions":{"1":` + good + `,"2":` + key + `}}}}`,
			"/!s":   `{"sessions":{"1":` + good + `,"2":` + key + `}}`,
			"/!s/2": key,
		} {
			want(t, do(s, "PUT", roomKeysPath+path+"?version="+first, token, body), 400, code)
		}
	}
	for path, body := range map[string]string{
		"": `{"rooms":[]}`, "?": `{"rooms":{"!s":{}}}`, "??": `{}`, "/!s": `{}`, "/!s?": `{"sessions":[]}`, "???": `{"rooms":{"!s":{"sessions":{"1":1}}}}`,
	} {
		w := do(s, "PUT", roomKeysPath+strings.TrimRight(path, "?")+"?version="+first, token, body)
		if code := mxerr.Code(field(w, "errcode")); w.Code != 400 || code != mxerr.MBadJSON && code != mxerr.MMissingParam {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	want(t, do(s, "PUT", roomKeysPath+"/!s?version="+first, token, `{"sessions":{`+many(2001, `"%d":`+good)+`}}`), 413, mxerr.MTooLarge)
	if after, _ := s.backupState(t, token, first); after != etag {
		t.Error("something of the refused requests is stored")
	}
	for path := range bodies {
		want(t, do(s, "GET", roomKeysPath+path+"?version="+first, "", ""), 401, mxerr.MMissingToken)
	}
	want(t, do(s, "GET", versionPath, "", ""), 401, mxerr.MMissingToken)
}

// KB-26, KB-20: uploads at once, of 200 sessions each, are counted right.
func TestBackupAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	version := s.newBackup(t, token)
	const uploads = 8
	var wg sync.WaitGroup
	for i := range uploads {
		wg.Go(func() { // half of them bring the same sessions
			body := `{"rooms":{"!r":{"sessions":{` + many(200, fmt.Sprintf(`"%d-%%d":`, i/2)+sessionKey(0, 0, false, "x")) + `}}}}`
			if w := do(s, "PUT", roomKeysPath+"?version="+version, token, body); w.Code != 200 {
				t.Errorf("status %d: %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	etag, count := s.backupState(t, token, version)
	if count != uploads/2*200 || etag != strconv.Itoa(uploads/2) {
		t.Errorf("count %d, etag %s", count, etag)
	}
}

// DEV-23, DEV-29: backups go with the account; a suspended user can still write them.
func TestBackupAndAccount(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	s.change(t, alice, func(u *store.User) { u.Suspended = true })
	version := s.newBackup(t, token)
	want(t, do(s, "PUT", roomKeysPath+"/!r/1?version="+version, token, sessionKey(0, 0, true, "x")), 200, "")
	want(t, do(s, "POST", crossSigningPath, token, newPerson(alice, "").all(t)), 200, "")
	s.upload(t, token, `{"device_keys":`+deviceKeys(t, alice, "PHONE", "")+`}`)
	want(t, do(s, "POST", deactivatePath, token, `{`+withPassword("alice", "alice", "")+`}`), 200, "")
	err := s.store.View(t.Context(), func(v store.View) error {
		if _, err := v.LatestBackup(alice); err == nil {
			t.Error("the backup is still there")
		}
		if sessions, err := v.BackupSessions(alice, 1, ""); err != nil || len(sessions) != 0 {
			t.Errorf("the backup's keys are still there: %v, %v", sessions, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	bobs := s.signUp(t, "bob")
	got := s.queried(t, bobs)
	if in(got, "master_keys", string(alice)).Exists() || in(got, "device_keys", string(alice)).Raw != `{}` {
		t.Errorf("the keys are still there: %s", got.Raw)
	}
}
