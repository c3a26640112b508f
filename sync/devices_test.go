package sync

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/presence"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// claiming is keys of which one is claimed each time just before they are counted.
type claiming struct {
	*testing.T
	memory *live.Memory
	claims int // still to come
	latest store.Pos
}

func (c *claiming) Counts(store.View, events.UserID, string) (map[string]int64, []string, store.Pos, error) {
	if c.claims > 0 {
		c.claims--
		c.latest = c.change()
	}
	return nil, nil, c.latest, nil
}

// change changes something of alice's own and returns the position.
func (c *claiming) change() (pos store.Pos) {
	err := c.memory.Update(c.Context(), func(tx *live.Tx) error {
		pos = tx.Next()
		tx.UserChanged(alice, pos)
		return nil
	})
	if err != nil {
		c.Error(err)
	}
	return pos
}

// silent has no messages for devices and nobody's presence.
type silent struct{}

func (silent) Pending(_ store.View, _ events.UserID, _ string, _, until store.Pos, _ int) ([]json.RawMessage, store.Pos, bool, error) {
	return nil, until, false, nil
}
func (silent) Acknowledge(context.Context, events.UserID, string, store.Pos) error { return nil }
func (silent) Of(events.UserID) (presence.Presence, bool)                          { return presence.Presence{}, false }
func (silent) ChangedSince(store.Pos) []presence.Presence                          { return nil }
func (silent) AppendJSON(dst []byte, _ presence.Presence) []byte                   { return dst }

type nobodyTypes struct{}

func (nobodyTypes) In(events.RoomID) ([]events.UserID, store.Pos) { return nil, 0 }
func (nobodyTypes) ChangedSince(store.Pos) []live.RoomChange      { return nil }

// A key that is claimed while an answer is made belongs to the next one: the answer
// that tells of it ends after the claim, so that it is told once (KEYS-57).
func TestClaimIsToldOnce(t *testing.T) {
	t.Parallel()
	st, err := sqlite.Open(filepath.Join(t.TempDir(), "test.db")) // in memory nobody reads while somebody writes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	err = st.Update(t.Context(), func(tx store.Tx) error {
		if err := tx.CreateUser(store.User{ID: alice}); err != nil {
			return err
		}
		tx.Next()
		return tx.PutDevice(store.Device{User: alice, ID: "D"})
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func(s *Service, pos string) (json.RawMessage, error){
		"sync": func(s *Service, pos string) (json.RawMessage, error) {
			return s.Sync(t.Context(), Request{User: alice, Device: "D", Since: pos, Timeout: time.Minute})
		},
		"sliding sync": func(s *Service, pos string) (json.RawMessage, error) {
			return s.Sliding(t.Context(), SlidingRequest{
				User: alice, Device: "D", Pos: pos, Timeout: time.Minute, Extensions: SlidingExtensions{E2EE: true},
			})
		},
	} {
		memory := live.New(st, live.DefaultLimit, time.Now)
		keys := &claiming{T: t, memory: memory}
		s := New(Config{
			Memory: memory, Reader: &reader.Reader{Memory: memory, Now: time.Now}, Stopping: t.Context(),
			Typing: nobodyTypes{}, Keys: keys, ToDevice: silent{}, Presence: silent{},
		})
		next := func(pos string) string {
			t.Helper()
			answer, err := ask(s, pos)
			if err != nil {
				t.Fatal(err)
			}
			token := gjson.GetBytes(answer, "next_batch").Str + gjson.GetBytes(answer, "pos").Str
			if _, err := reader.Position("pos", token, memory.Position()); err != nil {
				t.Fatal(err)
			}
			return token
		}
		first := next("")
		keys.change() // so that the keys are counted again
		keys.claims = 1
		at, _ := reader.Position("pos", next(first), memory.Position())
		if keys.latest == 0 || at < keys.latest {
			t.Errorf("%s: an answer that ends at %d tells of a claim at %d", name, at, keys.latest)
		}
	}
}
