package homeserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// direct asks a server without a network between.
type direct struct {
	testing.TB
	srv *homeserver.Server
}

func newDirect(b *testing.B) *direct {
	srv, err := homeserver.New("example.org", homeserver.WithRegistration(homeserver.RegistrationOpen),
		homeserver.WithoutRateLimits(), homeserver.WithInsecurePasswordHashing(), homeserver.WithoutPresence(), homeserver.WithRoomMemory(256<<20))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { srv.Close() })
	return &direct{b, srv}
}

// do sends a request that must succeed.
func (d *direct) do(method, path, token, body string) gjson.Result {
	r := httptest.NewRequest(method, "/_matrix/client"+path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := &kept{header: http.Header{}}
	d.srv.ServeHTTP(w, r)
	if w.status != http.StatusOK {
		d.Fatalf("%s %s: %d %s", method, path, w.status, w.body)
	}
	return gjson.ParseBytes(w.body)
}

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
	return d.do("POST", "/v3/register", "", fmt.Sprintf(`{"auth":{"type":"m.login.dummy"},"username":%q,"password":"p"}`, name)).Get("access_token").Str
}

func (d *direct) room(token string) string {
	return d.do("POST", "/v3/createRoom", token, `{"preset":"public_chat"}`).Get("room_id").Str
}

// One message in one of very many rooms: a sync costs for the change, not for the
// rooms.
func BenchmarkIncrementalSync(b *testing.B) {
	for _, rooms := range []int{60, 2000, 5000} {
		b.Run(fmt.Sprint(rooms, " rooms"), func(b *testing.B) {
			d := newDirect(b)
			alice, bob := d.user("alice"), d.user("bob")
			var room string
			for range rooms {
				room = d.room(alice)
			}
			d.do("POST", homeservertest.Path("/v3/rooms/{}/join", room), bob, `{}`)
			since := d.do("GET", "/v3/sync", alice, "").Get("next_batch").Str
			send := homeservertest.Path("/v3/rooms/{}/send/m.room.message", room)
			for _, change := range []bool{false, true} {
				b.Run(map[bool]string{false: "empty", true: "one change"}[change], func(b *testing.B) {
					b.ReportAllocs()
					for range b.N {
						if change {
							b.StopTimer()
							d.do("POST", send, bob, `{"msgtype":"m.text","body":"hello"}`)
							b.StartTimer()
						}
						since = d.do("GET", "/v3/sync?since="+since, alice, "").Get("next_batch").Str
					}
				})
			}
		})
	}
}

// A first sync of a busy account.
func BenchmarkInitialSync(b *testing.B) {
	const rooms, members = 1000, 50
	d := newDirect(b)
	alice := d.user("alice")
	var others []string
	for i := range members - 1 {
		others = append(others, d.user(fmt.Sprint("u", i)))
	}
	for range rooms {
		room := d.room(alice)
		for _, u := range others {
			d.do("POST", homeservertest.Path("/v3/rooms/{}/join", room), u, `{}`)
		}
		for range 10 {
			d.do("POST", homeservertest.Path("/v3/rooms/{}/send/m.room.message", room), others[0], `{"msgtype":"m.text","body":"hello"}`)
		}
	}
	d.do("GET", "/v3/sync", alice, "")
	for name, filter := range map[string]string{"full": "", "lazy": "?filter=%7B%22room%22%3A%7B%22state%22%3A%7B%22lazy_load_members%22%3Atrue%7D%7D%7D"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				d.do("GET", "/v3/sync"+filter, alice, "")
			}
		})
	}
}
