package storetest

import (
	"fmt"
	"sync"

	"github.com/ca4c8834/homeserver/store"
)

func positions() []rule {
	return []rule{
		{"the first change has position 1", func(f *fixture) {
			equal(f, f.st.Position(), 0)
			equal(f, f.position(), 0)
			f.update(func(tx store.Tx) error { return put(tx, "x") })
			equal(f, f.st.Position(), 1)
			equal(f, f.position(), 1)
		}},
		{"inside an Update Position is the newest position taken so far", func(f *fixture) {
			f.update(func(tx store.Tx) error {
				equal(f, tx.Position(), 0)
				equal(f, tx.Next(), 1)
				equal(f, tx.Next(), 2)
				equal(f, tx.Position(), 2)
				return put(tx, "x")
			})
			equal(f, f.st.Position(), 3)
		}},
		{"a position taken by a closure that fails is not seen", func(f *fixture) {
			for _, write := range []bool{false, true} {
				f.refused(errRefused, func(tx store.Tx) error {
					tx.Next()
					if write {
						if err := put(tx, "x"); err != nil {
							return err
						}
					}
					return errRefused
				})
				equal(f, f.st.Position(), 0)
				equal(f, f.position(), 0)
			}
		}},
		{"positions become visible in order", hammer},
	}
}

// hammer writes from many sides, failing now and then, while readers check
// that a snapshot has all rows up to its position, none above it, and that
// nothing is ever added below a position that was seen.
func hammer(f *fixture) {
	const writers, each, readers = 8, 40, 4
	room := f.room("hammer")
	done := make(chan struct{})
	var reading, writing sync.WaitGroup
	for range readers {
		reading.Go(func() {
			w := watch{f: f, room: room, seen: map[store.Pos]bool{}}
			for {
				last := false
				select {
				case <-done:
					last = true
				default:
				}
				floor := f.st.Position()
				if err := f.st.View(f.Context(), func(v store.View) error { return w.look(v, floor) }); err != nil {
					f.Error(err)
					return
				}
				if last {
					return
				}
			}
		})
	}
	for i := range writers {
		writing.Go(func() {
			for j := range each {
				name := fmt.Sprintf("w%d-%d", i, j)
				err := f.st.Update(f.Context(), func(tx store.Tx) error {
					if j%10 == 3 {
						return errRefused
					}
					if j%2 == 0 {
						tx.Next() // a gap
					}
					if err := put(tx, name); err != nil {
						return err
					}
					_, err := add(tx, room, message(name))
					if err == nil && j%10 == 7 {
						err = errRefused
					}
					return err
				})
				if fails := j%10 == 3 || j%10 == 7; fails != (err != nil) {
					f.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	f.view(func(v store.View) error {
		rows, err := v.AccountDataSince(alice, 0)
		equal(f, len(rows), writers*each*8/10)
		return err
	})
}

// watch is what one reader has learned.
type watch struct {
	f    *fixture
	room store.RoomNum
	upTo store.Pos
	seen map[store.Pos]bool // rows at or below upTo
}

func (w *watch) look(v store.View, floor store.Pos) error {
	p := v.Position()
	if p < floor || p < w.upTo {
		return fmt.Errorf("the snapshot is at %d, after %d and %d", p, floor, w.upTo)
	}
	data, err := v.AccountDataSince(alice, 0)
	if err != nil {
		return err
	}
	evs, err := v.TimelineAfter(w.room, 1, store.MaxPos, 1<<30)
	if err != nil {
		return err
	}
	if len(data) != len(evs) {
		return fmt.Errorf("%d rows of account data, %d events of the same closures", len(data), len(evs))
	}
	now := make(map[store.Pos]bool, 2*len(evs))
	for i := range evs {
		now[data[i].Pos], now[evs[i].Pos] = true, true
	}
	for pos := range now {
		switch {
		case pos > p:
			return fmt.Errorf("row %d is in a snapshot of position %d", pos, p)
		case pos <= w.upTo && !w.seen[pos]:
			return fmt.Errorf("row %d appeared after position %d was seen", pos, w.upTo)
		}
	}
	for pos := range w.seen {
		if !now[pos] {
			return fmt.Errorf("row %d was lost", pos)
		}
	}
	w.upTo, w.seen = p, now
	return nil
}
