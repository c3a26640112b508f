package backup_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/backup"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

const alice = events.UserID("@alice:example.org")

var errDisk = errors.New("disk on fire")

func session(index int) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"first_message_index":%d,"forwarded_count":0,"is_verified":true,"session_data":{}}`, index))
}

// KB-19, KB-20: wherever the storage gives up, keys, etag and count stay true to
// each other, and the request works when it is repeated.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, operation := range map[string]func(t *testing.T, s *backup.Service) error{
		"a new version": func(t *testing.T, s *backup.Service) error {
			_, err := s.Create(t.Context(), alice, "x", json.RawMessage(`{}`))
			return err
		},
		"keys": func(t *testing.T, s *backup.Service) error {
			_, err := s.Put(t.Context(), alice, "1", backup.Rooms{"!a": {"1": session(0), "2": session(9), "3": session(1)}})
			return err
		},
		"deleted keys": func(t *testing.T, s *backup.Service) error {
			_, err := s.Remove(t.Context(), alice, "1", "!a", "")
			return err
		},
		"a deleted version": func(t *testing.T, s *backup.Service) error { return s.Delete(t.Context(), alice, "1") },
		"auth data": func(t *testing.T, s *backup.Service) error {
			return s.Update(t.Context(), alice, "1", "x", json.RawMessage(`{"new":1}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner, err := sqlite.Memory()
			if err != nil {
				t.Fatal(err)
			}
			st := storetest.Faulty(inner)
			defer st.Close() //nolint:errcheck // nothing is left to be lost
			s := backup.New(st)
			if _, err := s.Create(t.Context(), alice, "x", json.RawMessage(`{"old":1}`)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Put(t.Context(), alice, "1", backup.Rooms{"!a": {"1": session(5), "2": session(5)}, "!b": {"1": session(5)}}); err != nil {
				t.Fatal(err)
			}
			stored := func() (all string) {
				err := st.View(t.Context(), func(v store.View) error {
					b, err := v.LatestBackup(alice)
					if errors.Is(err, store.ErrNotFound) {
						err = nil
					}
					sessions, err2 := v.BackupSessions(alice, 1, "")
					all = fmt.Sprintf("%v %s %s", b, b.AuthData, sessions)
					return errors.Join(err, err2)
				})
				if err != nil {
					t.Fatal(err)
				}
				return all
			}
			before := stored()
			for n := 1; ; n++ {
				st.FailAt(n, errDisk)
				if err := operation(t, s); err == nil {
					break
				} else if !errors.Is(err, errDisk) {
					t.Fatalf("call %d: %v", n, err)
				}
				st.FailAt(0, nil)
				if diff := cmp.Diff(before, stored()); diff != "" {
					t.Fatalf("after call %d (-want +got):\n%s", n, diff)
				}
			}
			st.FailAt(0, nil)
			if stored() == before {
				t.Error("nothing has changed in the end")
			}
		})
	}
}

// FuzzPut stores anything that is JSON as a key: it is refused as a client's
// fault, or read back as it is.
func FuzzPut(f *testing.F) {
	for _, seed := range []string{
		string(session(0)), `{}`, `[]`, `null`, `"x"`, `{"first_message_index":1e3,"forwarded_count":-1,"is_verified":1,"session_data":null}`,
		`{"first_message_index":-9223372036854775808,"forwarded_count":9223372036854775807,"is_verified":false,"session_data":0}`,
	} {
		f.Add([]byte(seed))
	}
	st, err := sqlite.Memory()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := st.Close(); err != nil {
			f.Error(err)
		}
	})
	s := backup.New(st)
	if _, err := s.Create(f.Context(), alice, "x", json.RawMessage(`{}`)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if events.Valid(raw) != nil { // what the HTTP layer lets through
			return
		}
		state, err := s.Put(t.Context(), alice, "1", backup.Rooms{"!a": {"1": raw}})
		var refused *mxerr.Error
		if errors.As(err, &refused) && refused.Status == 400 {
			return
		}
		if err != nil || state.Count != 1 {
			t.Fatalf("count %d, %v", state.Count, err)
		}
		if _, err := s.Remove(t.Context(), alice, "1", "", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), alice, "1", backup.Rooms{"!a": {"1": raw}}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Session(t.Context(), alice, "1", "!a", "1")
		if err != nil || string(got) != string(raw) {
			t.Errorf("got %s for %s, %v", got, raw, err)
		}
	})
}
