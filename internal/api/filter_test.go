package api

import (
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// FILT-1, FILT-2: what was stored is read back; unknown keys (FILT-7) are part of it.
func TestFilters(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	for _, version := range []string{"v3", "r0"} {
		path := "/_matrix/client/" + version + "/user/@alice:example.org/filter"
		for _, definition := range []string{
			`{}`,
			`{"room":{"timeline":{"limit":10,"types":["m.room.*"],"not_senders":["@spam:example.org"]},"rooms":["!a:example.org"]},` +
				`"event_format":"client","event_fields":["type","content.body"],"org.example.x":[1,null]}`,
		} {
			w := do(s, "POST", path, token, definition)
			wantKeys(t, w, 200, "filter_id")
			if id := field(w, "filter_id"); id == "" || strings.HasPrefix(id, "{") {
				t.Errorf("filter ID %q", id)
			}
			wantJSON(t, do(s, "GET", path+"/"+field(w, "filter_id"), token, ""), 200, definition)
		}
	}
}

// FILT-4: identical definitions share an ID.
func TestFilterIDs(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	token := s.signUp(t, "alice")
	post := func(definition string) string {
		return field(do(s, "POST", aliceData+"/filter", token, definition), "filter_id")
	}
	first := post(`{"event_format":"client","room":{"timeline":{"limit":5}}}`)
	if again := post(` {"room": {"timeline":{"limit":5}}, "event_format":"client"}`); again != first {
		t.Errorf("the same definition has the IDs %q and %q", first, again)
	}
	if other := post(`{"event_format":"client","room":{"timeline":{"limit":6}}}`); other == first {
		t.Errorf("different definitions have the ID %q", other)
	}
}

// Whose filters, and which: FILT-1, FILT-2, FILT-5, AUTH-8.
func TestFilterRefusals(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	alice, bob := s.signUp(t, "alice"), s.signUp(t, "bob")
	w := do(s, "POST", aliceData+"/filter", alice, `{"room":{}}`)
	mine := "/" + field(w, "filter_id")
	for name, test := range map[string]struct {
		method, path, token, body string
		status                    int
		code                      mxerr.Code
	}{
		"no token":                       {"POST", "", "", `{}`, 401, mxerr.MMissingToken},
		"FILT-1 for another user":        {"POST", "", bob, `{}`, 403, mxerr.MForbidden},
		"FILT-2 of another user":         {"GET", mine, bob, ``, 403, mxerr.MForbidden},
		"FILT-2 unknown":                 {"GET", "/4711", alice, ``, 404, mxerr.MNotFound},
		"FILT-2 no number":               {"GET", "/x", alice, ``, 404, mxerr.MNotFound},
		"FILT-5 room is no object":       {"POST", "", alice, `{"room":"x"}`, 400, mxerr.MBadJSON},
		"FILT-5 timeline is no object":   {"POST", "", alice, `{"room":{"timeline":[]}}`, 400, mxerr.MBadJSON},
		"FILT-5 types is no list":        {"POST", "", alice, `{"presence":{"types":"x"}}`, 400, mxerr.MBadJSON},
		"FILT-5 type is no string":       {"POST", "", alice, `{"account_data":{"types":[1]}}`, 400, mxerr.MBadJSON},
		"FILT-5 flag is no boolean":      {"POST", "", alice, `{"room":{"include_leave":"yes"}}`, 400, mxerr.MBadJSON},
		"FILT-5 no room ID":              {"POST", "", alice, `{"room":{"rooms":["room"]}}`, 400, mxerr.MBadJSON},
		"FILT-5 no user ID":              {"POST", "", alice, `{"room":{"timeline":{"senders":["alice"]}}}`, 400, mxerr.MBadJSON},
		"FILT-1 no object":               {"POST", "", alice, `[]`, 400, mxerr.MBadJSON},
		"FILT-1 no JSON":                 {"POST", "", alice, `{`, 400, mxerr.MNotJSON},
		"a filter larger than 64 KiB":    {"POST", "", alice, `{"x":"` + strings.Repeat("x", 64<<10) + `"}`, 413, mxerr.MTooLarge},
		"FILT-2 malformed ID in the URL": {"GET", "/%ff", alice, ``, 400, mxerr.MInvalidParam},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want(t, do(s, test.method, aliceData+"/filter"+test.path, test.token, test.body), test.status, test.code)
		})
	}
}
