package sqlstore

import (
	"errors"

	"github.com/ca4c8834/homeserver/store"
)

// errStale is what a View or Tx returns that was kept beyond its closure.
var errStale = errors.New("the view was used after its closure had returned")

// view is a store.View on one connection, for one run of a closure.
type view struct{ c *conn }

var _ store.View = (*view)(nil)

func (v *view) query(query string, each func(row), args ...any) error {
	if v.c == nil {
		return errStale
	}
	return v.c.query(query, each, args...)
}

// Position implements store.View. The row is written by the transaction that
// the snapshot ends with, so it is exact whatever commits meanwhile.
func (v *view) Position() store.Pos {
	p, err := one(v, func(r row) store.Pos { return store.Pos(r.int(0)) }, selectPosition)
	if err != nil {
		return 0 // the call of View fails: a fault or an ended context stays with it
	}
	return p
}

const selectPosition = `SELECT pos FROM hs_stream`

// tx is a store.Tx: a view of the writer's connection.
type tx struct {
	view
	w          *writer
	onCommit   []func()
	onRollback []func()
}

var _ store.Tx = (*tx)(nil)

func (t *tx) exec(query string, args ...any) (int64, error) {
	if t.c == nil {
		return 0, errStale
	}
	return t.c.exec(query, args...)
}

// insert runs an INSERT … ON CONFLICT DO NOTHING RETURNING of one number;
// ErrExists if nothing was inserted.
func (t *tx) insert(query string, args ...any) (int64, error) {
	n, err := one(&t.view, func(r row) int64 { return r.int(0) }, query, args...)
	switch {
	case err == nil:
		t.c.wrote = true
	case errors.Is(err, store.ErrNotFound):
		err = store.ErrExists
	}
	return n, err
}

// mustChange is exec for a statement that names its row: none is ErrNotFound.
func (t *tx) mustChange(query string, args ...any) error {
	return orErr(store.ErrNotFound)(t.exec(query, args...))
}

// mustAdd is exec for an INSERT … ON CONFLICT DO NOTHING: none is ErrExists.
func (t *tx) mustAdd(query string, args ...any) error {
	return orErr(store.ErrExists)(t.exec(query, args...))
}

func orErr(none error) func(int64, error) error {
	return func(n int64, err error) error {
		if err == nil && n == 0 {
			return none
		}
		return err
	}
}

// Position implements store.View: the newest position taken.
func (t *tx) Position() store.Pos { return t.w.pos }

// Next implements store.Tx.
func (t *tx) Next() store.Pos {
	t.w.pos++
	return t.w.pos
}

// OnCommit implements store.Tx.
func (t *tx) OnCommit(f func()) { t.onCommit = append(t.onCommit, f) }

// OnRollback implements store.Tx.
func (t *tx) OnRollback(f func()) { t.onRollback = append(t.onRollback, f) }
