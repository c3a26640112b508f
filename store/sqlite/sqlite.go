// Package sqlite is the store that the homeserver uses unless it is given
// another: SQLite without cgo, in a file or in memory.
//
//	st, err := sqlite.Open("chat.db")
//
// # Durability
//
// A change is on disk before its Update returns: write-ahead log, synchronous =
// FULL. After a crash or a kill the next Open recovers the log by itself. Beside
// the database lie "-wal" and "-shm" files while it is open; copy a database
// with SQLite's backup or VACUUM INTO, not file by file.
//
// # One process
//
// A database belongs to one Store at a time, because positions are counted in
// memory. [Open] refuses one that another process or Store has open, and waits a
// second for it to end; an empty "-lock" file beside the database serves this
// and stays, with a "-lock-journal" while the database is open. With [OpenDB] that
// is up to the host. Other programs may read a database. A second writer is noticed,
// and its victim's Update fails instead of mixing up positions.
//
// # Schema
//
// All tables begin with "hs_" and belong to the library. Opening brings them to
// the newest version; what a newer library has written is refused with
// [store.ErrNewer].
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/ca4c8834/homeserver/internal/sqlstore"
	"github.com/ca4c8834/homeserver/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// maxReaders bounds the connections that serve Views, each with a page cache
// of readerCache.
const maxReaders = 16

// Open opens the database file at path, or creates it, readable and writable for
// the owner only; the directory must exist. Close closes it.
//
// Its schema is brought to the newest version at once, which is all that an
// upgrade of the library needs, and cannot be undone: the error is a
// [store.ErrNewer] if a newer library has been there.
func Open(path string) (store.Store, error) {
	abs, err := filepath.Abs(path)
	if err != nil || path == "" {
		return nil, fmt.Errorf("open database %q: %w", path, errors.Join(errors.New("not a path"), err))
	}
	if err := create(abs); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	unlock, err := lock(abs)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	st, err := openOwn(dsn(abs), nil, unlock)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, errors.Join(err, unlock()))
	}
	return st, nil
}

// dsn names the file at an absolute path to the driver, whatever is in its name.
func dsn(path string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	return u.String()
}

// Memory opens a new private database in memory, of at most 1 GiB, which is gone
// when it is closed.
func Memory() (store.Store, error) {
	image, err := emptyImage()
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	st, err := openOwn(":memory:", func(c serializer) error { return c.Deserialize(image) }, nil)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return st, nil
}

// emptyImage is a database with the newest schema and nothing in it. Copying it
// is ten times as fast as running the migrations, which matters to whoever opens a
// server in every test.
var emptyImage = sync.OnceValues(func() (image []byte, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	st, err := open(db, nil)
	if err != nil {
		return nil, err
	}
	if err := st.Close(); err != nil { // which leaves its connection, and so the database, to db
		return nil, err
	}
	err = withConn(db, func(c serializer) error {
		image, err = c.Serialize()
		return err
	})
	return image, err
})

// serializer is what connections of the driver can do.
type serializer interface {
	Serialize() ([]byte, error)
	Deserialize([]byte) error
}

// withConn calls f with a connection of db.
func withConn(db *sql.DB, f func(serializer) error) (err error) {
	c, err := db.Conn(context.Background()) // waits for nobody: db is new
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return c.Raw(func(driverConn any) error {
		s, ok := driverConn.(serializer)
		if !ok {
			return errors.New("the driver cannot copy databases")
		}
		return f(s)
	})
}

// create makes an empty file with the right mode, which SQLite would leave to
// the umask; its other files get the mode of the database. A file that is there
// is not even opened: closing it again would drop the locks of a Store that
// has it open.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("directory %s does not exist", filepath.Dir(path))
	case err != nil:
		return err
	}
	return f.Close()
}

// openOwn opens a database, prepared by fill and given back with unlock, unless those are nil.
func openOwn(dsn string, fill func(serializer) error, unlock func() error) (store.Store, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	if fill != nil {
		if err := withConn(db, fill); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	st, err := open(db, func() error {
		err := db.Close()
		if unlock != nil {
			err = errors.Join(err, unlock())
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return st, nil
}

// OpenDB uses a database that the host has opened with the driver of
// modernc.org/sqlite or one that behaves like it; only tables whose names begin
// with "hs_" are touched. The Store keeps up to 17 connections of db for itself
// (fewer if db has a limit; with a limit of one, and for a database in memory,
// exactly one) and sets on them journal_mode = WAL, synchronous = FULL,
// busy_timeout, cache_size, temp_store and wal_autocheckpoint. The host must not write to the hs_
// tables, and should keep its own writing transactions short: they hold up the
// Store's. Close gives the connections back and leaves db open.
func OpenDB(db *sql.DB) (store.Store, error) {
	st, err := open(db, nil)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return st, nil
}

func open(db *sql.DB, release func() error) (*sqlstore.Store, error) {
	// Opening does not wait for anything that a caller could want to bound but
	// another process's lock, which busy_timeout does.
	ctx := context.Background()
	inMemory, err := prepare(ctx, db)
	if err != nil {
		return nil, err
	}
	schema, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	cfg := sqlstore.Config{
		DB: db, Release: release, Migrations: schema,
		Begin: `BEGIN IMMEDIATE`,
		WriterSetup: []string{
			`PRAGMA busy_timeout = 10000`, `PRAGMA synchronous = FULL`, `PRAGMA temp_store = MEMORY`, `PRAGMA cache_size = -8192`,
			`PRAGMA wal_autocheckpoint = 4000`, // 16 MB: most pages change often, and are copied once each time
		},
		ReaderSetup: []string{`PRAGMA busy_timeout = 10000`, `PRAGMA temp_store = MEMORY`, `PRAGMA cache_size = -2048`},
	}
	if !inMemory {
		cfg.Readers = readers(db)
	}
	return sqlstore.Open(ctx, cfg)
}

func readers(db *sql.DB) int {
	n := min(runtime.GOMAXPROCS(0)+2, maxReaders)
	if limit := db.Stats().MaxOpenConnections; limit > 0 {
		n = min(n, limit-1)
	}
	return n
}

// prepare sets what belongs to the file and reports whether there is none.
func prepare(ctx context.Context, db *sql.DB) (inMemory bool, err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var mode string
	if _, err := c.ExecContext(ctx, `PRAGMA busy_timeout = 10000`); err != nil {
		return false, err
	}
	if err := c.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return false, err
	}
	switch mode {
	case "wal":
		return false, nil
	case "memory":
		return true, nil
	}
	return false, fmt.Errorf("the database cannot use a write-ahead log: its journal mode is %q", mode)
}
