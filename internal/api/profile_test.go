package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const aliceProfile = "/_matrix/client/v3/profile/@alice:example.org"

// PROF-1, PROF-2, PROF-4, PROF-9: fields are set, read without a token, and removed.
func TestProfile(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	wantJSON(t, do(s, "GET", aliceProfile, "", ""), 200, `{"displayname":"alice"}`) // unset ones are absent

	for _, test := range []struct{ name, value string }{
		{"displayname", `"Alice \"☕\" <a>"`},
		{"avatar_url", `"mxc://example.org/abc"`},
		{"m.tz", `"Europe/London"`},
		{"org.example.mood", `{"now":["happy",1.5,null,true]}`}, // PROF-7: any JSON
		{"org.example.none", `null`},                            // PROF-7: stored, not deleted
		{"pronouns-x_1.0", `"they"`},                            // SRC-5
	} {
		body := fmt.Sprintf(`{%q:%s}`, test.name, test.value)
		wantJSON(t, do(s, "PUT", aliceProfile+"/"+test.name, token, body), 200, `{}`)
		wantJSON(t, do(s, "GET", aliceProfile+"/"+test.name, "", ""), 200, body)
	}
	wantJSON(t, do(s, "GET", "/_matrix/client/r0/profile/@alice:example.org", "", ""), 200, `{
		"displayname":"Alice \"☕\" <a>", "avatar_url":"mxc://example.org/abc", "m.tz":"Europe/London",
		"org.example.mood":{"now":["happy",1.5,null,true]}, "org.example.none":null, "pronouns-x_1.0":"they"}`)

	for _, name := range []string{"displayname", "avatar_url", "m.tz", "org.example.none", "never.set"} {
		wantJSON(t, do(s, "DELETE", aliceProfile+"/"+name, token, ""), 200, `{}`)
		want(t, do(s, "GET", aliceProfile+"/"+name, "", ""), 404, mxerr.MNotFound) // PROF-2, SRC-12
	}
	wantJSON(t, do(s, "GET", aliceProfile, "", ""), 200, `{"org.example.mood":{"now":["happy",1.5,null,true]},"pronouns-x_1.0":"they"}`)
}

// API-13: the two fields of r0 are there under r0.
func TestProfileUnderR0(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	const r0 = "/_matrix/client/r0/profile/%40alice%3Aexample.org" // API-7
	for name, value := range map[string]string{"displayname": "A", "avatar_url": "mxc://example.org/a"} {
		wantJSON(t, do(s, "PUT", r0+"/"+name, token, fmt.Sprintf(`{%q:%q,"other":1}`, name, value)), 200, `{}`)
		wantJSON(t, do(s, "GET", r0+"/"+name, "", ""), 200, fmt.Sprintf(`{%q:%q}`, name, value))
	}
}

// CLIENTA-19: an empty name or avatar is one that is not set; what is no MXC URI is taken.
func TestProfileEmptyFields(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	wantJSON(t, do(s, "PUT", aliceProfile+"/avatar_url", token, `{"avatar_url":"http://example.com/a.png"}`), 200, `{}`)
	wantJSON(t, do(s, "GET", aliceProfile+"/avatar_url", "", ""), 200, `{"avatar_url":"http://example.com/a.png"}`)
	wantJSON(t, do(s, "PUT", aliceProfile+"/avatar_url", token, `{"avatar_url":""}`), 200, `{}`)
	want(t, do(s, "GET", aliceProfile+"/avatar_url", "", ""), 404, mxerr.MNotFound)
	wantJSON(t, do(s, "PUT", aliceProfile+"/displayname", token, `{"displayname":""}`), 200, `{}`)
	wantJSON(t, do(s, "GET", aliceProfile, "", ""), 200, `{}`)
}

// PROF-1, PROF-2, PROF-3, ID-13: users who are not here.
func TestProfileOfUnknownUser(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, user := range []string{"@nobody:example.org", "@alice:example.com"} {
		want(t, do(s, "GET", "/_matrix/client/v3/profile/"+user, "", ""), 404, mxerr.MNotFound)
		want(t, do(s, "GET", "/_matrix/client/v3/profile/"+user+"/displayname", "", ""), 404, mxerr.MNotFound)
	}
	want(t, do(s, "GET", "/_matrix/client/v3/profile/alice", "", ""), 400, mxerr.MInvalidParam)
}

// What may not be set: PROF-4 to PROF-9, AUTH-3, AUTH-8.
func TestProfileRefusals(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
	long := strings.Repeat("a", 255)
	for name, test := range map[string]struct {
		method, token, field, body string
		status                     int
		code                       mxerr.Code
	}{
		"PROF-4 no token":                     {"PUT", "", "displayname", `{"displayname":"x"}`, 401, mxerr.MMissingToken},
		"PROF-4, AUTH-8 another user":         {"PUT", bob, "displayname", `{"displayname":"x"}`, 403, mxerr.MForbidden},
		"PROF-9, AUTH-8 another user":         {"DELETE", bob, "displayname", ``, 403, mxerr.MForbidden},
		"PROF-5 reserved name":                {"PUT", alice, "m.mood", `{"m.mood":"x"}`, 400, mxerr.MInvalidParam},
		"PROF-5 capitals":                     {"PUT", alice, "Mood", `{"Mood":"x"}`, 400, mxerr.MInvalidParam},
		"PROF-5 first character":              {"PUT", alice, "1mood", `{"1mood":"x"}`, 400, mxerr.MInvalidParam},
		"PROF-5 other characters":             {"PUT", alice, "org.ex%C3%A4mple", `{"org.exämple":"x"}`, 400, mxerr.MInvalidParam},
		"PROF-9 reserved name":                {"DELETE", alice, "m.mood", ``, 400, mxerr.MInvalidParam},
		"PROF-5 255 bytes":                    {"PUT", alice, long, `{"` + long + `":"x"}`, 200, ""},
		"PROF-5 256 bytes":                    {"PUT", alice, long + "a", `{"` + long + `a":"x"}`, 400, mxerr.MKeyTooLarge},
		"PROF-5 256 bytes, not in the body":   {"PUT", alice, long + "a", `{}`, 400, mxerr.MKeyTooLarge},
		"PROF-5 reserved, not in the body":    {"PUT", alice, "m.mood", `{}`, 400, mxerr.MInvalidParam},
		"PROF-6 the key is missing":           {"PUT", alice, "displayname", `{"name":"x"}`, 400, mxerr.MMissingParam},
		"PROF-6 the key as a path is missing": {"PUT", alice, "org.example.x", `{"org":{"example":{"x":1}}}`, 400, mxerr.MMissingParam},
		"PROF-6 broken JSON":                  {"PUT", alice, "displayname", `{"displayname":`, 400, mxerr.MNotJSON}, // SRC-6
		"PROF-6 no body":                      {"PUT", alice, "displayname", ``, 400, mxerr.MNotJSON},
		"PROF-7 name is no string":            {"PUT", alice, "displayname", `{"displayname":1}`, 400, mxerr.MBadJSON},
		"PROF-7 name is null":                 {"PUT", alice, "displayname", `{"displayname":null}`, 400, mxerr.MBadJSON},
		"PROF-7 avatar is no string":          {"PUT", alice, "avatar_url", `{"avatar_url":{}}`, 400, mxerr.MBadJSON},
		"PROF-7 zone is no string":            {"PUT", alice, "m.tz", `{"m.tz":0}`, 400, mxerr.MBadJSON},
		"PROF-8 a name too long for an event": {"PUT", alice, "displayname", `{"displayname":"` + strings.Repeat("x", 1025) + `"}`, 400, mxerr.MProfileTooLarge},
		"PROF-8 64 KiB":                       {"PUT", alice, "org.example.big", `{"org.example.big":"` + strings.Repeat("x", 65536) + `"}`, 400, mxerr.MProfileTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, do(s, test.method, aliceProfile+"/"+test.field, test.token, test.body), test.status, test.code)
			wantJSON(t, do(s, "GET", aliceProfile+"/displayname", "", ""), 200, `{"displayname":"alice"}`)
		})
	}
}

// PROF-8: it is the whole profile that is limited.
func TestProfileLimit(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	put := func(name string, size, status int, code mxerr.Code) {
		t.Helper()
		body := `{"` + name + `":"` + strings.Repeat("x", size) + `"}`
		want(t, do(s, "PUT", aliceProfile+"/"+name, token, body), status, code)
	}
	put("org.example.a", 40_000, 200, "")
	put("org.example.b", 40_000, 400, mxerr.MProfileTooLarge)
	want(t, do(s, "GET", aliceProfile+"/org.example.b", "", ""), 404, mxerr.MNotFound)
	put("org.example.a", 1, 200, "") // replaces what was there
	put("org.example.b", 40_000, 200, "")
}

// PROF-10, ERR-5, GUEST-4: suspended users change nothing, guests only their name.
func TestProfileOfSuspendedAndGuests(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	if err := s.Accounts.SetSuspended(t.Context(), "@alice:example.org", true); err != nil {
		t.Fatal(err)
	}
	want(t, do(s, "PUT", aliceProfile+"/displayname", token, `{"displayname":"x"}`), 403, mxerr.MUserSuspended)
	want(t, do(s, "DELETE", aliceProfile+"/displayname", token, ""), 403, mxerr.MUserSuspended)
	wantJSON(t, do(s, "GET", aliceProfile, "", ""), 200, `{"displayname":"alice"}`)

	guest := s.signUp(t, "guest")
	s.change(t, "@guest:example.org", func(u *store.User) { u.Guest = true })
	const profile = "/_matrix/client/v3/profile/@guest:example.org"
	want(t, do(s, "PUT", profile+"/displayname", guest, `{"displayname":"x"}`), 200, "")
	want(t, do(s, "PUT", profile+"/avatar_url", guest, `{"avatar_url":"x"}`), 403, mxerr.MGuestAccessForbidden)
	want(t, do(s, "DELETE", profile+"/displayname", guest, ""), 200, "")
}

// A change of name or avatar, and only a change, is passed on to the rooms, which have to show it; other fields are not.
func TestProfileReachesRooms(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	for _, request := range [][2]string{
		{"displayname", `{"displayname":"alice"}`}, // as it is
		{"displayname", `{"displayname":"Alice"}`},
		{"displayname", `{"displayname": "Alice"}`},
		{"m.tz", `{"m.tz":"Europe/London"}`},
		{"org.example.x", `{"org.example.x":"x"}`},
		{"avatar_url", `{"avatar_url":""}`}, // as it is
		{"avatar_url", `{"avatar_url":"mxc://example.org/a"}`},
		{"avatar_url", `{"avatar_url":""}`},
	} {
		want(t, do(s, "PUT", aliceProfile+"/"+request[0], token, request[1]), 200, "")
	}
	want(t, do(s, "DELETE", aliceProfile+"/displayname", token, ""), 200, "")
	want(t, do(s, "DELETE", aliceProfile+"/displayname", token, ""), 200, "")
	const alice = "@alice:example.org"
	wanted := []changedField{{alice, "displayname"}, {alice, "avatar_url"}, {alice, "avatar_url"}, {alice, "displayname"}}
	if diff := cmp.Diff(wanted, s.rooms); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
