package media_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/media/mediatest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	mediatest.Run(t, func(*testing.T) media.Store { return media.Memory() })
}

func TestDir(t *testing.T) {
	t.Parallel()
	mediatest.Run(t, func(t *testing.T) media.Store {
		path := filepath.Join(t.TempDir(), "deep", "media")
		t.Cleanup(func() {
			if parts := list(t, path, "*.part"); len(parts) > 0 {
				t.Errorf("unfinished files are left: %q", parts)
			}
		})
		return media.Dir(path)
	})
}

// list returns the names of the files under a directory that match a pattern.
func list(t *testing.T, root, pattern string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if ok, _ := filepath.Match(pattern, filepath.Base(path)); ok && err == nil && !d.IsDir() {
			name, _ := filepath.Rel(root, path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

func put(t *testing.T, st media.Store, key, content string) {
	t.Helper()
	if err := st.Put(t.Context(), key, strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

// A path traversal through keys is impossible whoever calls: nothing but names is accepted, and nothing is touched.
func TestKeysAreNames(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	secret := filepath.Join(root, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, st := range map[string]media.Store{"dir": media.Dir(filepath.Join(root, "media")), "memory": media.Memory()} {
		for _, key := range []string{
			"", "a", "ab", ".", "..", "../secret", "..\\secret", "a/../../secret", "/etc/passwd", "key.part", "key\x00", "key\n",
			"kéy", "key ", "C:key", strings.Repeat("k", 129),
		} {
			if _, err := st.Open(t.Context(), key); err == nil {
				t.Errorf("%s: %q can be opened", name, key)
			}
			if err := st.Put(t.Context(), key, strings.NewReader("x")); err == nil {
				t.Errorf("%s: %q can be put", name, key)
			}
		}
		if err := st.Delete(t.Context(), "../secret"); name == "dir" && err == nil {
			t.Error("../secret can be deleted")
		}
	}
	if diff := cmp.Diff([]string{"secret"}, list(t, root, "*")); diff != "" {
		t.Error(diff)
	}
}

func TestDirIsPrivateAndLazy(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "media")
	st := media.Dir(root)
	if _, err := st.Open(t.Context(), "none"); !errors.Is(err, media.ErrNotFound) {
		t.Error(err)
	}
	if err := st.Delete(t.Context(), "none"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the directory is made before it is needed", err)
	}
	put(t, st, "ABCDEF", "x")
	if diff := cmp.Diff([]string{"AB/ABCDEF"}, list(t, root, "*")); diff != "" {
		t.Error(diff)
	}
	if runtime.GOOS == "windows" {
		t.Skip("no permissions of this kind")
	}
	for name, want := range map[string]fs.FileMode{"": 0o700, "AB": 0o700, "AB/ABCDEF": 0o600} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// What is put is there for whoever opens the directory next, and what a crash has left of a Put goes with Delete.
func TestDirAfterCrash(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put(t, media.Dir(root), "ABCDEF", "kept")
	part := filepath.Join(root, "AB", "ABXYZ.part")
	if err := os.WriteFile(part, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	st := media.Dir(root)
	blob, err := st.Open(t.Context(), "ABCDEF")
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close() //nolint:errcheck // only read
	if got, err := io.ReadAll(blob); string(got) != "kept" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if _, ok := blob.(*os.File); !ok {
		t.Errorf("a %T cannot be sent without copying", blob)
	}
	if _, err := st.Open(t.Context(), "ABXYZ"); !errors.Is(err, media.ErrNotFound) {
		t.Errorf("half a blob: %v", err)
	}
	if err := st.Delete(t.Context(), "ABXYZ"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"AB/ABCDEF"}, list(t, root, "*")); diff != "" {
		t.Error(diff)
	}
}

// A directory that is read-only or full: an error, and nothing half there.
func TestDirThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	t.Run("a file is in the way", func(t *testing.T) {
		t.Parallel()
		root := filepath.Join(t.TempDir(), "media")
		if err := os.WriteFile(root, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		st := media.Dir(root)
		if err := st.Put(t.Context(), "ABCDEF", strings.NewReader("x")); err == nil {
			t.Error("put into a file")
		}
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() == 0 {
			t.Skip("nothing is read-only for root")
		}
		root := t.TempDir()
		if err := os.Chmod(root, 0o500); err != nil { //nolint:gosec // it must stay readable
			t.Fatal(err)
		}
		st := media.Dir(root)
		if err := st.Put(t.Context(), "ABCDEF", strings.NewReader("x")); !errors.Is(err, fs.ErrPermission) {
			t.Error(err)
		}
	})
}

// DESIGN: streaming with bounded memory, whatever the size.
func TestDirStreams(t *testing.T) { //nolint:paralleltest // counts what is allocated
	st := media.Dir(t.TempDir())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := st.Put(t.Context(), "large", io.LimitReader(zeros{}, 64<<20)); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("a blob of 64 MiB took %d bytes of memory", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
