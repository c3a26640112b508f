package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/ca4c8834/homeserver/store"
)

// maxBatch bounds how many closures share a transaction, and how many wait.
const maxBatch = 256

var (
	errExited  = errors.New("the closure ended its goroutine")
	errForeign = errors.New("something else writes to this database")
)

// update is one waiting call of Store.Update.
type update struct {
	ctx   context.Context
	fn    func(store.Tx) error
	state atomic.Int32 // waiting, then taken by the writer or left by its caller
	tx    *tx          // of the latest run
	err   error        // valid once done is closed
	done  chan struct{}
}

const (
	waiting = iota
	taken
	left
)

// take claims u for the writer; leave gives it up on behalf of its caller.
// Only one of them succeeds.
func (u *update) take() bool  { return u.state.CompareAndSwap(waiting, taken) }
func (u *update) leave() bool { return u.state.CompareAndSwap(waiting, left) }

// writer owns the writing connection and the position counter. All of it
// belongs to the goroutine in run.
type writer struct {
	s     *Store
	c     *conn
	queue chan *update
	done  chan struct{} // closed when run has ended for good
	batch []*update     // those that ran in the transaction that is open
	again []*update     // those to be run again, each in a transaction of its own
	pos   store.Pos     // newest position taken
}

func newWriter(s *Store, c *conn) *writer {
	return &writer{s: s, c: c, queue: make(chan *update, maxBatch), done: make(chan struct{})}
}

// loadPosition takes the counter from the database.
func (w *writer) loadPosition() error {
	v := &view{c: w.c}
	pos, err := one(v, func(r row) store.Pos { return store.Pos(r.int(0)) }, selectPosition)
	if err != nil {
		return fmt.Errorf("read position: %w", err)
	}
	w.pos = pos
	w.s.position.Store(int64(pos))
	return nil
}

// run serves the queue until it is closed.
func (w *writer) run() {
	ended := false
	defer func() {
		if ended {
			close(w.done)
			return
		}
		// A closure called runtime.Goexit, as testing.T.FailNow does. The
		// others of its batch have to be answered, and the queue served.
		w.fail(errExited)
		w.unlock()
		go w.run()
	}()
	w.lock()
	w.apart() // what a closure that ended the goroutine has left
	w.unlock()
	for u := range w.queue {
		w.lock()
		w.group(u)
		w.unlock()
	}
	ended = true
}

// lock takes the connection from the readers if it is shared with them.
func (w *writer) lock() {
	if w.s.cfg.Readers == 0 {
		<-w.s.readers.slots
	}
}

func (w *writer) unlock() {
	if w.s.cfg.Readers == 0 {
		w.s.readers.slots <- struct{}{}
	}
}

// group runs u and what waits behind it in one transaction.
func (w *writer) group(u *update) {
	begun := false
	for ; u != nil; u = w.next() {
		if !u.take() {
			continue
		}
		if !begun {
			if err := w.begin(); err != nil {
				u.finish(err)
				return
			}
			begun = true
		}
		w.batch = append(w.batch, u)
		if !w.call(u) {
			w.divide()
			return
		}
		if len(w.batch) == maxBatch {
			break
		}
	}
	if begun {
		w.commit()
	}
}

// next returns what waits next, nil if nothing does.
func (w *writer) next() *update {
	if len(w.queue) == 0 {
		// Callers that the last commit has released may be about to come
		// back; a commit is worth waiting a moment for them.
		runtime.Gosched()
	}
	select {
	case u := <-w.queue: // nil when the queue is closed
		return u
	default:
		return nil
	}
}

// divide undoes the batch, in which the last closure failed, and sees to it
// that each is run again.
func (w *writer) divide() {
	batch := slices.Clone(w.batch)
	w.rollback()
	if len(batch) == 1 { // its failure cannot have come from a neighbour
		batch[0].finish(batch[0].err)
		return
	}
	w.again = batch
	w.apart()
}

// apart runs each closure of w.again in a transaction of its own.
func (w *writer) apart() {
	for len(w.again) > 0 {
		u := w.again[0]
		w.again = w.again[1:]
		if err := w.begin(); err != nil {
			u.finish(err)
			continue
		}
		w.batch = append(w.batch, u)
		if w.call(u) {
			w.commit()
			continue
		}
		w.rollback()
		u.finish(u.err)
	}
}

// call runs a closure. It reports false if the transaction has to be rolled
// back: the closure failed after it wrote.
func (w *writer) call(u *update) bool {
	before := w.pos
	w.c.reset(u.ctx)
	u.tx = &tx{view: view{c: w.c}, w: w}
	u.err = u.ctx.Err()
	if u.err == nil {
		u.err = guard("update", func() error { return u.fn(u.tx) })
	}
	u.tx.c = nil
	if u.err == nil {
		u.err = w.c.fault // fn went on in spite of it
	}
	if u.err == nil {
		u.err = u.ctx.Err()
	}
	if u.err == nil {
		return true
	}
	if w.c.wrote || w.c.fault != nil {
		return false
	}
	w.pos = before
	u.undo()
	return true
}

func (w *writer) begin() error {
	w.c.reset(context.Background())
	_, err := w.c.exec(w.s.cfg.Begin)
	if err != nil {
		w.rollback() // what a failed ROLLBACK may have left open
		return fmt.Errorf("begin transaction: %w", err)
	}
	return nil
}

// commit makes the batch durable and answers it.
func (w *writer) commit() {
	w.c.reset(context.Background())
	if err := w.end(); err != nil {
		w.fail(fmt.Errorf("commit transaction: %w", err))
		return
	}
	w.s.position.Store(int64(w.pos))
	for _, u := range w.batch {
		if u.err != nil {
			continue
		}
		for _, f := range u.tx.onCommit {
			if err := guard("commit function", func() error { f(); return nil }); err != nil {
				u.err = err
			}
		}
	}
	w.release(nil)
}

// end writes the counter and commits.
func (w *writer) end() error {
	if was := w.s.Position(); w.pos != was {
		n, err := w.c.exec(`UPDATE hs_stream SET pos = ? WHERE pos = ?`, int64(w.pos), int64(was))
		if err == nil && n != 1 {
			err = errForeign
		}
		if err != nil {
			return err
		}
	}
	_, err := w.c.exec(`COMMIT`)
	return err
}

// fail undoes the batch and answers it with err.
func (w *writer) fail(err error) {
	batch := w.batch
	w.rollback()
	if errors.Is(err, errForeign) {
		// The next batch starts from what is there, if it can be read.
		_ = w.loadPosition()
	}
	w.batch = batch
	w.release(err)
}

// rollback undoes the transaction and what its closures did beside it. The
// batch is empty afterwards.
func (w *writer) rollback() {
	// SQLite may have rolled back by itself, and a transaction that cannot be
	// rolled back makes the next BEGIN fail: the error adds nothing.
	_ = w.c.runAlways(`ROLLBACK`, nil, nil)
	w.pos = w.s.Position()
	for _, u := range slices.Backward(w.batch) {
		if u.tx != nil {
			u.tx.c = nil
			u.undo()
		}
	}
	w.batch = w.batch[:0]
}

// release answers the batch: with err, or each with its own.
func (w *writer) release(err error) {
	for i, u := range w.batch {
		if err != nil {
			u.err = err
		}
		u.finish(u.err)
		w.batch[i] = nil
	}
	w.batch = w.batch[:0]
}

// undo runs the rollback functions of the latest run, newest first, once.
func (u *update) undo() {
	for _, f := range slices.Backward(u.tx.onRollback) {
		if err := guard("rollback function", func() error { f(); return nil }); err != nil {
			u.err = errors.Join(u.err, err)
		}
	}
	u.tx.onRollback, u.tx.onCommit = nil, nil
}

func (u *update) finish(err error) {
	u.err = err
	close(u.done)
}

// guard turns a panic in f, which is the host's or a service's code, into an
// error.
func guard(what string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s panicked: %v\n%s", what, r, debug.Stack())
		}
	}()
	return f()
}
