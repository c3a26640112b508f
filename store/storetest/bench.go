package storetest

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Bench measures a new, empty store at what the server does most. Figures of
// "append" are per event, with its commit shared among those that write at
// once.
func Bench(b *testing.B, open func(b *testing.B) store.Store) {
	for _, n := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("append/writers=%d", n), func(b *testing.B) { benchAppend(b, open(b), n) })
	}
	b.Run("read", func(b *testing.B) {
		st := open(b)
		room := benchRoom(b, st)
		defer closeBench(b, st)
		reads := []struct {
			name string
			fn   func(v store.View) error
		}{
			{"nothing", func(store.View) error { return nil }},
			{"position", func(v store.View) error { v.Position(); return nil }},
			{"user", func(v store.View) error { _, err := v.User(alice); return err }},
			{"event", func(v store.View) error { _, err := v.Event("$bench100"); return err }},
			{"page of 100", func(v store.View) error { _, err := v.TimelineBefore(room, store.MaxPos, 0, 100); return err }},
			{"100 events", func(v store.View) error { _, err := v.EventsAt(benchPositions); return err }},
			{"state now", func(v store.View) error { _, err := v.StateAt(room, store.MaxPos, true); return err }},
			{"state without members", func(v store.View) error { _, err := v.StateAt(room, store.MaxPos, false); return err }},
			{"state then", func(v store.View) error { _, err := v.StateAt(room, 300, true); return err }},
			{"one state event", func(v store.View) error {
				_, err := v.StateEventAt(room, store.MaxPos, events.StateKey{Type: events.TypeMember, Key: "@member7:example.org"})
				return err
			}},
			{"20 state events", func(v store.View) error { _, err := v.StateEventsAt(room, store.MaxPos, benchKeys); return err }},
			{"no changes", func(v store.View) error { _, err := v.StateChanges(room, 1000, store.MaxPos); return err }},
		}
		for _, r := range reads {
			b.Run(r.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := st.View(b.Context(), r.fn); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run("user, from all processors", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := st.View(b.Context(), reads[2].fn); err != nil {
						b.Error(err)
					}
				}
			})
		})
	})
}

var (
	benchPositions = func() (ps []store.Pos) {
		for p := range store.Pos(100) {
			ps = append(ps, 350+p)
		}
		return ps
	}()
	benchKeys = func() (keys []events.StateKey) {
		for i := range 20 {
			keys = append(keys, events.StateKey{Type: events.TypeMember, Key: fmt.Sprintf("@member%d:example.org", i*10)})
		}
		return keys
	}()
)

// benchEvent makes a message of the size that clients send: 600 bytes in all.
func benchEvent(id events.EventID) *events.Event {
	raw := fmt.Appendf(nil, `{"auth_events":["$%s","$%s","$%s"],"content":{"body":%q,"msgtype":"m.text"},"depth":120,"hashes":{"sha256":"%s"},`+
		`"origin_server_ts":1700000000000,"prev_events":["$%s"],"room_id":"!%s","sender":%q,"type":"m.room.message"}`,
		filler, filler, filler, strings.Repeat("words ", 16), filler, filler, filler, alice)
	return &events.Event{ID: id, Type: "m.room.message", Sender: alice, Raw: raw}
}

var filler = strings.Repeat("0123456789", 5)[:43]

// benchAppend has n writers, each sending to a room of its own.
func benchAppend(b *testing.B, st store.Store, n int) {
	defer closeBench(b, st)
	rooms := make([]store.RoomNum, n)
	err := st.Update(b.Context(), func(tx store.Tx) (err error) {
		for i := range rooms {
			if rooms[i], err = tx.CreateRoom(store.Room{ID: events.RoomID(fmt.Sprint("!", i))}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for w, room := range rooms {
		wg.Go(func() {
			for i := 0; left.Add(-1) >= 0; i++ {
				ev := benchEvent(events.EventID(fmt.Sprintf("$%s%d-%d", filler[:32], w, i)))
				err := st.Update(b.Context(), func(tx store.Tx) error {
					return tx.Append(store.Append{
						Pos: tx.Next(), Room: room, Event: ev,
						Txn: store.Txn{Device: "ABCDEFGHIJ", ID: fmt.Sprintf("m1700000000.%d", i), Path: "send"},
					})
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
}

// benchRoom makes a room of 300 members and 500 messages.
func benchRoom(b *testing.B, st store.Store) (room store.RoomNum) {
	b.Helper()
	err := st.Update(b.Context(), func(tx store.Tx) (err error) {
		if err = tx.CreateUser(store.User{ID: alice}); err != nil {
			return err
		}
		if room, err = tx.CreateRoom(store.Room{ID: "!bench"}); err != nil {
			return err
		}
		for i := range 10 {
			if _, err = add(tx, room, stateEvent(fmt.Sprintf("m.room.bench%d", i), "", "x")); err != nil {
				return err
			}
		}
		for i := range 300 {
			if _, err = add(tx, room, stateEvent(events.TypeMember, fmt.Sprintf("@member%d:example.org", i), "join")); err != nil {
				return err
			}
		}
		for i := range 500 {
			if _, err = add(tx, room, benchEvent(events.EventID(fmt.Sprint("$bench", i)))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return room
}

func closeBench(b *testing.B, st store.Store) {
	if err := st.Close(); err != nil {
		b.Error(err)
	}
}
