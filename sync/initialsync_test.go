package sync

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// Who asks for all of their rooms, of which there are more than fit into memory, gets
// them (LEG-6, LEG-3) and drives none from there that is in use.
func TestOldSyncsTakeNoPlaceInMemory(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() //nolint:errcheck // in memory
	const rooms = 8
	memory := live.New(st, live.DefaultLimit, time.Now)
	for i := range rooms {
		newRoom(t, memory, events.RoomID(fmt.Sprintf("!%d:test", i)))
	}
	for name, ask := range map[string]func(s *Service) int64{
		"initialSync": func(s *Service) int64 {
			answer, err := s.InitialSync(t.Context(), InitialRequest{User: alice, Limit: -1})
			if err != nil {
				t.Fatal(err)
			}
			return gjson.GetBytes(answer, "rooms.#").Int()
		},
		"events": func(s *Service) int64 {
			answer, err := s.Events(t.Context(), EventsRequest{User: alice, From: reader.Token(0)})
			if err != nil {
				t.Fatal(err)
			}
			return gjson.GetBytes(answer, `chunk.#(type=="m.room.create")#|#`).Int()
		},
		"each alone": func(s *Service) int64 { // what the test can tell
			for i := range rooms {
				get(t, s.Memory.Room, i)
			}
			return rooms
		},
	} {
		small := live.New(st, 3*2500, time.Now) // for two rooms and a part of one
		s := New(Config{
			Memory: small, Reader: &reader.Reader{Memory: small, Now: time.Now}, Stopping: t.Context(),
			Typing: nobodyTypes{}, ToDevice: silent{}, Presence: silent{},
		})
		used := get(t, small.Room, 0)
		if n := ask(s); n != rooms {
			t.Errorf("%s: %d rooms", name, n)
		}
		if stays := get(t, small.Look, 0) == used; stays == (name == "each alone") {
			t.Errorf("%s: the room in use stays in memory: %v", name, stays)
		}
	}
}

func get(t *testing.T, read func(context.Context, events.RoomID) (*live.Room, error), i int) *live.Room {
	t.Helper()
	room, err := read(t.Context(), events.RoomID(fmt.Sprintf("!%d:test", i)))
	if err != nil {
		t.Fatal(err)
	}
	return room
}

// newRoom makes a room that alice is in.
func newRoom(t *testing.T, memory *live.Memory, id events.RoomID) {
	t.Helper()
	version, _ := events.LookupVersion("10")
	err := memory.Update(t.Context(), func(tx *live.Tx) error {
		d, err := tx.CreateRoom(id, version)
		if err != nil {
			return err
		}
		for _, e := range []events.Draft{
			{Type: events.TypeCreate, StateKey: new(""), Content: []byte(`{"creator":"@alice:test"}`)},
			{Type: events.TypeMember, StateKey: new(string(alice)), Content: []byte(`{"membership":"join"}`)},
		} {
			e.Room, e.Sender, e.TS, e.Depth = id, alice, 1, 1
			if tip := d.Tip(); tip != nil {
				e.Depth, e.PrevEvents = tip.Depth+1, []events.Ref{{ID: tip.ID}}
			}
			built, err := version.Build(e, "test", nil)
			if err != nil {
				return err
			}
			if _, err := tx.Append(d, built, store.Txn{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
