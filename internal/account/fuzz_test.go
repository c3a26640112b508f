package account

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// Whatever comes as an identifier is one that is complete, or refused with 400.
func FuzzParseIdentifier(f *testing.F) {
	for _, seed := range []string{
		`{"identifier":{"type":"m.id.user","user":"alice"}}`, `{"user":"alice"}`, `{"medium":"email","address":"a@b"}`,
		`{"identifier":{"type":"m.id.phone","country":"GB","phone":"07"}}`, `{"identifier":null,"user":1}`, `[]`, `{"identifier":[]}`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		id, err := ParseIdentifier(json.RawMessage(body))
		var refused *mxerr.Error
		if err != nil && (!errors.As(err, &refused) || refused.Status != 400) {
			t.Errorf("got %v", err)
		}
		if err == nil && id.check() != nil {
			t.Errorf("%+v is incomplete", id)
		}
	})
}

// What is not sealed by this server for this purpose is not opened.
func FuzzOpen(f *testing.F) {
	s := newTestService(f, InsecureCost())
	sealed, err := s.sealer.seal(f.Context(), "one", map[string]string{"a": "b"})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{sealed, sealed + "A", sealed[1:], "", "e30", "!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var value map[string]string
		if err := s.sealer.open(t.Context(), "two", text, &value); !errors.Is(err, errUnsealed) {
			t.Errorf("opened for another purpose: %v", err)
		}
		switch err := s.sealer.open(t.Context(), "one", text, &value); {
		case text == sealed && err != nil, text != sealed && err != nil && !errors.Is(err, errUnsealed):
			t.Errorf("%q: %v", text, err)
		case err == nil && value["a"] != "b": // base64 has several spellings of the same
			t.Errorf("%q holds %v", text, value)
		}
	})
}

// A login token goes to a URL of the same place, in one query parameter, and nothing
// is trusted that a browser would take for another host.
func FuzzRedirect(f *testing.F) {
	s := newTestService(f, InsecureCost())
	s.PublicURL, s.SSO.Trusted = "https://hs.example.org", []string{"https://app.example.org/element"}
	for _, seed := range []string{
		"https://app.example.org/element", "https://app.example.org/element/?a=b&loginToken=x#c", "https://app.example.org@evil.example/element",
		"https://app.example.org/element/../x", "org.example.app:/x", "javascript:alert(1)", "//app.example.org/element", `https:\\evil.example`, "https://",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, redirect string) {
		if s.CheckRedirect(redirect) != nil {
			return
		}
		before, err := url.Parse(redirect)
		if err != nil {
			t.Fatal(err)
		}
		if s.trusts(redirect) && before.Host != "app.example.org" && before.Host != "hs.example.org" {
			t.Errorf("%q is trusted", redirect)
		}
		to, err := s.withLoginToken(t.Context(), events.UserID("@alice:example.org"), redirect)
		if err != nil {
			t.Fatal(err)
		}
		after, err := url.Parse(to)
		if err != nil || after.Scheme != before.Scheme || after.Host != before.Host || after.Path != before.Path || after.Fragment != before.Fragment {
			t.Errorf("%q became %q, %v", redirect, to, err)
		}
		if n := strings.Count("&"+after.RawQuery, "&loginToken="); n != 1 {
			t.Errorf("%q has %d login tokens", to, n)
		}
	})
}
