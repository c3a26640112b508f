package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

func TestSmoke(t *testing.T) {
	for _, open := range []func() (store.Store, error){sqlite.Memory, func() (store.Store, error) { return sqlite.Open(filepath.Join(t.TempDir(), "x.db")) }} {
		st, err := open()
		if err != nil {
			t.Fatal(err)
		}
		key := ""
		err = st.Update(t.Context(), func(tx store.Tx) error {
			if err := tx.CreateUser(store.User{ID: "@Alice:x"}); err != nil {
				return err
			}
			num, err := tx.CreateRoom(store.Room{ID: "!r:x", Version: "12"})
			if err != nil {
				return err
			}
			return tx.Append(store.Append{Pos: tx.Next(), Room: num, Event: &events.Event{ID: "$1", Type: "m.room.create", StateKey: &key, Raw: []byte(`{}`), Sender: "@Alice:x"}})
		})
		if err != nil {
			t.Fatal(err)
		}
		err = st.View(t.Context(), func(v store.View) error {
			u, err := v.UserFold("@alice:x")
			if err != nil {
				return err
			}
			evs, err := v.StateAt(1, store.MaxPos, true)
			if err != nil {
				return err
			}
			evs2, err := v.StateEventsAt(1, store.MaxPos, []events.StateKey{{"m.room.create", ""}})
			if err != nil {
				return err
			}
			t.Log(u, evs, evs2, v.Position())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
