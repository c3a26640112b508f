package homeserver_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
)

// One message in one of very many rooms: a sync costs for the change, not for the
// rooms.
func BenchmarkIncrementalSync(b *testing.B) {
	for _, rooms := range []int{60, 2000, 5000} {
		b.Run(fmt.Sprint(rooms, " rooms"), func(b *testing.B) {
			d := newDirect(b, filepath.Join(b.TempDir(), "bench.db"))
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

// One message in a room of a hundred members, of whom each gets it in a sync: what a
// delivery costs beside HTTP.
func BenchmarkDelivery(b *testing.B) {
	const members = 100
	d := newDirect(b, filepath.Join(b.TempDir(), "bench.db"))
	alice := d.user("alice")
	room := d.room(alice)
	tokens, since := []string{alice}, make([]string, members)
	for i := range members - 1 {
		tokens = append(tokens, d.user(fmt.Sprint("u", i)))
		d.post(homeservertest.Path("/v3/rooms/{}/join", room), tokens[i+1], `{}`)
	}
	deliver := func() {
		for i, token := range tokens {
			since[i] = gjson.GetBytes(d.get("/v3/sync?since="+since[i], token), "next_batch").Str
		}
	}
	deliver()
	send := homeservertest.Path("/v3/rooms/{}/send/m.room.message", room)
	for _, changes := range []int{1, 20} {
		b.Run(fmt.Sprint(changes, " messages"), func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; n < b.N; n += members {
				b.StopTimer()
				for range changes {
					d.post(send, alice, `{"msgtype":"m.text","body":"hello"}`)
				}
				b.StartTimer()
				deliver()
			}
		})
	}
}

// A first sync of a busy account: with all its rooms in memory, just after a start, and
// with so little memory that they don't fit.
func BenchmarkInitialSync(b *testing.B) {
	const rooms, members = 1000, 50
	file := filepath.Join(b.TempDir(), "bench.db")
	d := newDirect(b, file)
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
	d = newDirect(b, file, homeserver.WithRoomMemory(24<<20))
	measure("lazy from the store", lazy)
	measure("full with little memory", "")
	measure("lazy with little memory", lazy)
}
