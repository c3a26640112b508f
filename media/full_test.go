//go:build unix

package media_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/media"
)

// A disk that is full in the middle of a Put: an error, nothing half there, and no harm to what comes after.
func TestFullDir(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	// A limit on the size of files stops a write in the middle, as a full disk does.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -f 64 && exec "$0" -test.run '^TestFullDirHelper$'`, os.Args[0]) //nolint:gosec // ourselves
	cmd.Env = append(os.Environ(), "MEDIA_TEST_FULL_DIR="+root)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if diff := cmp.Diff([]string{"AB/ABCSMALL"}, list(t, root, "*")); diff != "" {
		t.Error(diff)
	}
}

// TestFullDirHelper runs in a process that may only write small files.
func TestFullDirHelper(t *testing.T) { //nolint:paralleltest // has the process for itself
	root := os.Getenv("MEDIA_TEST_FULL_DIR")
	if root == "" {
		t.Skip("for TestFullDir")
	}
	signal.Ignore(syscall.SIGXFSZ)
	st := media.Dir(root)
	if err := st.Put(t.Context(), "ABCLARGE", io.LimitReader(zeros{}, 1<<20)); !errors.Is(err, syscall.EFBIG) {
		t.Error(err)
	}
	put(t, st, "ABCSMALL", "there is room for this")
}
