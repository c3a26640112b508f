package storetest

import (
	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

func persistence() []rule {
	return []rule{
		{"what was committed is there after reopening, and positions go on", func(f *fixture) {
			re := f.reopener()
			room := f.room("kept")
			f.add(room, message("one"))
			f.update(func(tx store.Tx) error {
				if err := tx.CreateUser(store.User{ID: alice, PasswordHash: "hash"}); err != nil {
					return err
				}
				return put(tx, "datum")
			})
			before := f.st.Position()
			f.st = re.Reopen(f.T)
			equal(f, f.st.Position(), before)
			equal(f, f.position(), before)
			f.view(func(v store.View) error {
				if _, err := v.User(alice); err != nil {
					return err
				}
				evs, err := v.TimelineAfter(room, 0, store.MaxPos, 10)
				equal(f, len(evs), 2)
				return err
			})
			if !f.has("datum") {
				f.Error("account data is lost")
			}
			rows := f.add(room, message("two"))
			equal(f, rows[0].Pos, before+1)
		}},
		{"a position that was taken last without a row is not taken again", func(f *fixture) {
			re := f.reopener()
			f.update(func(tx store.Tx) error {
				err := put(tx, "x")
				tx.Next()
				return err
			})
			before := f.st.Position()
			f.st = re.Reopen(f.T)
			equal(f, f.st.Position(), before)
		}},
		{"RoomNum is never used again for another room", func(f *fixture) {
			re := f.reopener()
			one := f.room("one")
			f.st = re.Reopen(f.T)
			if two := f.room("two"); two == one {
				f.Errorf("both rooms have number %d", one)
			}
			f.view(func(v store.View) error {
				r, err := v.RoomByNum(one)
				equal(f, r.ID, events.RoomID("!one:example.org"))
				return err
			})
		}},
	}
}

func (f *fixture) reopener() Reopener {
	f.Helper()
	re, ok := f.st.(Reopener)
	if !ok {
		f.Skip("the store does not outlive its process")
	}
	return re
}
