package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Dir returns a Store of files under the directory at path, one for each blob,
// readable for their owner only. The directory is made when it is first needed;
// nothing is read or written before that. Files lie in subdirectories named after
// the first two characters of their keys, and end in ".part" until they are
// complete and on disk.
//
// The directory may be on any file system that renames atomically, and may be
// shared by servers that share a database. It needs no lock and no clean-up of
// its own.
func Dir(path string) Store { return dir{path} }

type dir struct{ root string }

var _ Store = dir{}

// copySize is the memory that a Put takes.
const copySize = 128 << 10

// Put implements Store.
func (d dir) Put(ctx context.Context, key string, r io.Reader) (err error) {
	path, err := d.path(key)
	if err != nil {
		return err
	}
	if err := d.prepare(filepath.Dir(path)); err != nil {
		return fmt.Errorf("media: put blob: %w", err)
	}
	part := path + partSuffix
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("media: put blob: %w", err)
	}
	if err := write(f, reading{ctx, r}); err != nil {
		return fmt.Errorf("media: put blob: %w", errors.Join(err, os.Remove(part)))
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("media: put blob: %w", errors.Join(err, os.Remove(part)))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("media: put blob: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// write fills a file, puts it on disk and closes it.
func write(f *os.File, r io.Reader) error {
	// The file's own ReadFrom would only choose a smaller buffer.
	_, err := io.CopyBuffer(struct{ io.Writer }{f}, r, make([]byte, copySize))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Open implements Store. The result is an *os.File.
func (d dir) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := d.path(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("media: open blob: %w", err)
	}
	return f, nil
}

// Delete implements Store.
func (d dir) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path, err := d.path(key)
	if err != nil {
		return err
	}
	for _, name := range []string{path, path + partSuffix} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("media: delete blob: %w", err)
		}
	}
	return nil
}

// partSuffix cannot be part of a key.
const partSuffix = ".part"

func (d dir) path(key string) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	return filepath.Join(d.root, key[:2], key), nil
}

// prepare makes a subdirectory and what is above it, durably.
func (d dir) prepare(sub string) error {
	err := os.Mkdir(sub, 0o700)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return err
		}
		if err := syncDir(filepath.Dir(filepath.Clean(d.root))); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	return syncDir(d.root)
}

// syncDir puts the names in a directory on disk. Windows does it by itself and
// cannot be asked to.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
