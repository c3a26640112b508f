// Package storetest is the conformance suite of package store: whatever passes it can
// carry a homeserver. It also has what tests of services need of a store, faults and
// measurements.
//
// # The suite
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store {
//			return openEmpty(t) // another one for each call
//		})
//	}
//
// The cases are grouped by the areas of the contract, one file and one subtest each, as
// are the contract in package store and what implements it. Each case is named after the
// sentence that it checks, so that a failure says what is not true of the store:
//
//	--- FAIL: TestStore/closures/closures_that_fail_do_not_undo_their_neighbours
//
// Three groups are about the store as a whole. "closures" is what Update and View promise:
// all or nothing, one snapshot, callers that wait together and do not see each other's
// refusals. "hooks" is when OnCommit and OnRollback are called. "positions" is what /sync
// lives on: positions become visible in their order, whoever writes at the same time, so
// that a reader who has read up to one never meets a row before it. The other groups are
// rows: what is written is what is read, in the order and the pages that the contract
// says, and store.ErrNotFound and store.ErrExists are told from faults.
//
// A Store that outlives its process should also implement [Reopener]; without it the cases
// of "persistence" are skipped, and nothing shows that data is still there afterwards.
// What no test in one process can see, that a commit survives the loss of power, is left
// to the implementation; for SQLite there is a test that kills the process.
//
// # Faults
//
// [Faulty] wraps a store and fails the call that a test chooses. A service is tested by
// failing the first call of an operation, then the second, and so on until it succeeds:
// each time nothing may have changed. The wrapper has every method of the contract, in the
// files that begin with "fault".
//
// # Measurements
//
// [Bench] measures a store at what the server does most, for comparing implementations and
// for seeing that a change has not made one slower.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Reopener is implemented by the stores under test that keep their data when
// they are closed.
type Reopener interface {
	// Reopen closes the store and opens another one on the same data.
	Reopen(t *testing.T) store.Store
}

// rule is a sentence of the contract and how it shows.
type rule struct {
	says string
	test func(f *fixture)
}

// Run runs the suite in parallel subtests. open is called for each of them and
// returns a new, empty store, which Run closes.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	areas := []struct {
		name  string
		rules []rule
	}{
		{"closures", closures()},
		{"hooks", hooks()},
		{"positions", positions()},
		{"persistence", persistence()},
		{"settings", settings()},
		{"users", users()},
		{"profiles", profiles()},
		{"devices", devices()},
		{"tokens", tokens()},
		{"tickets", tickets()},
		{"registration", registrations()},
		{"identities", identities()},
		{"threepids", threePIDs()},
		{"validations", validations()},
		{"filters", filters()},
		{"accountdata", accountData()},
		{"pushrules", pushRules()},
		{"pushers", pushers()},
		{"media", mediaRules()},
		{"blobs", blobs()},
		{"previews", previews()},
		{"rooms", rooms()},
		{"aliases", aliases()},
		{"directory", directory()},
		{"userdirectory", userDirectory()},
		{"timeline", timeline()},
		{"state", state()},
		{"members", members()},
		{"deletion", deletion()},
		{"relations", relations()},
		{"threads", threads()},
		{"receipts", receipts()},
		{"typing", typing()},
		{"search", search()},
		{"devicekeys", deviceKeys()},
		{"onetimekeys", oneTimeKeys()},
		{"crosssigning", crossSigning()},
		{"devicelists", deviceLists()},
		{"backups", backups()},
		{"todevice", toDevice()},
		{"dehydrated", dehydrated()},
	}
	for _, area := range areas {
		t.Run(area.name, func(t *testing.T) {
			t.Parallel()
			for _, r := range area.rules {
				t.Run(r.says, func(t *testing.T) {
					t.Parallel()
					f := &fixture{T: t, st: open(t)}
					t.Cleanup(func() {
						if err := f.st.Close(); err != nil {
							t.Errorf("close: %v", err)
						}
					})
					r.test(f)
				})
			}
		})
	}
}

// fixture is one case with its store.
type fixture struct {
	*testing.T
	st store.Store
}

// update runs fn, which must succeed. Like every closure, fn must not end the
// goroutine: it reports with f.Errorf or its error.
func (f *fixture) update(fn func(tx store.Tx) error) {
	f.Helper()
	if err := f.st.Update(f.Context(), fn); err != nil {
		f.Fatalf("update: %v", err)
	}
}

// view runs fn, which must succeed.
func (f *fixture) view(fn func(v store.View) error) {
	f.Helper()
	if err := f.st.View(f.Context(), fn); err != nil {
		f.Fatalf("view: %v", err)
	}
}

// refused runs fn and wants its call to fail with want.
func (f *fixture) refused(want error, fn func(tx store.Tx) error) {
	f.Helper()
	f.is(f.st.Update(f.Context(), fn), want)
}

// missing wants fn, which reads, to find nothing.
func (f *fixture) missing(fn func(v store.View) error) {
	f.Helper()
	f.is(f.st.View(f.Context(), fn), store.ErrNotFound)
}

func (f *fixture) is(err, want error) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("error is %v, want %v", err, want)
	}
}

// equal compares, in a closure or outside.
func equal[T any](f *fixture, got, want T) {
	f.Helper()
	if d := cmp.Diff(want, got); d != "" {
		f.Errorf("(-want +got)\n%s", d)
	}
}

// position reads the position of a new snapshot.
func (f *fixture) position() (p store.Pos) {
	f.Helper()
	f.view(func(v store.View) error { p = v.Position(); return nil })
	return p
}

const (
	alice = events.UserID("@alice:example.org")
	bob   = events.UserID("@bob:example.org")
)

var errRefused = errors.New("refused by the test")

// room makes a room with one event, its create event.
func (f *fixture) room(name string) (num store.RoomNum) {
	f.Helper()
	id := events.RoomID("!" + name + ":example.org")
	f.update(func(tx store.Tx) (err error) {
		if num, err = tx.CreateRoom(store.Room{ID: id, Version: "12"}); err != nil {
			return err
		}
		_, err = add(tx, num, stateEvent("m.room.create", "", name))
		return err
	})
	return num
}

// message makes an event that is no state, with an ID after its name.
func message(name string) *events.Event {
	content := fmt.Appendf(nil, `{"body":%q}`, name)
	return &events.Event{
		ID: events.EventID("$" + name), Type: "m.room.message", Sender: alice, Content: content,
		Raw: fmt.Appendf(nil, `{"content":%s,"sender":%q,"type":"m.room.message"}`, content, alice),
	}
}

// stateEvent makes a state event; its ID is made of key and name.
func stateEvent(typ, key, name string) *events.Event {
	content := fmt.Appendf(nil, `{"name":%q}`, name)
	if typ == events.TypeMember {
		content = fmt.Appendf(nil, `{"membership":%q}`, name)
	}
	return &events.Event{
		ID: events.EventID("$" + typ + "|" + key + "|" + name), Type: typ, StateKey: &key, Sender: alice, Content: content,
		Raw: fmt.Appendf(nil, `{"content":%s,"sender":%q,"state_key":%q,"type":%q}`, content, alice, key, typ),
	}
}

// add appends an event as a service does: at the next position, in the place
// of the current state.
func add(tx store.Tx, room store.RoomNum, ev *events.Event) (store.Event, error) {
	want := store.Event{Pos: tx.Next(), Room: room, ID: ev.ID, JSON: ev.Raw}
	if ev.StateKey != nil {
		old, err := tx.StateEventAt(room, store.MaxPos, events.StateKey{Type: ev.Type, Key: *ev.StateKey})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return store.Event{}, err
		}
		want.Replaces = old.Pos
	}
	return want, tx.Append(store.Append{Pos: want.Pos, Room: room, Event: ev, Replaces: want.Replaces})
}

// add appends events in an Update of their own and returns their rows.
func (f *fixture) add(room store.RoomNum, evs ...*events.Event) (rows []store.Event) {
	f.Helper()
	f.update(func(tx store.Tx) error {
		rows = rows[:0]
		for _, ev := range evs {
			row, err := add(tx, room, ev)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows
}

// put writes one row that a test can look for: account data of alice.
func put(tx store.Tx, name string) error {
	return tx.PutAccountDatum(alice, store.AccountDatum{Type: name, Content: []byte(`{}`), Pos: tx.Next()})
}

// has reports whether put has written a row with that name.
func (f *fixture) has(name string) bool {
	f.Helper()
	err := f.st.View(f.Context(), func(v store.View) error {
		_, err := v.AccountDatum(alice, "", name)
		return err
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		f.Errorf("look for %s: %v", name, err)
	}
	return err == nil
}

// ended returns a context that is over.
func ended(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
