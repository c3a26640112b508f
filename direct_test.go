package homeserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/tidwall/gjson"
)

// direct asks a server without a network between.
type direct struct {
	testing.TB
	srv *homeserver.Server
}

// newDirect makes a server over a file.
func newDirect(b testing.TB, file string, options ...homeserver.Option) *direct {
	st, err := sqlite.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	srv, err := homeserver.New("example.org", append(options, homeserver.WithStore(st), homeserver.WithRegistration(homeserver.RegistrationOpen),
		homeserver.WithoutRateLimits(), homeserver.WithInsecurePasswordHashing(), homeserver.WithoutPresence())...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { srv.Close() })
	return &direct{b, srv}
}

// do sends a request that must succeed.
func (d *direct) do(method, path, token, body string) []byte {
	r := httptest.NewRequest(method, "/_matrix/client"+path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := &kept{header: http.Header{}}
	d.srv.ServeHTTP(w, r)
	if w.status != http.StatusOK {
		d.Fatalf("%s %s: %d %s", method, path, w.status, w.body)
	}
	return w.body
}

// post sends what must succeed.
func (d *direct) post(path, token, body string) gjson.Result {
	return gjson.ParseBytes(d.do("POST", path, token, body))
}

func (d *direct) get(path, token string) []byte { return d.do("GET", path, token, "") }

// kept is an answer as it was written, without a copy of what may be large.
type kept struct {
	header http.Header
	status int
	body   []byte
}

func (k *kept) Header() http.Header    { return k.header }
func (k *kept) WriteHeader(status int) { k.status = status }

func (k *kept) Write(b []byte) (int, error) {
	if k.body == nil {
		k.body = b
	} else {
		k.body = append(k.body, b...)
	}
	return len(b), nil
}

// user registers a user and returns the token.
func (d *direct) user(name string) string {
	return d.post("/v3/register", "", fmt.Sprintf(`{"auth":{"type":"m.login.dummy"},"username":%q,"password":"p"}`, name)).Get("access_token").Str
}

func (d *direct) room(token string) string {
	return d.post("/v3/createRoom", token, `{"preset":"public_chat"}`).Get("room_id").Str
}
