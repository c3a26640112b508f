package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/ca4c8834/homeserver/store"
)

// Config is what differs between databases and ways to open them.
type Config struct {
	DB *sql.DB
	// Release is called when Close has given the connections back; nil: nothing is.
	Release func() error
	// Readers is how many connections serve Views; 0: the writer's own, in
	// turn with it, for a database that has only one.
	Readers int
	// Begin starts a transaction that writes.
	Begin string
	// WriterSetup and ReaderSetup are run once on each connection.
	WriterSetup, ReaderSetup []string
	// Migrations holds the schema as files "0001_name.sql", "0002_…", without
	// gaps.
	Migrations fs.FS
}

// Store implements store.Store over SQL.
type Store struct {
	cfg      Config
	position atomic.Int64
	readers  *readers
	writer   *writer

	mu     sync.Mutex // guards closed, and calls against Close
	closed bool
	calls  sync.WaitGroup
	close  func() error // once
}

var _ store.Store = (*Store)(nil)

// Open migrates the database to the newest schema and starts the writer, whose
// goroutine Close ends.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{cfg: cfg}
	s.close = sync.OnceValue(s.shutdown)
	c, err := newConn(ctx, cfg.DB, cfg.WriterSetup)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, c.sc, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate database: %w", err), c.close())
	}
	s.writer = newWriter(s, c)
	if err := s.writer.loadPosition(); err != nil {
		return nil, errors.Join(err, c.close())
	}
	if cfg.Readers == 0 {
		s.readers = sharedReader(c)
	} else {
		s.readers = newReaders(cfg.Readers, func(ctx context.Context) (*conn, error) {
			return newConn(ctx, cfg.DB, cfg.ReaderSetup)
		})
	}
	go s.writer.run()
	return s, nil
}

// Position implements store.Store.
func (s *Store) Position() store.Pos { return store.Pos(s.position.Load()) }

// View implements store.Store.
func (s *Store) View(ctx context.Context, fn func(store.View) error) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	c, err := s.readers.take(ctx)
	if err != nil {
		return err
	}
	defer s.readers.put(c)
	c.reset(ctx)
	if err := c.run(`BEGIN`, nil, nil); err != nil {
		return err
	}
	v := &view{c: c}
	defer func() {
		v.c = nil
		fault := c.fault
		if end := c.runAlways(`ROLLBACK`, nil, nil); fault == nil {
			fault = end
		}
		c.reset(context.Background())
		// fn may have gone on in spite of either.
		err = cmp.Or(err, fault, ctx.Err())
	}()
	return fn(v)
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, fn func(store.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	u := &update{ctx: ctx, fn: fn, done: make(chan struct{})}
	select {
	case s.writer.queue <- u:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-u.done:
	case <-ctx.Done():
		if u.leave() {
			return ctx.Err()
		}
		<-u.done // it runs already, and fn may still write to the caller's variables
	}
	return u.err
}

// enter counts a call in, unless the store is closed or the context has ended.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	s.calls.Add(1)
	return nil
}

// Close implements store.Store.
func (s *Store) Close() error { return s.close() }

func (s *Store) shutdown() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.calls.Wait()
	close(s.writer.queue)
	<-s.writer.done
	errs := []error{s.readers.close()}
	if s.cfg.Readers > 0 {
		errs = append(errs, s.writer.c.close())
	}
	if s.cfg.Release != nil {
		errs = append(errs, s.cfg.Release())
	}
	return errors.Join(errs...)
}
