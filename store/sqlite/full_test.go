package sqlite_test

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ca4c8834/homeserver/store"
)

// When the disk is full, Updates fail with SQLite's error and leave nothing,
// reading goes on, and so does writing as soon as there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		if err := b.st.Update(b.Context(), put("before")); err != nil {
			b.Fatal(err)
		}
		b.limitPages(1) // none beyond those in use

		large := strings.Repeat("x", 100_000)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				err := b.st.Update(b.Context(), func(tx store.Tx) error {
					return tx.PutAccountDatum("@a:x", store.AccountDatum{Type: fmt.Sprint("large", i), Content: []byte(large), Pos: tx.Next()})
				})
				if err == nil || !strings.Contains(err.Error(), "full") {
					b.Errorf("error is %v", err)
				}
			})
		}
		wg.Wait()
		b.wantRows("before")

		b.limitPages(1 << 30)
		if err := b.st.Update(b.Context(), put("after")); err != nil {
			b.Error(err)
		}
		b.wantRows("before", "after")
	})
}

// limitPages makes the database full at n pages. No closure may be running.
func (s *spy) limitPages(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		st, err := c.Prepare(fmt.Sprintf("PRAGMA max_page_count = %d", n))
		if err != nil {
			panic(err)
		}
		//lint:ignore SA1019 the simplest of its methods
		if _, err := st.Exec([]driver.Value{}); err != nil {
			panic(err)
		}
		if err := st.Close(); err != nil {
			panic(err)
		}
	}
}

// Every connection syncs each commit to the disk, through a write-ahead log.
func TestDurable(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		b.rows() // opens a reader
		if len(b.conns) < 2 {
			b.Fatalf("%d connections", len(b.conns))
		}
		for _, c := range b.conns {
			for query, want := range map[string]driver.Value{"PRAGMA journal_mode": "wal", "PRAGMA synchronous": int64(2)} {
				rows, err := c.(driver.QueryerContext).QueryContext(b.Context(), query, nil)
				if err != nil {
					b.Fatal(err)
				}
				got := make([]driver.Value, 1)
				if err := rows.Next(got); err != nil {
					b.Fatal(err)
				}
				if got[0] != want {
					b.Errorf("%s is %v, want %v", query, got[0], want)
				}
				if err := rows.Close(); err != nil {
					b.Error(err)
				}
			}
		}
	})
}
