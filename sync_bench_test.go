//go:build unix

package homeserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
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

// reportCPU reports the CPU time of what is done until the function that it returns is
// called: unlike the time that passes it says something on a busy machine too.
func reportCPU(b *testing.B) func() {
	start := cpuTime(b)
	return func() { b.ReportMetric(float64((cpuTime(b)-start).Microseconds())/1000/float64(b.N), "cpu-ms/op") }
}

// cpuTime is the CPU time that the process has used.
func cpuTime(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (d *direct) room(token string) string {
	return d.post("/v3/createRoom", token, `{"preset":"public_chat"}`).Get("room_id").Str
}

// One message in one of very many rooms: a sync costs for the change, not for the
// rooms.
func BenchmarkIncrementalSync(b *testing.B) {
	for _, rooms := range []int{60, 2000, 5000} {
		b.Run(fmt.Sprint(rooms, " rooms"), func(b *testing.B) {
			d := newDirect(b, filepath.Join(b.TempDir(), "bench.db"), homeserver.WithRoomMemory(256<<20))
			alice, bob := d.user("alice"), d.user("bob")
			var room string
			for range rooms {
				room = d.room(alice)
			}
			d.post(homeservertest.Path("/v3/rooms/{}/join", room), bob, `{}`)
			since := gjson.GetBytes(d.get("/v3/sync", alice), "next_batch").Str
			send := homeservertest.Path("/v3/rooms/{}/send/m.room.message", room)
			for _, change := range []bool{false, true} {
				b.Run(map[bool]string{false: "empty", true: "one change"}[change], func(b *testing.B) {
					b.ReportAllocs()
					for range b.N {
						if change {
							b.StopTimer()
							d.post(send, bob, `{"msgtype":"m.text","body":"hello"}`)
							b.StartTimer()
						}
						since = gjson.GetBytes(d.get("/v3/sync?since="+since, alice), "next_batch").Str
					}
				})
			}
		})
	}
}

// A first sync of a busy account: with all its rooms in memory, and with the memory
// that a server has by default, into which they don't fit.
func BenchmarkInitialSync(b *testing.B) {
	const rooms, members = 1000, 50
	file := filepath.Join(b.TempDir(), "bench.db")
	d := newDirect(b, file, homeserver.WithRoomMemory(256<<20))
	alice := d.user("alice")
	var others []string
	for i := range members - 1 {
		others = append(others, d.user(fmt.Sprint("u", i)))
	}
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for range rooms / 16 {
				room := d.room(alice)
				for _, u := range others {
					d.post(homeservertest.Path("/v3/rooms/{}/join", room), u, `{}`)
				}
				for range 10 {
					d.post(homeservertest.Path("/v3/rooms/{}/send/m.room.message", room), others[worker], `{"msgtype":"m.text","body":"hello"}`)
				}
			}
		})
	}
	wg.Wait()
	measure := func(name, query string) {
		b.Run(name, func(b *testing.B) {
			d.get("/v3/sync"+query, alice)
			b.ReportAllocs()
			defer reportCPU(b)()
			for b.Loop() {
				b.SetBytes(int64(len(d.get("/v3/sync"+query, alice))))
			}
		})
	}
	const lazy = "?filter=%7B%22room%22%3A%7B%22state%22%3A%7B%22lazy_load_members%22%3Atrue%7D%7D%7D"
	measure("full", "")
	measure("lazy", lazy)
	if err := d.srv.Close(); err != nil {
		b.Fatal(err)
	}
	d = newDirect(b, file)
	measure("lazy from the store", lazy)
	measure("full with little memory", "")
	measure("lazy with little memory", lazy)
}
