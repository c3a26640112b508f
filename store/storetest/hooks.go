package storetest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/ca4c8834/homeserver/store"
)

func hooks() []rule {
	return []rule{
		{"OnCommit runs f once the changes are durable, before its Update returns", func(f *fixture) {
			ran, at := false, store.Pos(0)
			f.update(func(tx store.Tx) error {
				tx.OnCommit(func() { ran, at = true, f.st.Position() })
				return put(tx, "x")
			})
			if !ran {
				f.Error("it has not run")
			}
			equal(f, at, f.position())
		}},
		{"the functions of one closure run in the order of registration, those of different closures in the order of their closures; never two at once", commitOrder},
		{"a View begun while OnCommit runs already sees the changes", func(f *fixture) {
			seen := make(chan store.Pos, 1)
			var at store.Pos
			f.update(func(tx store.Tx) error {
				if err := put(tx, "x"); err != nil {
					return err
				}
				at = tx.Position()
				tx.OnCommit(func() {
					go func() {
						var got store.Pos
						defer func() { seen <- got }() // the View has ended: the test's end would cut it off
						f.view(func(v store.View) error { got = v.Position(); return nil })
					}()
				})
				return nil
			})
			if got := <-seen; got < at {
				f.Errorf("saw position %d of %d", got, at)
			}
		}},
		{"OnCommit does not run f if the changes are undone", func(f *fixture) {
			for _, write := range []bool{false, true} {
				f.refused(errRefused, func(tx store.Tx) error {
					tx.OnCommit(func() { f.Error("it ran") })
					if write {
						if err := put(tx, "x"); err != nil {
							return err
						}
					}
					return errRefused
				})
			}
		}},
		{"OnRollback runs f if the changes do not become durable, before Update returns, newest first", func(f *fixture) {
			for _, write := range []bool{false, true} {
				for _, fail := range []func() error{func() error { return errRefused }, func() error { panic("on purpose") }} {
					var ran []int
					err := f.st.Update(f.Context(), func(tx store.Tx) error {
						tx.OnRollback(func() { ran = append(ran, 1) })
						if write {
							if err := put(tx, "x"); err != nil {
								return err
							}
						}
						tx.OnRollback(func() { ran = append(ran, 2) })
						return fail()
					})
					if err == nil {
						f.Error("no error")
					}
					equal(f, ran, []int{2, 1})
				}
			}
		}},
		{"OnRollback does not run f if the changes are durable", func(f *fixture) {
			f.update(func(tx store.Tx) error {
				tx.OnRollback(func() { f.Error("it ran") })
				return put(tx, "x")
			})
		}},
		{"OnRollback runs before anything else runs in the store", mirror},
	}
}

// commitOrder relies on the race detector for "never two at once".
func commitOrder(f *fixture) {
	type call struct {
		Pos store.Pos
		Nth int
	}
	const n = 64
	var (
		wg    sync.WaitGroup
		calls []call
	)
	for i := range n {
		wg.Go(func() {
			f.is(f.st.Update(f.Context(), func(tx store.Tx) error {
				if i%8 == 5 {
					return errRefused
				}
				if err := put(tx, fmt.Sprint("row", i)); err != nil {
					return err
				}
				p := tx.Position()
				for nth := range 2 {
					tx.OnCommit(func() {
						if f.st.Position() < p {
							f.Errorf("function of position %d ran at %d", p, f.st.Position())
						}
						calls = append(calls, call{p, nth})
					})
				}
				if i%8 == 6 {
					return errRefused
				}
				return nil
			}), map[bool]error{true: errRefused}[i%8 == 5 || i%8 == 6])
		})
	}
	wg.Wait()
	equal(f, len(calls), n/8*6*2)
	if !slices.IsSortedFunc(calls, func(a, b call) int { return int(a.Pos-b.Pos)*2 + a.Nth - b.Nth }) {
		f.Errorf("out of order: %v", calls)
	}
}

// mirror keeps a number both in the store and beside it, as services do with
// their caches: however closures fail, they never differ inside a closure. The
// number beside it has no lock, since closures run one after the other.
func mirror(f *fixture) {
	const n = 96
	f.update(func(tx store.Tx) error { return tx.PutSetting("n", []byte{0}) })
	var wg sync.WaitGroup
	var beside byte
	for i := range n {
		wg.Go(func() {
			err := f.st.Update(f.Context(), func(tx store.Tx) error {
				b, err := tx.Setting("n")
				if err != nil {
					return err
				}
				if b[0] != beside {
					f.Errorf("stored %d, beside it %d", b[0], beside)
				}
				before := beside // right only if the newest is undone first
				beside++
				tx.OnRollback(func() { beside = before })
				if i%6 == 1 {
					return errRefused
				}
				if err := tx.PutSetting("n", []byte{b[0] + 1}); err != nil {
					return err
				}
				if i%12 == 2 {
					return errRefused
				}
				return nil
			})
			if i%6 != 1 && i%12 != 2 && err != nil {
				f.Errorf("closure %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	f.view(func(v store.View) error {
		b, err := v.Setting("n")
		equal(f, b, []byte{beside})
		equal(f, beside, n-n/6-n/12)
		return err
	})
}
