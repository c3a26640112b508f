package todevice_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/todevice"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

var errDisk = errors.New("disk on fire")

type sleepers struct{}

func (sleepers) UserChanged(events.UserID, store.Pos) {}

func newService(st store.Store) *todevice.Service {
	return todevice.New(todevice.Config{Store: st, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }, Waker: sleepers{}})
}

// addUsers makes users with a device each.
func addUsers(tb testing.TB, st store.Store, n int) (all map[string]map[string]json.RawMessage) {
	tb.Helper()
	all = make(map[string]map[string]json.RawMessage)
	err := st.Update(tb.Context(), func(tx store.Tx) error {
		for i := range n {
			user := fmt.Sprintf("@u%d:example.org", i)
			all[user] = map[string]json.RawMessage{"PHONE": json.RawMessage(`{"algorithm":"m.olm.v1.curve25519-aes-sha2","ciphertext":{}}`)}
			if err := tx.PutDevice(store.Device{User: events.UserID(user), ID: "PHONE"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// TD-2, TD-13: wherever the storage gives up, either everybody gets the message
// or nobody, and the repeated request sends it once.
func TestFaults(t *testing.T) {
	t.Parallel()
	inner, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	st := storetest.Faulty(inner)
	defer st.Close() //nolint:errcheck // nothing is left to be lost
	s := newService(st)
	all := addUsers(t, st, 3)
	got := func() (messages int) {
		err := st.View(t.Context(), func(v store.View) error {
			for user := range all {
				m, err := v.ToDevice(events.UserID(user), "PHONE", 0, store.MaxPos, 10)
				if err != nil {
					return err
				}
				messages += len(m)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return messages
	}
	send := func() error {
		return s.Send(t.Context(), todevice.Messages{Sender: "@u0:example.org", Device: "PHONE", Type: "x", TxnID: "1", Content: all})
	}
	n := 1
	for ; ; n++ {
		st.FailAt(n, errDisk)
		err := send()
		if err == nil {
			break
		}
		st.FailAt(0, nil)
		if sent := got(); !errors.Is(err, errDisk) || sent != 0 {
			t.Fatalf("call %d: %v, and %d messages", n, err, sent)
		}
	}
	st.FailAt(0, nil)
	if err := send(); err != nil || got() != len(all) || n < 6 {
		t.Errorf("%d messages after %d calls, %v", got(), n, err)
	}
}

// BenchmarkSend is a room key for 250 devices, which is what a client sends at
// once.
func BenchmarkSend(b *testing.B) {
	st, err := sqlite.Open(filepath.Join(b.TempDir(), "chat.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close() //nolint:errcheck // the figures are there
	s := newService(st)
	all := addUsers(b, st, 250)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		m := todevice.Messages{Sender: "@u0:example.org", Device: "PHONE", Type: "m.room.encrypted", TxnID: fmt.Sprint(n), Content: all}
		if err := s.Send(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}
