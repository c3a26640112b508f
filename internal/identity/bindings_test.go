package identity

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// server is an identity server. It answers every request alike.
type server struct {
	status int
	answer string

	request *http.Request
	body    []byte
}

// serve makes it the trusted one of bindings, whose key is public.
func (s *server) serve(t *testing.T) (Bindings, string, ed25519.PublicKey) {
	t.Helper()
	host := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.request = r
		s.body, _ = io.ReadAll(r.Body)
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.answer)
	}))
	t.Cleanup(host.Close)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(host.URL, "https://")
	return Bindings{host.Client(), []string{name}, &events.Signer{Server: "example.org", KeyID: "ed25519:1", Key: private}}, name, public
}

// 3PID-4: what is asked, in the user's name, and what comes back.
func TestBind(t *testing.T) {
	t.Parallel()
	s := &server{200, `{"medium":"email","address":"a@example.org","mxid":"@alice:example.org"}`, nil, nil}
	b, name, _ := s.serve(t)
	medium, address, err := b.Bind(t.Context(), name, "t0ken", "@alice:example.org", "s1d", "s3cret")
	if medium != "email" || address != "a@example.org" || err != nil {
		t.Errorf("bound %s %s, %v", medium, address, err)
	}
	if s.request.Method != "POST" || s.request.URL.Path != "/_matrix/identity/v2/3pid/bind" || s.request.Header.Get("Authorization") != "Bearer t0ken" ||
		string(s.body) != `{"client_secret":"s3cret","mxid":"@alice:example.org","sid":"s1d"}` {
		t.Errorf("%s %s %v %s", s.request.Method, s.request.URL, s.request.Header, s.body)
	}
}

// 3PID-5: in the homeserver's name, with its signature.
func TestUnbind(t *testing.T) {
	t.Parallel()
	s := &server{200, `{}`, nil, nil}
	b, name, key := s.serve(t)
	if err := b.Unbind(t.Context(), "@alice:example.org", "email", "a@example.org", name); err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile(`^X-Matrix origin="example.org",destination="(.+)",key="ed25519:1",sig="(.+)"$`).FindStringSubmatch(s.request.Header.Get("Authorization"))
	if parts == nil || parts[1] != name || s.request.URL.Path != "/_matrix/identity/v2/3pid/unbind" {
		t.Fatalf("%s %v", s.request.URL, s.request.Header)
	}
	signed := fmt.Appendf(nil, `{"method":"POST","uri":"/_matrix/identity/v2/3pid/unbind","origin":"example.org","destination":%q,"content":%s,"signatures":{"example.org":{"ed25519:1":%q}}}`,
		name, s.body, parts[2])
	if err := events.VerifyJSON(signed, "example.org", "ed25519:1", key); err != nil {
		t.Error(err)
	}
	if want := []byte(`{"mxid":"@alice:example.org","threepid":{"address":"a@example.org","medium":"email"}}`); !bytes.Equal(s.body, want) {
		t.Errorf("body %s", s.body)
	}
}

// 3PID-4, 3PID-9: errors of the server are passed on, what is no Matrix error is a fault, and others are not asked.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		answer string
		code   mxerr.Code // empty: a fault
	}{
		"a Matrix error":    {403, `{"errcode":"M_SESSION_NOT_VALIDATED","error":"not yet"}`, "M_SESSION_NOT_VALIDATED"},
		"another error":     {502, `<html>`, ""},
		"a broken error":    {400, `{"errcode":"M_X"`, ""},
		"no address":        {200, `{}`, ""},
		"a redirect":        {300, `{"errcode":"M_X","error":"x"}`, ""},
		"unbinding unknown": {404, `{"errcode":"M_UNRECOGNIZED","error":"no"}`, mxerr.MUnrecognized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{tt.status, tt.answer, nil, nil}
			b, host, _ := s.serve(t)
			_, _, err := b.Bind(t.Context(), host, "t", "@alice:example.org", "s", "s")
			var refused *mxerr.Error
			if errors.As(err, &refused) != (tt.code != "") || refused != nil && (refused.Code != tt.code || refused.Status != tt.status) || err == nil {
				t.Errorf("got %v", err)
			}
		})
	}
	s := &server{200, `{}`, nil, nil}
	b, _, _ := s.serve(t)
	_, _, err := b.Bind(t.Context(), "other.example", "t", "@alice:example.org", "s", "s")
	if err2 := b.Unbind(t.Context(), "@alice:example.org", "email", "a", "other.example"); !errors.Is(err, mxerr.MServerNotTrusted) || !errors.Is(err2, mxerr.MServerNotTrusted) || s.request != nil {
		t.Errorf("another server: %v, %v", err, err2)
	}
}
