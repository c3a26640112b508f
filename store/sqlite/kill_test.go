package sqlite_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

// killEnv makes the test binary the process that is killed: it holds the path
// of the database.
const killEnv = "HOMESERVER_TEST_KILL"

const killWriters = 8

// Whenever the process is killed, every event that was acknowledged is there
// afterwards, in order, once.
func TestKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chat.db")
	acked := make([]int, killWriters) // events of each writer
	for _, acks := range []int{1, 40, 150, 300, 77} {
		killAfter(t, path, acks, acked)
		checkKilled(t, path, acked)
	}
}

// killAfter runs writers in a process and kills it after a number of
// acknowledgements, which it adds to acked.
func killAfter(t *testing.T, path string, acks int, acked []int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), killEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == acks {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		line, err := lines.ReadString('\n')
		if err != nil { // the end, or a line cut off by it
			break
		}
		var writer, i int
		if _, err := fmt.Sscanf(line, "ack %d %d\n", &writer, &i); err != nil {
			t.Fatalf("the process said %q", line)
		}
		if i != acked[writer] {
			t.Fatalf("writer %d has number %d acknowledged after %d", writer, i, acked[writer]-1)
		}
		acked[writer]++
	}
	_ = cmd.Wait() // killed
}

// checkKilled looks for what was acknowledged. The last event of a writer may
// have been committed without the news getting out.
func checkKilled(t *testing.T, path string, acked []int) {
	t.Helper()
	st := openFile(t, path)
	defer st.Close() //nolint:errcheck // only read
	err := st.View(t.Context(), func(v store.View) error {
		if v.Position() != st.Position() {
			t.Errorf("position is %d in the database, %d in the store", v.Position(), st.Position())
		}
		next := make([]int, killWriters)
		room, err := v.Room("!kill:x")
		if err != nil {
			return err
		}
		evs, err := v.TimelineAfter(room.Num, 0, store.MaxPos, 1<<30)
		if err != nil {
			return err
		}
		for _, ev := range evs {
			var writer, i int
			if _, err := fmt.Sscanf(string(ev.ID), "$%d-%d", &writer, &i); err != nil {
				return err
			}
			if i != next[writer] {
				t.Errorf("writer %d: event %d comes after %d", writer, i, next[writer]-1)
			}
			next[writer] = i + 1
		}
		for w, n := range next {
			if n != acked[w] && n != acked[w]+1 {
				t.Errorf("writer %d: %d events are there, %d were acknowledged", w, n, acked[w])
			}
			acked[w] = n
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestKilled is the process that TestKill kills.
func TestKilled(t *testing.T) {
	path := os.Getenv(killEnv)
	if path == "" {
		t.Skip("only runs inside TestKill")
	}
	st, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var room store.RoomNum
	next := make([]int, killWriters)
	err = st.Update(t.Context(), func(tx store.Tx) error {
		if r, err := tx.Room("!kill:x"); err == nil {
			room = r.Num
		} else if room, err = tx.CreateRoom(store.Room{ID: "!kill:x"}); err != nil {
			return err
		}
		evs, err := tx.TimelineAfter(room, 0, store.MaxPos, 1<<30)
		for _, ev := range evs {
			var writer, i int
			if _, err := fmt.Sscanf(string(ev.ID), "$%d-%d", &writer, &i); err != nil {
				return err
			}
			next[writer] = i + 1
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range killWriters {
		wg.Go(func() {
			for i := next[w]; ; i++ {
				ev := realistic(w, i)
				ev.ID = events.EventID(fmt.Sprintf("$%d-%d", w, i))
				err := st.Update(t.Context(), func(tx store.Tx) error {
					return tx.Append(store.Append{Pos: tx.Next(), Room: room, Event: ev})
				})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.Stdout.WriteString(fmt.Sprintf("ack %d %d\n", w, i)); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
}
