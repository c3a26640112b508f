package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path"

	"github.com/ca4c8834/homeserver/store"
)

// migrate brings the schema to the newest version, inside one transaction.
func migrate(ctx context.Context, c *sql.Conn, cfg Config) (err error) {
	files, err := fs.Glob(cfg.Migrations, "*.sql") // sorted by name
	if err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, cfg.Begin); err != nil {
		return err
	}
	end := `ROLLBACK`
	defer func() {
		if _, e := c.ExecContext(context.WithoutCancel(ctx), end); err == nil {
			err = e
		}
	}()
	if _, err := c.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS hs_version (version INTEGER NOT NULL)`); err != nil {
		return err
	}
	var version int
	if err := c.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM hs_version`).Scan(&version); err != nil {
		return err
	}
	if version > len(files) {
		return fmt.Errorf("schema version is %d, at most %d is known: %w", version, len(files), store.ErrNewer)
	}
	for i, name := range files[version:] {
		text, err := fs.ReadFile(cfg.Migrations, name)
		if err != nil {
			return err
		}
		if _, err := c.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", path.Base(name), err)
		}
		if _, err := c.ExecContext(ctx, `INSERT INTO hs_version (version) VALUES (?)`, version+i+1); err != nil {
			return err
		}
	}
	end = `COMMIT`
	return nil
}
