package room

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// A page of the directory costs as much as it has entries; a search that finds
// nothing looks at all rooms.
func BenchmarkDirectory(b *testing.B) {
	const rooms = 5000
	st, err := sqlite.Open(filepath.Join(b.TempDir(), "bench.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	err = st.Update(b.Context(), func(tx store.Tx) error {
		for i := range rooms {
			err := tx.PutListing(store.ServerList, store.Listing{
				Room: store.RoomNum(i + 2), Joined: int64(i % 300),
				Search: fmt.Sprintf("room number %d\nwhat people say who have nothing to say, and how they say it\n#room%d:example.org", i, i),
				Entry:  fmt.Appendf(nil, `{"room_id":"!room%d:example.org","num_joined_members":%d,"name":"Room number %d"}`, i, i%300, i),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	s := New(Config{Memory: live.New(st, live.DefaultLimit, time.Now), Server: "example.org"})
	limit := int64(20)
	for name, q := range map[string]DirectoryQuery{
		"page":    {Limit: &limit},
		"middle":  {Limit: &limit, Since: "n150-2500"},
		"found":   {Limit: &limit, Search: "number 77"},
		"nothing": {Limit: &limit, Search: "beer"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Directory(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
