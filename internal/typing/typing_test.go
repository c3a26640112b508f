package typing

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

// TYP-4: typing ends when its time is up, though the store may be out of order right then.
func TestTypingEndsAfterAFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, err := sqlite.Memory()
		if err != nil {
			t.Fatal(err)
		}
		defer inner.Close() //nolint:errcheck // in memory
		const alice, room = events.UserID("@alice:test"), events.RoomID("!room:test")
		st := storetest.Faulty(inner)
		memory := live.New(st, live.DefaultLimit, time.Now)
		version, _ := events.LookupVersion("10")
		err = memory.Update(t.Context(), func(tx *live.Tx) error {
			d, err := tx.CreateRoom(room, version)
			if err != nil {
				return err
			}
			member := events.Draft{Room: room, Sender: alice, Type: events.TypeMember, StateKey: new(string(alice)), Content: []byte(`{"membership":"join"}`), Depth: 1}
			e, err := version.Build(member, "test", nil)
			if err == nil {
				_, err = tx.Append(d, e, store.Txn{})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(t.Context(), memory, time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Set(t.Context(), alice, room, true, time.Second); err != nil {
			t.Fatal(err)
		}
		expect := func(when string, want ...events.UserID) {
			t.Helper()
			synctest.Wait()
			if users, _ := s.In(room); !slices.Equal(users, want) {
				t.Errorf("%s: %v type, want %v", when, users, want)
			}
		}
		expect("at first", alice)
		st.FailAt(1, errors.New("the disk is full"))
		time.Sleep(2 * time.Second)
		expect("while the store is out of order", alice)
		time.Sleep(retryAfter)
		expect("after that")
	})
}
