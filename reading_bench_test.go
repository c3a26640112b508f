package homeserver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/ca4c8834/homeserver"
	"github.com/ca4c8834/homeserver/homeservertest"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// BenchmarkReading measures what a client waits for when it opens a room, without the
// network, with the data on disk.
func BenchmarkReading(b *testing.B) {
	st, err := sqlite.Open(filepath.Join(b.TempDir(), "bench.db"))
	if err != nil {
		b.Fatal(err)
	}
	hs := homeservertest.New(b, homeserver.WithStore(st))
	alice := hs.User(b, "alice")
	room, ids := longRoom(b, alice, 600)
	for i := range 50 {
		hs.User(b, fmt.Sprint("member", i)).Join(b, room)
	}
	for range 60 {
		ids = append(ids, string(alice.Say(b, room, "Would you like a cup of tea, or rather coffee? There is cake, too.")))
	}
	middle := alice.Get(b, contextPath(room, ids[300], "?limit=0")).Get("start").Str
	path := func(template string, parts ...any) string { return homeservertest.Path(template, parts...) }
	for _, bb := range []struct{ name, path string }{
		{"messages/memory 20", path("/v3/rooms/{}/messages", room) + "?dir=b&limit=20"},
		{"messages/store 100", path("/v3/rooms/{}/messages", room) + "?dir=b&limit=100&from=" + middle},
		{"messages/newest 100", path("/v3/rooms/{}/messages", room) + "?dir=b&limit=100"},
		{"messages/lazy 100", path("/v3/rooms/{}/messages", room) + "?dir=b&limit=100&filter=%7B%22lazy_load_members%22:true%7D&from=" + middle},
		{"state/event", path("/v3/rooms/{}/state/m.room.power_levels/", room)},
		{"state/all", path("/v3/rooms/{}/state", room)},
		{"event/new", path("/v3/rooms/{}/event/{}", room, ids[len(ids)-1])},
		{"event/old", path("/v3/rooms/{}/event/{}", room, ids[20])},
		{"context", contextPath(room, ids[200], "?limit=20&filter=%7B%22lazy_load_members%22:true%7D")},
		{"members", path("/v3/rooms/{}/members", room)},
		{"joined_members", path("/v3/rooms/{}/joined_members", room)},
		{"timestamp", path("/v1/rooms/{}/timestamp_to_event", room) + "?dir=b&ts=99999999999999"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, "/_matrix/client"+bb.path, nil)
				r.Header.Set("Authorization", "Bearer "+alice.Token)
				w := httptest.NewRecorder()
				hs.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
