package presence

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

const alice = events.UserID("@alice:test")

// PRES-6: who has gone becomes offline, though the store may be out of order right then.
func TestOfflineAfterAFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, err := sqlite.Memory()
		if err != nil {
			t.Fatal(err)
		}
		defer inner.Close() //nolint:errcheck // in memory
		st := storetest.Faulty(inner)
		s := New(Config{Memory: live.New(st, live.DefaultLimit, time.Now), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
		defer s.Close()
		done, err := s.Sync(t.Context(), alice, "PHONE", Online)
		if err != nil {
			t.Fatal(err)
		}
		done()
		st.FailAt(1, errors.New("the disk is full"))
		expect := func(when string, want State) {
			t.Helper()
			synctest.Wait()
			if p, _ := s.Of(alice); p.State != want {
				t.Errorf("%s: %v, want %v", when, p.State, want)
			}
		}
		time.Sleep(Grace + time.Second)
		expect("while the store is out of order", Online)
		time.Sleep(retryAfter)
		expect("after that", Offline)
	})
}

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
		done = sync(Online)
		sync(Offline)()
		expect("syncing unseen beside", Online)
		done()
		// What is known of those who are long gone is forgotten.
		time.Sleep(Grace + forgetAfter - time.Second)
		if _, known := s.Of(alice); !known {
			t.Error("forgotten before its time")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, known := s.Of(alice); known || len(s.users) > 0 || s.recent.Len() > 0 {
			t.Errorf("%d are known, %d of them in order", len(s.users), s.recent.Len())
		}
		// A clock that is set back does not bring activity of the future.
		ahead := Presence{User: alice, State: Unavailable, LastActive: time.Now().Add(time.Hour)}
		if got := string(s.AppendJSON(nil, ahead)); !strings.Contains(got, `"last_active_ago":0,`) {
			t.Errorf("after the clock was set back: %s", got)
		}
		// PRES-9: nothing is announced while somebody stays online.
		defer sync(Online)()
		synctest.Wait()
		before, _ := s.Of(alice)
		time.Sleep(time.Minute)
		if err := s.Active(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		time.Sleep(7 * time.Second) // whoever asks is told how long ago it was right then
		if got, err := s.Status(t.Context(), alice, alice); err != nil || string(got) != `{"currently_active":true,"last_active_ago":7000,"presence":"online"}` {
			t.Errorf("after seven seconds: %s, %v", got, err)
		}
		after, _ := s.Of(alice)
		if after.Pos != before.Pos || !after.LastActive.After(before.LastActive) {
			t.Errorf("activity was announced at %d after %d", after.Pos, before.Pos)
		}
	})
}
