package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// lockSuffix makes the name of the file beside a database that says that a Store has it open. The database itself cannot:
// other programs may read it.
const lockSuffix = "-lock"

var errInUse = errors.New("another server has it open")

// lock takes the database at path for this process, until it is released or the process ends, however it does. The lock is
// that of a transaction on a database that stays empty, since SQLite knows how files are locked on every system.
func lock(path string) (release func() error, err error) {
	if err := create(path + lockSuffix); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path+lockSuffix))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	for _, statement := range []string{
		`PRAGMA busy_timeout = 1000`, // the last server may be about to end
		`BEGIN EXCLUSIVE`,
	} {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			if e, ok := errors.AsType[interface {
				error
				Code() int
			}](err); ok && e.Code()&0xff == busy {
				err = errInUse
			}
			return nil, errors.Join(err, db.Close())
		}
	}
	return db.Close, nil
}

// busy is SQLITE_BUSY.
const busy = 5
