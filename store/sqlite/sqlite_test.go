package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, memory)
}

func TestFile(t *testing.T) {
	t.Parallel()
	storetest.Run(t, file)
}

func memory(t *testing.T) store.Store {
	t.Helper()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func file(t *testing.T) store.Store {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "chat.db"))
}

// onFile is a store that the suite can reopen.
type onFile struct {
	store.Store
	path string
}

func openFile(t *testing.T, path string) onFile {
	t.Helper()
	st, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return onFile{st, path}
}

func (o onFile) Reopen(t *testing.T) store.Store {
	t.Helper()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	return openFile(t, o.path)
}

func BenchmarkFile(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) store.Store {
		st, err := sqlite.Open(filepath.Join(b.TempDir(), "chat.db"))
		if err != nil {
			b.Fatal(err)
		}
		return st
	})
}

func BenchmarkMemory(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) store.Store {
		st, err := sqlite.Memory()
		if err != nil {
			b.Fatal(err)
		}
		return st
	})
}
