package sync

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/presence"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// restless is the presence of alice, who changes it all the time.
type restless struct {
	silent
	changes []presence.Presence
}

func (r *restless) ChangedSince(since store.Pos) (out []presence.Presence) {
	for _, p := range r.changes {
		if p.Pos > since {
			out = append(out, p)
		}
	}
	return out
}

func (r *restless) AppendJSON(dst []byte, p presence.Presence) []byte {
	return append(events.AppendString(append(dst, `{"content":`...), p.Status), '}')
}

// Changes of presence are told together, soon but not at once, and at once with whatever
// else is new (PRES-4, SYNC-51).
func TestPresenceIsGathered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st, err := sqlite.Memory()
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close() //nolint:errcheck // nothing depends on it
		memory, r := live.New(st, live.DefaultLimit, time.Now), &restless{}
		s := New(Config{
			Memory: memory, Reader: &reader.Reader{Memory: memory, Now: time.Now}, Stopping: t.Context(),
			Typing: nobodyTypes{}, ToDevice: silent{}, Presence: r,
		})
		update := func(fn func(tx *live.Tx, pos store.Pos)) {
			t.Helper()
			err := memory.Update(t.Context(), func(tx *live.Tx) error {
				fn(tx, tx.Next())
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		change := func(status string) {
			t.Helper()
			update(func(tx *live.Tx, pos store.Pos) {
				tx.PresenceChanged(alice, nil, pos, func() {
					r.changes = append(r.changes, presence.Presence{User: alice, Status: status, Pos: pos})
				})
			})
		}
		since := ""
		ask := func() json.RawMessage {
			answer, err := s.Sync(t.Context(), Request{User: alice, Since: since, Timeout: time.Minute})
			if err != nil {
				t.Error(err)
			}
			since = gjson.GetBytes(answer, "next_batch").Str
			return answer
		}
		ask()
		for _, tt := range []struct {
			name  string
			other func() // what else happens after half the delay
			after time.Duration
			told  string
		}{
			{"alone", func() {}, presenceDelay, `["first"]`},
			{"several", func() { change("second") }, presenceDelay, `["first","second"]`},
			{"with something else", func() {
				update(func(tx *live.Tx, pos store.Pos) { tx.UserChanged(alice, pos) })
			}, presenceDelay / 2, `["first"]`},
		} {
			began, answers := time.Now(), make(chan json.RawMessage)
			go func() { answers <- ask() }()
			synctest.Wait()
			change("first")
			time.Sleep(presenceDelay / 2)
			tt.other()
			answer := <-answers
			if took := time.Since(began); took != tt.after {
				t.Errorf("%s: answered after %v, not %v", tt.name, took, tt.after)
			}
			if told := gjson.GetBytes(answer, "presence.events.#.content").Raw; told != tt.told {
				t.Errorf("%s: told %s, not %s", tt.name, told, tt.told)
			}
		}
	})
}
