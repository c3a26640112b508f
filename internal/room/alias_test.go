package room

import (
	"errors"
	"testing"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

// Wherever the storage gives up: an alias and its place in m.room.canonical_alias
// and in the directory go together or not at all (ALIAS-7, RDIR-8).
func TestDeleteAliasIsWhole(t *testing.T) {
	t.Parallel()
	inner, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inner.Close() })
	st := storetest.Faulty(inner)
	now := func() time.Time { return time.Unix(1_700_000_000, 0) }
	memory := live.New(st, live.DefaultLimit, now)
	version, _ := events.LookupVersion(events.DefaultVersion)
	s := New(Config{
		Memory: memory, Reader: &reader.Reader{Memory: memory, Now: now}, Server: "example.org", Now: now, DefaultVersion: version,
	})
	alice := Actor{User: "@alice:example.org", Device: "D"}
	id, err := s.Create(t.Context(), alice, NewRoom{Public: true, Alias: "tea", Name: "Tea"})
	if err != nil {
		t.Fatal(err)
	}
	// has returns the places where the alias is.
	has := func() (places [3]bool) {
		_, err := s.ResolveAlias(t.Context(), "#tea:example.org")
		places[0] = err == nil
		room, err := memory.Room(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		places[1] = textOf(room, typeCanonicalAlias, "alias") != ""
		page, err := s.Directory(t.Context(), DirectoryQuery{Search: "#tea:"})
		if err != nil {
			t.Fatal(err)
		}
		places[2] = len(page.Rooms) == 1
		return places
	}
	if has() != [3]bool{true, true, true} {
		t.Fatalf("at first it is in %v", has())
	}
	broken := errors.New("the disk is gone")
	for n := 1; ; n++ {
		st.FailAt(n, broken)
		err := s.DeleteAlias(t.Context(), alice, "#tea:example.org")
		st.FailAt(0, nil)
		if err == nil {
			if n < 4 {
				t.Errorf("only %d calls", n)
			}
			break
		}
		if !errors.Is(err, broken) {
			t.Fatalf("call %d: %v", n, err)
		}
		if has() != [3]bool{true, true, true} {
			t.Fatalf("after call %d has failed it is in %v", n, has())
		}
	}
	if has() != [3]bool{} {
		t.Errorf("in the end it is in %v", has())
	}
	err = inner.View(t.Context(), func(v store.View) error {
		list, err := v.AliasesOf(id)
		if len(list) > 0 {
			t.Errorf("aliases %v", list)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
