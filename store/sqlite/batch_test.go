package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/store"
)

// batch is a file-backed store whose next batch is composed exactly: closures
// given to queue wait behind a gate. All of it runs in a synctest bubble, which
// also sees to it that no goroutine is left behind.
type batch struct {
	*testing.T
	*spy
	st      store.Store
	log     []string // what happened; the writer's and, between batches, ours
	pending []chan error
	gate    chan struct{}
}

func inBatch(t *testing.T, fn func(b *batch)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &batch{T: t, spy: newSpy(t)}
		b.st = b.open(t)
		fn(b)
	})
}

// hold occupies the writer until run.
func (b *batch) hold() {
	b.gate = make(chan struct{})
	go func() {
		_ = b.st.Update(b.Context(), func(store.Tx) error { <-b.gate; return nil })
	}()
	synctest.Wait()
}

// queue lets fn wait for the writer, behind all others, logging its runs and
// hooks under a name.
func (b *batch) queue(ctx context.Context, name string, fn func(tx store.Tx) error) {
	done := make(chan error, 1)
	b.pending = append(b.pending, done)
	go func() {
		done <- b.st.Update(ctx, func(tx store.Tx) error {
			b.log = append(b.log, "run "+name)
			tx.OnCommit(func() { b.log = append(b.log, "committed "+name) })
			tx.OnRollback(func() { b.log = append(b.log, "undone "+name) })
			return fn(tx)
		})
	}()
	synctest.Wait()
}

// run opens the gate and returns the results of all that was queued.
func (b *batch) run() (errs []error) {
	close(b.gate)
	for _, done := range b.pending {
		errs = append(errs, <-done)
	}
	b.pending = nil
	return errs
}

func (b *batch) wantLog(want ...string) {
	b.Helper()
	if d := cmp.Diff(want, b.log); d != "" {
		b.Errorf("log (-want +got)\n%s", d)
	}
	b.log = nil
}

// rows returns the names that put has written, in order.
func (b *batch) rows() (names []string) {
	b.Helper()
	err := b.st.View(b.Context(), func(v store.View) error {
		data, err := v.AccountDataSince("@a:x", 0)
		for _, d := range data {
			names = append(names, d.Type)
		}
		if len(data) > 0 && data[len(data)-1].Pos != v.Position() || v.Position() != b.st.Position() {
			b.Errorf("positions: snapshot %d, store %d, rows %v", v.Position(), b.st.Position(), data)
		}
		return err
	})
	if err != nil {
		b.Error(err)
	}
	return names
}

func (b *batch) wantRows(want ...string) {
	b.Helper()
	if got := b.rows(); !slices.Equal(got, want) {
		b.Errorf("rows are %q, want %q", got, want)
	}
}

func put(name string) func(tx store.Tx) error {
	return func(tx store.Tx) error {
		return tx.PutAccountDatum("@a:x", store.AccountDatum{Type: name, Content: []byte(`{}`), Pos: tx.Next()})
	}
}

func thenFail(fn func(tx store.Tx) error) func(tx store.Tx) error {
	return func(tx store.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return errTest
	}
}

func nothing(store.Tx) error { return nil }

var errTest = errors.New("failed by the test")

// counting lets nothing fail and counts how often a statement runs.
func (b *batch) counting(query string) *int {
	n := new(int)
	b.failing(func(q string) error {
		if strings.HasPrefix(q, query) {
			*n++
		}
		return nil
	})
	return n
}

// What waits is committed together: one COMMIT, hooks in order after it.
func TestBatchSharesCommit(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		b.hold()
		for _, name := range []string{"a", "b", "c"} {
			b.queue(b.Context(), name, put(name))
		}
		commits := b.counting("COMMIT")
		for _, err := range b.run() {
			if err != nil {
				b.Error(err)
			}
		}
		if *commits != 1 {
			b.Errorf("%d commits", *commits)
		}
		b.wantLog("run a", "run b", "run c", "committed a", "committed b", "committed c")
		b.wantRows("a", "b", "c")
	})
}

// A closure that fails before it wrote anything costs its neighbours nothing.
func TestBatchCleanFailure(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		b.hold()
		b.queue(b.Context(), "a", put("a"))
		b.queue(b.Context(), "bad", thenFail(func(tx store.Tx) error { tx.Next(); return nil }))
		b.queue(b.Context(), "panics", func(store.Tx) error { panic("on purpose") })
		b.queue(b.Context(), "c", put("c"))
		commits := b.counting("COMMIT")
		errs := b.run()
		if errs[0] != nil || !errors.Is(errs[1], errTest) || errs[2] == nil || errs[3] != nil {
			b.Errorf("errors: %v", errs)
		}
		if *commits != 1 {
			b.Errorf("%d commits", *commits)
		}
		b.wantLog("run a", "run bad", "undone bad", "run panics", "undone panics", "run c", "committed a", "committed c")
		b.wantRows("a", "c")
		if p := b.st.Position(); p != 2 {
			b.Errorf("position %d", p)
		}
	})
}

// One that fails after its first write undoes the batch, newest first; each
// closure that had run is run again in a transaction of its own, the others
// once.
func TestBatchDirtyFailure(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		b.hold()
		b.queue(b.Context(), "a", put("a"))
		b.queue(b.Context(), "bad", thenFail(put("bad")))
		b.queue(b.Context(), "c", put("c"))
		commits := b.counting("COMMIT")
		errs := b.run()
		if errs[0] != nil || !errors.Is(errs[1], errTest) || errs[2] != nil {
			b.Errorf("errors: %v", errs)
		}
		if *commits != 3 { // that of the gate, which was first in the batch, of a and of c
			b.Errorf("%d commits", *commits)
		}
		b.wantLog("run a", "run bad", "undone bad", "undone a",
			"run a", "committed a", "run bad", "undone bad", "run c", "committed c")
		b.wantRows("a", "c")
		if p := b.st.Position(); p != 2 {
			b.Errorf("position %d", p)
		}
	})
}

// Who gives up waiting is answered at once, while the writer is still busy.
func TestBatchLeave(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		ctx, cancel := context.WithCancel(b.Context())
		b.hold()
		b.queue(ctx, "left", put("left"))
		cancel()
		synctest.Wait()
		select {
		case err := <-b.pending[0]:
			if !errors.Is(err, context.Canceled) {
				b.Error(err)
			}
		default:
			b.Error("the caller is still waiting")
		}
		b.pending = nil
		b.run()
		b.wantLog()
		b.wantRows()
	})
}

// Who has left, or whose context has ended, is skipped.
func TestBatchSkipsEnded(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		ctx, cancel := context.WithCancel(b.Context())
		b.hold()
		b.queue(b.Context(), "a", func(tx store.Tx) error {
			cancel() // as seen from here, the next has been left already or is about to be
			return put("a")(tx)
		})
		b.queue(ctx, "left", put("left"))
		errs := b.run()
		if errs[0] != nil || !errors.Is(errs[1], context.Canceled) {
			b.Errorf("errors: %v", errs)
		}
		b.wantLog("run a", "committed a")
		b.wantRows("a")
	})
}

// A COMMIT, BEGIN or counter that fails fails every closure of the batch with
// the driver's error and undoes it; the next batch works.
func TestBatchCommitFails(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"COMMIT", "UPDATE hs_stream"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			inBatch(t, func(b *batch) {
				b.hold()
				b.queue(b.Context(), "a", put("a"))
				b.queue(b.Context(), "b", put("b"))
				b.failing(failOn(query))
				for _, err := range b.run() {
					if !errors.Is(err, errTest) {
						b.Error(err)
					}
				}
				b.failing(nil)
				b.wantLog("run a", "run b", "undone b", "undone a")
				b.wantRows()
				if err := b.st.Update(b.Context(), put("c")); err != nil {
					b.Error(err)
				}
				b.wantRows("c")
			})
		})
	}
}

func failOn(query string) func(string) error {
	return func(q string) error {
		if strings.HasPrefix(q, query) {
			return errTest
		}
		return nil
	}
}

func TestBeginFails(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		b.failing(failOn("BEGIN"))
		if err := b.st.Update(b.Context(), put("a")); !errors.Is(err, errTest) {
			b.Error(err)
		}
		if err := b.st.View(b.Context(), func(store.View) error { return nil }); !errors.Is(err, errTest) {
			b.Error(err)
		}
		b.failing(nil)
		if err := b.st.Update(b.Context(), put("b")); err != nil {
			b.Error(err)
		}
		b.wantRows("b")
	})
}

// Even a ROLLBACK that does not get through keeps the writer from working only
// as long as it fails.
func TestRollbackFails(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		b.failing(failOn("ROLLBACK"))
		if err := b.st.Update(b.Context(), thenFail(put("a"))); !errors.Is(err, errTest) {
			b.Error(err)
		}
		if err := b.st.Update(b.Context(), put("b")); err == nil {
			b.Error("the closure got into the transaction of another")
		}
		b.failing(nil)
		_ = b.st.Update(b.Context(), nothing) // finds what was left open
		if err := b.st.Update(b.Context(), put("c")); err != nil {
			b.Error(err)
		}
		b.wantRows("c")
	})
}

// A closure that met a fault of the storage cannot succeed any more.
func TestFaultIsSticky(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		b.failing(failOn("SELECT id, password"))
		err := b.st.Update(b.Context(), func(tx store.Tx) error {
			_, _ = tx.User("@a:x")
			return put("a")(tx)
		})
		if !errors.Is(err, errTest) {
			b.Error(err)
		}
		err = b.st.View(b.Context(), func(v store.View) error {
			_, _ = v.User("@a:x")
			return nil
		})
		if !errors.Is(err, errTest) {
			b.Error(err)
		}
		b.wantRows()
	})
}

// A closure that ends its goroutine, as FailNow of a test does, fails like
// another, and the writer goes on.
func TestGoexit(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		b.hold()
		b.queue(b.Context(), "a", put("a"))
		b.queue(b.Context(), "exits", func(tx store.Tx) error {
			_ = put("exits")(tx)
			runtime.Goexit()
			return nil
		})
		b.queue(b.Context(), "c", put("c"))
		errs := b.run()
		if errs[0] == nil || errs[1] == nil || errs[2] != nil {
			b.Errorf("errors: %v", errs)
		}
		b.wantLog("run a", "run exits", "undone exits", "undone a", "run c", "committed c")
		b.wantRows("c")
	})
}

// So does one that does it when it is run again: those behind it are answered.
func TestGoexitApart(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		b.hold()
		runs := 0
		b.queue(b.Context(), "exits", func(tx store.Tx) error {
			if runs++; runs == 2 {
				runtime.Goexit()
			}
			return put("exits")(tx)
		})
		b.queue(b.Context(), "bad", thenFail(put("bad")))
		b.queue(b.Context(), "c", put("c"))
		errs := b.run()
		if errs[0] == nil || !errors.Is(errs[1], errTest) || errs[2] != nil {
			b.Errorf("errors: %v", errs)
		}
		b.wantLog("run exits", "run bad", "undone bad", "undone exits",
			"run exits", "undone exits", "run bad", "undone bad", "run c", "committed c")
		b.wantRows("c")
	})
}

// A commit function that panics, which it must not, reaches its caller as an
// error, not the process; what was committed stays.
func TestCommitFunctionPanics(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		err := b.st.Update(b.Context(), func(tx store.Tx) error {
			tx.OnCommit(func() { panic("on purpose") })
			return put("a")(tx)
		})
		if err == nil || !strings.Contains(err.Error(), "on purpose") {
			b.Error(err)
		}
		b.wantRows("a")
	})
}

// More closures than fit one batch, or its queue, are all served.
func TestBatchBound(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		b.hold()
		var want []string
		for i := range 600 {
			name := fmt.Sprint("row", i)
			want = append(want, name)
			b.queue(b.Context(), name, put(name))
		}
		for _, err := range b.run() {
			if err != nil {
				b.Error(err)
			}
		}
		got := b.rows()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			b.Errorf("%d rows", len(got))
		}
	})
}

// A View or Tx that was kept works no more.
func TestStale(t *testing.T) {
	t.Parallel()
	inBatch(t, func(b *batch) {
		var kept store.Tx
		if err := b.st.Update(b.Context(), func(tx store.Tx) error { kept = tx; return nil }); err != nil {
			b.Fatal(err)
		}
		if err := put("a")(kept); err == nil {
			b.Error("a Tx could be used after its closure")
		}
		var view store.View
		if err := b.st.View(b.Context(), func(v store.View) error { view = v; return nil }); err != nil {
			b.Fatal(err)
		}
		if _, err := view.User("@a:x"); err == nil || errors.Is(err, store.ErrNotFound) {
			b.Errorf("a View could be used after its closure: %v", err)
		}
	})
}
