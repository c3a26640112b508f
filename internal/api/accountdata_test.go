package api

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const aliceData = "/_matrix/client/v3/user/@alice:example.org"

// AD-1, AD-2, AD-7: objects of any type are kept as they are, replaced and read back.
func TestAccountData(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	for _, base := range []string{
		aliceData + "/account_data/", aliceData + "/rooms/!r:example.org/account_data/",
		aliceData + "/rooms/%21v12room/account_data/",
		"/_matrix/client/r0/user/%40alice%3Aexample.org/account_data/r0.", // API-13
	} {
		for typ, content := range map[string]string{
			"m.direct":               `{"@bob:example.org":["!a:example.org"]}`,
			"m.identity_server":      `{"base_url":null}`,
			"m.accepted_terms":       `{"accepted":["https://example.org/terms"]}`,
			"m.secret_storage.key.x": `{"name":"k","iv":"a+b/c=","n":1.50,"big":9007199254740993}`,
			"m.marked_unread":        `{"unread":true}`,
			"org.example/ä #?:":      `{"a":{"b":[{},[],"",0,-1e3]}}`,
		} {
			path := base + escape(typ)
			want(t, do(s, "GET", path, token, ""), 404, mxerr.MNotFound)
			wantJSON(t, do(s, "PUT", path, token, " "+content+"\n"), 200, `{}`)
			if w := do(s, "GET", path, token, ""); w.Code != 200 || w.Body.String() != content {
				t.Errorf("%s: got %d %s, want %s", path, w.Code, w.Body, content)
			}
			wantJSON(t, do(s, "PUT", path, token, `{"new":1}`), 200, `{}`)
			wantJSON(t, do(s, "GET", path, token, ""), 200, `{"new":1}`)
			wantJSON(t, do(s, "PUT", path, token, `{}`), 200, `{}`) // clears, and is there
			wantJSON(t, do(s, "GET", path, token, ""), 200, `{}`)
		}
	}
}

// escape encodes an event type for a path.
func escape(s string) string {
	return strings.NewReplacer("%", "%25", "/", "%2F", " ", "%20", "#", "%23", "?", "%3F", "ä", "%C3%A4").Replace(s)
}

// AD-5: neither global data nor that of another room stands in for a room's, nor a room's for global data.
func TestAccountDataScopes(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
	const room, other = aliceData + "/rooms/!r:example.org/account_data/", aliceData + "/rooms/!o:example.org/account_data/"
	want(t, do(s, "PUT", aliceData+"/account_data/global", token, `{"of":"global"}`), 200, "")
	want(t, do(s, "PUT", room+"room", token, `{"of":"room"}`), 200, "")
	want(t, do(s, "GET", room+"global", token, ""), 404, mxerr.MNotFound)
	want(t, do(s, "GET", aliceData+"/account_data/room", token, ""), 404, mxerr.MNotFound)
	want(t, do(s, "GET", other+"room", token, ""), 404, mxerr.MNotFound)
	want(t, do(s, "GET", "/_matrix/client/v3/user/@bob:example.org/account_data/global", bob, ""), 404, mxerr.MNotFound)
	wantJSON(t, do(s, "GET", room+"room", token, ""), 200, `{"of":"room"}`)
}

// What may not be done: AD-3, AD-4, AUTH-8, SRC-10.
func TestAccountDataRefusals(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
	const global, room = "/account_data/", "/rooms/!r:example.org/account_data/"
	for name, test := range map[string]struct {
		method, path, token, body string
		status                    int
		code                      mxerr.Code
	}{
		"no token":                 {"GET", global + "a", "", ``, 401, mxerr.MMissingToken},
		"AD-3 read another user's": {"GET", global + "a", bob, ``, 403, mxerr.MForbidden},
		"AD-3 set another user's":  {"PUT", global + "a", bob, `{}`, 403, mxerr.MForbidden},
		"AD-3 in a room, read":     {"GET", room + "a", bob, ``, 403, mxerr.MForbidden},
		"AD-3 in a room, set":      {"PUT", room + "a", bob, `{}`, 403, mxerr.MForbidden},
		"AD-3 bad room ID, set":    {"PUT", "/rooms/r:example.org/account_data/a", alice, `{}`, 400, mxerr.MInvalidParam},
		"AD-3 bad room ID, read":   {"GET", "/rooms/r:example.org/account_data/a", alice, ``, 400, mxerr.MInvalidParam},
		"AD-3 array":               {"PUT", global + "a", alice, `[]`, 400, mxerr.MBadJSON},
		"AD-3 string":              {"PUT", room + "a", alice, `"x"`, 400, mxerr.MBadJSON},
		"AD-3 no JSON":             {"PUT", global + "a", alice, `{`, 400, mxerr.MNotJSON},
		"AD-3 no body":             {"PUT", global + "a", alice, ``, 400, mxerr.MNotJSON},
		"AD-4 fully read":          {"PUT", global + "m.fully_read", alice, `{}`, 405, mxerr.MBadJSON},
		"AD-4 push rules":          {"PUT", global + "m.push_rules", alice, `{}`, 405, mxerr.MBadJSON},
		"AD-4 fully read in room":  {"PUT", room + "m.fully_read", alice, `{}`, 405, mxerr.MBadJSON},
		"AD-4 push rules in room":  {"PUT", room + "m.push_rules", alice, `{}`, 405, mxerr.MBadJSON},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, do(s, test.method, aliceData+test.path, test.token, test.body), test.status, test.code)
		})
	}
	t.Cleanup(func() {
		if len(s.wakes) != 0 {
			t.Errorf("what was refused has woken syncs: %v", s.wakes)
		}
	})
}

// ruleset is an account.PushRules with the same rules for everybody.
type ruleset string

func (r ruleset) Ruleset(context.Context, events.UserID) (json.RawMessage, error) {
	return json.RawMessage(r), nil
}

// AD-4: what has endpoints of its own to be set can be read here.
func TestAccountDataSetElsewhere(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *account.Config) { c.PushRules = ruleset(`{"global":{}}`) })
	token := s.signUp(t, "alice")
	wantJSON(t, do(s, "GET", aliceData+"/account_data/m.push_rules", token, ""), 200, `{"global":{}}`)
	want(t, do(s, "GET", aliceData+"/rooms/!r:example.org/account_data/m.push_rules", token, ""), 404, mxerr.MNotFound)
	err := s.store.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutAccountDatum("@alice:example.org", store.AccountDatum{
			Room: "!r:example.org", Type: "m.fully_read", Content: []byte(`{"event_id":"$1"}`), Pos: tx.Next(),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, do(s, "GET", aliceData+"/rooms/!r:example.org/account_data/m.fully_read", token, ""), 200, `{"event_id":"$1"}`)
}

// Every change takes a position and wakes the user's syncs: what AD-6 needs from here.
func TestAccountDataWakesSyncs(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	before := s.store.Position()
	want(t, do(s, "PUT", aliceData+"/account_data/a", token, `{"n":1}`), 200, "")
	want(t, do(s, "PUT", aliceData+"/rooms/!r:example.org/account_data/b", token, `{"n":2}`), 200, "")
	want(t, do(s, "PUT", aliceData+"/account_data/a", token, `{"n":3}`), 200, "")

	var changes []store.AccountDatum
	err := s.store.View(t.Context(), func(v store.View) (err error) {
		changes, err = v.AccountDataSince("@alice:example.org", before)
		return err
	})
	if err != nil || len(s.wakes) != 3 {
		t.Fatalf("wakes %v, %v", s.wakes, err)
	}
	wanted := []store.AccountDatum{
		{Room: "!r:example.org", Type: "b", Content: []byte(`{"n":2}`), Pos: s.wakes[1].Pos},
		{Type: "a", Content: []byte(`{"n":3}`), Pos: s.wakes[2].Pos},
	}
	if diff := cmp.Diff(wanted, changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	for i, w := range s.wakes {
		if w.User != "@alice:example.org" || i > 0 && w.Pos <= s.wakes[i-1].Pos || w.Pos <= before {
			t.Errorf("wake %d is %v", i, w)
		}
	}
}
