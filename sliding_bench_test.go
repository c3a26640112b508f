package homeserver_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// elementState is what clients of the kind of Element X ask for (CLIENT-21).
const elementState = `[["m.room.member","$LAZY"],["m.room.member","$ME"],["m.room.name",""],["m.room.avatar",""],["m.room.topic",""],
	["m.room.canonical_alias",""],["m.room.encryption",""],["m.room.power_levels",""],["m.room.join_rules",""],
	["m.room.history_visibility",""],["m.room.create",""],["m.room.tombstone",""],["m.room.pinned_events",""],
	["io.element.functional_members",""],["org.matrix.msc3401.call.member","*"],["m.space.parent","*"],["m.space.child","*"]]`

// BenchmarkSlidingSync measures the room list of a client of the kind of Element X,
// without the network, with the data on disk, for somebody in few and in many rooms:
// the first window of twenty rooms, with and without a filter; what a change in one
// room costs when the list has all of them; and an answer with nothing in it.
func BenchmarkSlidingSync(b *testing.B) {
	for _, rooms := range []int{50, 5000} {
		b.Run(fmt.Sprint("rooms=", rooms), func(b *testing.B) { benchmarkSliding(b, rooms) })
	}
}

func benchmarkSliding(b *testing.B, rooms int) {
	file := filepath.Join(b.TempDir(), "bench.db")
	st, err := sqlite.Open(file)
	if err != nil {
		b.Fatal(err)
	}
	hs := homeservertest.New(b, homeserver.WithStore(st))
	alice, bob := hs.User(b, "alice"), hs.User(b, "bob")
	ids := make(chan events.RoomID, rooms)
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			for i := worker; i < rooms; i += 16 {
				id := alice.CreateRoom(b, map[string]any{"name": fmt.Sprint("Room ", i)})
				alice.Say(b, id, "Would you like a cup of tea, or rather coffee?")
				ids <- id
			}
		})
	}
	wg.Wait()
	room := <-ids
	alice.Invite(b, room, bob.User)
	bob.Join(b, room)

	ask := func(b *testing.B, hs http.Handler, pos, ranges, filters string) (string, []byte) {
		b.Helper()
		body := fmt.Sprintf(`{"conn_id":"room-list","lists":{"all_rooms":{"ranges":[%s],"timeline_limit":1,"required_state":%s,"filters":%s}},
			"extensions":{"account_data":{"enabled":true},"receipts":{"enabled":true},"typing":{"enabled":true}}}`, ranges, elementState, filters)
		path := "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"
		if pos != "" {
			path += "?pos=" + pos
		}
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+alice.Token)
		w := httptest.NewRecorder()
		hs.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
		return gjson.GetBytes(w.Body.Bytes(), "pos").Str, w.Body.Bytes()
	}
	for name, filters := range map[string]string{"first": "{}", "first filtered": `{"not_room_types":["m.space"],"is_invite":false,"tags":["u"]}`} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ask(b, hs, "", "[0,19]", filters)
			}
		})
	}
	for _, list := range []struct{ name, ranges string }{{"window", "[0,19]"}, {"all", fmt.Sprintf("[0,%d]", rooms)}} {
		b.Run("change in "+list.name, func(b *testing.B) {
			pos, _ := ask(b, hs, "", list.ranges, "{}")
			pos, _ = ask(b, hs, pos, list.ranges, "{}")
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				bob.Say(b, room, "hello")
				b.StartTimer()
				var answer []byte
				if pos, answer = ask(b, hs, pos, list.ranges, "{}"); len(gjson.GetBytes(answer, "rooms").Map()) != 1 {
					b.Fatalf("%s", answer)
				}
			}
		})
		b.Run("nothing in "+list.name, func(b *testing.B) {
			pos, _ := ask(b, hs, "", list.ranges, "{}")
			b.ReportAllocs()
			for b.Loop() {
				pos, _ = ask(b, hs, pos, list.ranges, "{}")
			}
		})
	}
	if err := hs.Close(); err != nil { // two servers don't share a file
		b.Fatal(err)
	}
	b.Run("first after start", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			again, err := sqlite.Open(file)
			if err != nil {
				b.Fatal(err)
			}
			srv, err := homeserver.New(homeservertest.Name, homeserver.WithStore(again), homeserver.WithLogger(slog.New(slog.DiscardHandler)))
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			ask(b, srv, "", "[0,19]", "{}")
			b.StopTimer()
			if err := srv.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}
