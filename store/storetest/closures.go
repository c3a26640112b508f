package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/ca4c8834/homeserver/store"
)

func closures() []rule {
	return []rule{
		{"View includes every Update that returned before", func(f *fixture) {
			for i := range 20 {
				name := fmt.Sprint("row", i)
				f.update(func(tx store.Tx) error { return put(tx, name) })
				if !f.has(name) {
					f.Fatalf("%s is not visible", name)
				}
			}
		}},
		{"View returns fn's error", func(f *fixture) {
			f.is(f.st.View(f.Context(), func(store.View) error { return errRefused }), errRefused)
		}},
		{"a View is one consistent snapshot", snapshot},
		{"Views do not exclude each other's work for ever", parallelViews},
		{"reads of an Update see the writes made before them", func(f *fixture) {
			f.update(func(tx store.Tx) error {
				if err := put(tx, "own"); err != nil {
					return err
				}
				_, err := tx.AccountDatum(alice, "", "own")
				return err
			})
		}},
		{"an error from fn is returned as it is, and undoes all that this fn wrote", func(f *fixture) {
			err := f.st.Update(f.Context(), func(tx store.Tx) error {
				if err := put(tx, "undone"); err != nil {
					return err
				}
				return errRefused
			})
			if err != errRefused { //nolint:errorlint // as it is
				f.Errorf("error is %v", err)
			}
			if f.has("undone") {
				f.Error("a refused closure left a row")
			}
		}},
		{"closures that fail do not undo their neighbours", neighbours},
		{"closures run one after the other, each seeing what those before it wrote", serial},
		{"a panic in fn is returned as an error", func(f *fixture) {
			for _, write := range []bool{false, true} {
				err := f.st.Update(f.Context(), func(tx store.Tx) error {
					if write {
						if err := put(tx, "panicked"); err != nil {
							return err
						}
					}
					panic("on purpose")
				})
				if err == nil || !strings.Contains(err.Error(), "on purpose") {
					f.Errorf("error is %v", err)
				}
				if f.has("panicked") {
					f.Error("a closure that panicked left a row")
				}
			}
			f.update(func(tx store.Tx) error { return put(tx, "after") })
		}},
		{"nothing is half done after an error", func(f *fixture) {
			f.update(func(tx store.Tx) error {
				if err := tx.CreateUser(store.User{ID: alice, CreatedTS: 1}); err != nil {
					return err
				}
				f.is(tx.CreateUser(store.User{ID: alice, CreatedTS: 2}), store.ErrExists)
				return put(tx, "went on")
			})
			f.view(func(v store.View) error {
				u, err := v.User(alice)
				equal(f, u, store.User{ID: alice, CreatedTS: 1})
				return err
			})
			if !f.has("went on") {
				f.Error("an error that was handled has undone the closure")
			}
		}},
		{"an ended context is returned and fn does not run", func(f *fixture) {
			ctx := ended(f.Context())
			f.is(f.st.View(ctx, func(store.View) error { f.Error("View ran"); return nil }), context.Canceled)
			f.is(f.st.Update(ctx, func(store.Tx) error { f.Error("Update ran"); return nil }), context.Canceled)
		}},
		{"an Update whose context ends while its closure runs is not committed", func(f *fixture) {
			ctx, cancel := context.WithCancel(f.Context())
			defer cancel()
			f.is(f.st.Update(ctx, func(tx store.Tx) error {
				err := put(tx, "late")
				cancel()
				return err
			}), context.Canceled)
			if f.has("late") {
				f.Error("it was committed")
			}
		}},
		{"the context bounds the waiting of an Update", leaveQueue},
		{"the context bounds the running of a call", func(f *fixture) {
			ctx, cancel := context.WithCancel(f.Context())
			f.is(f.st.View(ctx, func(v store.View) error {
				cancel()
				_, err := v.RoomsOf(alice)
				f.is(err, context.Canceled)
				return nil
			}), context.Canceled)
		}},
		{"after Close every call returns ErrClosed, and closing twice is harmless", func(f *fixture) {
			for range 2 {
				if err := f.st.Close(); err != nil {
					f.Errorf("close: %v", err)
				}
			}
			f.is(f.st.View(f.Context(), func(store.View) error { return nil }), store.ErrClosed)
			f.is(f.st.Update(f.Context(), func(store.Tx) error { return nil }), store.ErrClosed)
		}},
		{"Close waits for running calls", func(f *fixture) {
			running, release := make(chan struct{}), make(chan struct{})
			updated, closed := make(chan error, 1), make(chan error, 1)
			finished := false
			go func() {
				updated <- f.st.Update(f.Context(), func(tx store.Tx) error {
					close(running)
					<-release
					finished = true
					return put(tx, "last")
				})
			}()
			<-running
			go func() {
				err := f.st.Close()
				if err == nil && !finished {
					err = fmt.Errorf("a closure was still running")
				}
				closed <- err
			}()
			close(release)
			f.is(<-updated, nil)
			f.is(<-closed, nil)
		}},
	}
}

// snapshot moves a value between two rows while readers add them up.
func snapshot(f *fixture) {
	set := func(tx store.Tx, a, b int) error {
		if err := tx.PutSetting("a", []byte{byte(a)}); err != nil {
			return err
		}
		return tx.PutSetting("b", []byte{byte(b)})
	}
	f.update(func(tx store.Tx) error { return set(tx, 50, 50) })
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				err := f.st.View(f.Context(), func(v store.View) error {
					a, err := v.Setting("a")
					if err != nil {
						return err
					}
					b, err := v.Setting("b")
					if err == nil && a[0]+b[0] != 100 {
						err = fmt.Errorf("the sum is %d", a[0]+b[0])
					}
					return err
				})
				if err != nil {
					f.Error(err)
					return
				}
			}
		})
	}
	for i := range 60 {
		f.update(func(tx store.Tx) error { return set(tx, i, 100-i) })
	}
	close(done)
	wg.Wait()
}

func parallelViews(f *fixture) {
	f.update(func(tx store.Tx) error { return put(tx, "x") })
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 10 {
				if !f.has("x") {
					f.Error("not found")
				}
			}
		})
	}
	wg.Wait()
}

// neighbours runs closures at once that succeed, fail before their first write
// and fail after it.
func neighbours(f *fixture) {
	const n = 90
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			errs[i] = f.st.Update(f.Context(), func(tx store.Tx) error {
				if i%3 == 1 {
					return errRefused
				}
				if err := put(tx, fmt.Sprint("row", i)); err != nil {
					return err
				}
				if i%9 == 2 {
					return errRefused
				}
				return nil
			})
		})
	}
	wg.Wait()
	for i, err := range errs {
		fails := i%3 == 1 || i%9 == 2
		if fails {
			f.is(err, errRefused)
		} else {
			f.is(err, nil)
		}
		if got := f.has(fmt.Sprint("row", i)); got == fails {
			f.Errorf("closure %d: fails %v, row is there %v", i, fails, got)
		}
	}
}

// serial counts in a row: an Update that did not see another's would lose it.
func serial(f *fixture) {
	const n = 64
	count := func(v store.View) byte {
		b, err := v.Setting("count")
		if err != nil {
			return 0
		}
		return b[0]
	}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			f.is(f.st.Update(f.Context(), func(tx store.Tx) error {
				return tx.PutSetting("count", []byte{count(tx) + 1})
			}), nil)
		})
	}
	wg.Wait()
	f.view(func(v store.View) error { equal(f, count(v), n); return nil })
}

// leaveQueue gives up an Update that waits behind one that is stuck.
func leaveQueue(f *fixture) {
	running, release := make(chan struct{}), make(chan struct{})
	stuck := make(chan error, 1)
	go func() {
		stuck <- f.st.Update(f.Context(), func(store.Tx) error {
			close(running)
			<-release
			return nil
		})
	}()
	<-running
	ctx, cancel := context.WithCancel(f.Context())
	left := make(chan error, 1)
	go func() {
		left <- f.st.Update(ctx, func(tx store.Tx) error { return put(tx, "left") })
	}()
	cancel()
	f.is(<-left, context.Canceled)
	close(release)
	f.is(<-stuck, nil)
	f.update(func(store.Tx) error { return nil })
	if f.has("left") {
		f.Error("the closure of a caller that had left was committed")
	}
}
