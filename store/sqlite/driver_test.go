package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// spy is a database in a file whose driver shows what is prepared on it and can
// be told to fail.
type spy struct {
	driver driver.Driver
	path   string

	mu       sync.Mutex
	prepared []string
	fail     func(query string) error // before a prepared statement runs
	conns    []driver.Conn
}

func newSpy(t *testing.T) *spy {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only asked for its driver
	return &spy{driver: db.Driver(), path: filepath.Join(t.TempDir(), "spy.db")}
}

// open opens a Store on the database, which ends with the test.
func (s *spy) open(t *testing.T) store.Store {
	t.Helper()
	db := sql.OpenDB(s)
	st, err := sqlite.OpenDB(db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	return st
}

// failing sets what fails from now on; nil: nothing.
func (s *spy) failing(fail func(query string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

func (s *spy) check(query string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		return nil
	}
	return s.fail(query)
}

func (s *spy) Driver() driver.Driver { return s.driver }

func (s *spy) Connect(context.Context) (driver.Conn, error) {
	c, err := s.driver.Open(s.path)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = append(s.conns, c)
	return spyConn{c, s}, nil
}

type spyConn struct {
	driver.Conn
	s *spy
}

func (c spyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	st, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.prepared = append(c.s.prepared, query)
	return spyStmt{st.(spied), c.s, query}, nil
}

type spied interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type spyStmt struct {
	spied
	s     *spy
	query string
}

func (st spyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := st.s.check(st.query); err != nil {
		return nil, err
	}
	return st.spied.ExecContext(ctx, args)
}

func (st spyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := st.s.check(st.query); err != nil {
		return nil, err
	}
	return st.spied.QueryContext(ctx, args)
}
