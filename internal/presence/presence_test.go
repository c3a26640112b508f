package presence

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

const alice = events.UserID("@alice:test")

// The clock of these tests is synctest's: they end as soon as nothing is left to do.
func TestPresenceChangesWithTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, err := sqlite.Memory()
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close() //nolint:errcheck // in memory
		s := New(Config{Memory: live.New(st, live.DefaultLimit, time.Now), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
		defer s.Close()
		expect := func(what string, want State) {
			t.Helper()
			synctest.Wait()
			if p, _ := s.Of(alice); p.State != want {
				t.Errorf("%s: %v, want %v", what, p.State, want)
			}
		}
		sync := func(state State) func() {
			t.Helper()
			done, err := s.Sync(t.Context(), alice, "PHONE", state)
			if err != nil {
				t.Fatal(err)
			}
			return done
		}
		// PRES-5, PRES-6
		done := sync(Online)
		expect("syncing", Online)
		time.Sleep(4 * time.Minute)
		expect("still syncing", Online)
		// PRES-8
		time.Sleep(2 * time.Minute)
		expect("syncing without doing anything", Unavailable)
		done()
		done = sync(Online)
		expect("syncing on is not doing something", Unavailable)
		// PRES-7
		if err := s.Active(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		expect("after doing something", Online)
		done()
		time.Sleep(Grace - time.Second)
		expect("shortly after the last sync", Online)
		done = sync(Online)
		done()
		time.Sleep(Grace - time.Second)
		expect("between two syncs", Online)
		time.Sleep(2 * time.Second)
		expect("no device syncs", Offline)
		// PRES-5: offline leaves things as they are.
		sync(Offline)()
		expect("syncing unseen", Offline)
		// PRES-9: nothing is announced while somebody stays online.
		defer sync(Online)()
		synctest.Wait()
		before, _ := s.Of(alice)
		time.Sleep(time.Minute)
		if err := s.Active(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		after, _ := s.Of(alice)
		if after.Pos != before.Pos || !after.LastActive.After(before.LastActive) {
			t.Errorf("activity was announced at %d after %d", after.Pos, before.Pos)
		}
	})
}
