package sqlite_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

// The suite on a host's database with room for one connection, and for two;
// TestPlans runs it on one without a limit.
func TestOpenDB(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int{"one connection": 1, "two connections": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store {
				db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "host.db"))
				if err != nil {
					t.Fatal(err)
				}
				db.SetMaxOpenConns(limit)
				t.Cleanup(func() {
					if err := db.Close(); err != nil {
						t.Error(err)
					}
				})
				st, err := sqlite.OpenDB(db)
				if err != nil {
					t.Fatal(err)
				}
				return st
			})
		})
	}
}

// Close gives the connections back and leaves db open; only tables whose names
// begin with hs_ are touched.
func TestOpenDBLeavesHost(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "host.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing depends on it
	st, err := sqlite.OpenDB(db)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Update(t.Context(), put("x")); err != nil {
		t.Fatal(err)
	}
	if err := st.View(t.Context(), func(v store.View) error { v.Position(); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections are still in use", n)
	}
	rows, err := db.QueryContext(t.Context(), `SELECT name FROM sqlite_schema`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // only read
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(name, "hs_") && !strings.HasPrefix(name, "sqlite_") {
			t.Errorf("there is a %q", name)
		}
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}

// A path is taken as it is, whatever it would mean in a URL or a DSN, and the
// files are for the owner only.
func TestOpenPath(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"chat.db", "a b?mode=memory#x%41.db", ":memory:", "ü.db", "file:x"} {
		path := filepath.Join(t.TempDir(), name)
		st := openFile(t, path)
		if err := st.Update(t.Context(), put("x")); err != nil {
			t.Fatal(err)
		}
		for _, suffix := range []string{"", "-wal", "-shm", "-lock"} {
			info, err := os.Stat(path + suffix)
			if err != nil {
				t.Fatal(err)
			}
			if mode := info.Mode().Perm(); mode != 0o600 {
				t.Errorf("mode of %q is %o", name+suffix, mode)
			}
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*-*"))
		if err != nil || len(left) != 1 || left[0] != path+"-lock" {
			t.Errorf("closing left %q, %v", left, err)
		}
	}
}

// What cannot be opened is refused with an error that says why.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noDatabase := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(noDatabase, []byte(strings.Repeat("Dear John, ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	for path, says := range map[string]string{
		"":                             "not a path",
		filepath.Join(missing, "x.db"): "directory " + missing + " does not exist",
		dir:                            "",
		noDatabase:                     "not a database",
	} {
		st, err := sqlite.Open(path)
		if err == nil {
			t.Errorf("%q was opened", path)
			_ = st.Close()
			continue
		}
		if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("opening %q: %v", path, err)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the directory was made")
	}
}

// ErrNewer is returned on opening data that a later version has written, and
// the data is left alone.
func TestOpenNewer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chat.db")
	if err := openFile(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, path, `INSERT INTO hs_version (version) VALUES (1000)`)
	if _, err := sqlite.Open(path); !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "1000") {
		t.Errorf("error is %v", err)
	}
	execute(t, path, `DELETE FROM hs_version WHERE version = 1000`)
	if err := openFile(t, path).Close(); err != nil {
		t.Error(err)
	}
}

// Opening twice runs each migration once.
func TestMigratesOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chat.db")
	for range 3 {
		if err := openFile(t, path).Close(); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // only read
	var n, highest int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*), max(version) FROM hs_version`).Scan(&n, &highest); err != nil {
		t.Fatal(err)
	}
	if n != highest {
		t.Errorf("%d migrations, highest version %d", n, highest)
	}
}

// A database that is open already is refused, and not disturbed; it is free again when it is closed.
func TestOpenOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chat.db")
	st := openFile(t, path)
	if _, err := sqlite.Open(path); err == nil || !strings.Contains(err.Error(), "another server has it open") {
		t.Errorf("opening it twice: %v", err)
	}
	if err := st.Update(t.Context(), put("x")); err != nil {
		t.Error(err)
	}
	again := st.Reopen(t)
	if p := again.Position(); p != 1 {
		t.Errorf("position %d", p)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// A second writer is noticed: the Update fails, its positions are not mixed up
// with the other's, and the Store goes on from what is there.
func TestForeignWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chat.db")
	st := openFile(t, path)
	defer st.Close() //nolint:errcheck // nothing depends on it
	if err := st.Update(t.Context(), put("one")); err != nil {
		t.Fatal(err)
	}
	execute(t, path, `UPDATE hs_stream SET pos = 7`)
	if err := st.Update(t.Context(), put("two")); err == nil || !strings.Contains(err.Error(), "something else writes") {
		t.Errorf("error is %v", err)
	}
	if p := st.Position(); p != 7 {
		t.Errorf("position %d", p)
	}
	if err := st.Update(t.Context(), put("three")); err != nil {
		t.Error(err)
	}
	if p := st.Position(); p != 8 {
		t.Errorf("position %d", p)
	}
}

// Databases in memory are private.
func TestMemoryIsPrivate(t *testing.T) {
	t.Parallel()
	one, two := memory(t), memory(t)
	if err := one.Update(t.Context(), put("x")); err != nil {
		t.Fatal(err)
	}
	if p := two.Position(); p != 0 {
		t.Errorf("position %d", p)
	}
	for _, st := range []store.Store{one, two} {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A database takes at most twice the JSON of its events, indexes and all.
func TestSizeOnDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chat.db")
	st := openFile(t, path)
	var json int64
	for i := range 20 {
		err := st.Update(t.Context(), func(tx store.Tx) error {
			for j := range 200 {
				ev := realistic(i, j)
				json += int64(len(ev.Raw))
				if err := tx.Append(store.Append{
					Pos: tx.Next(), Room: store.RoomNum(2 + j%10), Event: ev,
					Txn: store.Txn{Device: "ABCDEFGHIJ", ID: "m1700000000123." + string(ev.ID[40:]), Path: "send"},
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	ratio := float64(info.Size()) / float64(json)
	t.Logf("%d bytes of JSON an event, %d on disk: %.2f", json/4000, info.Size()/4000, ratio)
	if ratio > 2 {
		t.Errorf("the database is %.2f times its events", ratio)
	}
}

func execute(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // a failure shows in what follows
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// realistic makes a short message as room version 12 has it: IDs are hashes,
// in no order.
func realistic(i, j int) *events.Event {
	hash := func(n int) string {
		sum := sha256.Sum256([]byte{byte(i), byte(j), byte(n)})
		return base64.RawURLEncoding.EncodeToString(sum[:])
	}
	raw := fmt.Appendf(nil, `{"auth_events":["$%s","$%s"],"content":{"body":"see you at the usual place","msgtype":"m.text"},"depth":120,`+
		`"hashes":{"sha256":"%s"},"origin_server_ts":1700000000000,"prev_events":["$%s"],"room_id":"!%s","sender":"@alice:example.org","type":"m.room.message"}`,
		hash(1), hash(2), hash(3), hash(4), hash(5))
	return &events.Event{ID: events.EventID("$" + hash(0)), Type: "m.room.message", Sender: "@alice:example.org", Raw: raw}
}

func BenchmarkOpenMemory(b *testing.B) {
	for b.Loop() {
		st, err := sqlite.Memory()
		if err != nil {
			b.Fatal(err)
		}
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenFile(b *testing.B) {
	path := filepath.Join(b.TempDir(), "chat.db")
	for b.Loop() {
		st, err := sqlite.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
