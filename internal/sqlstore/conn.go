package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/ca4c8834/homeserver/store"
)

// conn is one connection with its prepared statements. It serves one closure
// at a time.
type conn struct {
	sc    *sql.Conn
	stmts map[string]statement // by SQL; the set of SQL texts is fixed, so it is bounded
	row   []driver.Value
	call  call
	raw   func(any) error // c.runRaw, made once

	ctx   context.Context // of the closure that is served
	wrote bool            // since reset
	fault error           // the first failure of a statement since reset
}

// call is the statement that runs.
type call struct {
	sql      string
	args     []driver.NamedValue
	each     func(row) // nil: the statement returns no rows
	affected int64
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// row is the current row of a query; only valid until the callback returns,
// but for its values, which are the receiver's.
type row []driver.Value

func (r row) int(i int) int64 { v, _ := r[i].(int64); return v }
func (r row) bool(i int) bool { return r.int(i) != 0 }
func (r row) blob(i int) []byte {
	v, _ := r[i].([]byte)
	return v
}
func (r row) text(i int) string { v, _ := r[i].(string); return v }

func newConn(ctx context.Context, db *sql.DB, setup []string) (*conn, error) {
	sc, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	c := &conn{sc: sc, stmts: make(map[string]statement), ctx: context.WithoutCancel(ctx)}
	c.raw = c.runRaw
	for _, s := range setup {
		if _, err := sc.ExecContext(ctx, s); err != nil {
			return nil, errors.Join(fmt.Errorf("set up connection: %s: %w", s, err), sc.Close())
		}
	}
	return c, nil
}

// reset prepares c for a closure.
func (c *conn) reset(ctx context.Context) { c.ctx, c.wrote, c.fault = ctx, false, nil }

// exec runs a statement that returns no rows and returns how many it changed.
func (c *conn) exec(query string, args ...any) (int64, error) {
	if err := c.run(query, nil, args); err != nil {
		return 0, err
	}
	if c.call.affected > 0 {
		c.wrote = true
	}
	return c.call.affected, nil
}

// query runs a statement and calls each for every row. each must not use c.
func (c *conn) query(query string, each func(row), args ...any) error {
	return c.run(query, each, args)
}

func (c *conn) run(query string, each func(row), args []any) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return c.runAlways(query, each, args)
}

// runAlways is run for what has to happen even when the context has ended.
func (c *conn) runAlways(query string, each func(row), args []any) error {
	c.call = call{sql: query, args: c.call.args[:0], each: each}
	for i, a := range args {
		c.call.args = append(c.call.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	err := c.sc.Raw(c.raw)
	clear(c.call.args) // no reference to the caller's values stays behind
	c.call.each = nil
	if err != nil {
		err = fmt.Errorf("run %.60q: %w", query, err)
		if c.fault == nil {
			c.fault = err
		}
	}
	return err
}

// runRaw runs c.call on the driver's connection. No code of a closure runs in
// here: a panic below Raw would cost the connection.
func (c *conn) runRaw(driverConn any) error {
	ctx := context.Background() // see the package comment: the driver must not watch it
	s, ok := c.stmts[c.call.sql]
	if !ok {
		var err error
		if s, err = prepare(ctx, driverConn, c.call.sql); err != nil {
			return err
		}
		c.stmts[c.call.sql] = s
	}
	if c.call.each == nil {
		res, err := s.ExecContext(ctx, c.call.args)
		if err != nil {
			return err
		}
		c.call.affected, err = res.RowsAffected()
		return err
	}
	rows, err := s.QueryContext(ctx, c.call.args)
	if err != nil {
		return err
	}
	n := len(rows.Columns())
	if cap(c.row) < n {
		c.row = make([]driver.Value, n)
	}
	r := c.row[:n]
	for {
		if err = rows.Next(r); err != nil {
			break
		}
		c.call.each(r)
	}
	clear(r)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, rows.Close())
}

func prepare(ctx context.Context, driverConn any, query string) (statement, error) {
	p, ok := driverConn.(driver.ConnPrepareContext)
	if !ok {
		return nil, errors.New("the driver cannot prepare statements with a context")
	}
	s, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	st, ok := s.(statement)
	if !ok {
		return nil, errors.Join(errors.New("the driver's statements do not take a context"), s.Close())
	}
	return st, nil
}

// close gives the connection back to its pool, without our statements.
func (c *conn) close() error {
	err := c.sc.Raw(func(any) error {
		var errs []error
		for _, s := range c.stmts {
			errs = append(errs, s.Close())
		}
		return errors.Join(errs...)
	})
	return errors.Join(err, c.sc.Close())
}

// one returns the only row of a query, or ErrNotFound.
func one[T any](v *view, scan func(row) T, query string, args ...any) (T, error) {
	var (
		t     T
		found bool
	)
	err := v.query(query, func(r row) { t, found = scan(r), true }, args...)
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return t, err
}

// all returns all rows of a query.
func all[T any](v *view, scan func(row) T, query string, args ...any) ([]T, error) {
	var ts []T
	err := v.query(query, func(r row) { ts = append(ts, scan(r)) }, args...)
	if err != nil {
		return nil, err
	}
	return ts, nil
}

// text scans a query of one text column.
func text[T ~string](r row) T { return T(r.text(0)) }
