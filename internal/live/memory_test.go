package live_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
)

const alice, bob = events.UserID("@alice:test"), events.UserID("@bob:test")

var version, _ = events.LookupVersion("10")

// server is a memory over a store in memory.
type server struct {
	*testing.T
	*live.Memory
	st store.Store
}

func newServer(t *testing.T, limit int) *server {
	t.Helper()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return &server{t, live.New(st, limit, time.Now), st}
}

func (s *server) update(fn func(tx *live.Tx) error) {
	s.Helper()
	if err := s.Update(s.Context(), fn); err != nil {
		s.Fatal(err)
	}
}

// build makes the event that comes next in a room, without asking the
// authorisation rules.
func build(d *live.Draft, sender events.UserID, typ string, key *string, content string) *events.Event {
	draft := events.Draft{Room: d.ID, Sender: sender, Type: typ, StateKey: key, Content: []byte(content), TS: 1, Depth: 1}
	if tip := d.Tip(); tip != nil {
		draft.Depth = tip.Depth + 1
		draft.PrevEvents = []events.Ref{{ID: tip.ID}}
	}
	e, err := d.Version.Build(draft, "test", nil)
	if err != nil {
		panic(err)
	}
	return e
}

func add(tx *live.Tx, room events.RoomID, sender events.UserID, typ string, key *string, content string) (*live.Event, error) {
	d, err := tx.Room(room)
	if err != nil {
		return nil, err
	}
	return tx.Append(d, build(d, sender, typ, key, content), store.Txn{})
}

func member(tx *live.Tx, room events.RoomID, user events.UserID, membership string) (*live.Event, error) {
	return add(tx, room, user, events.TypeMember, new(string(user)), fmt.Sprintf(`{"membership":%q}`, membership))
}

// room makes a room that alice is in.
func (s *server) room(id events.RoomID) {
	s.Helper()
	s.update(func(tx *live.Tx) error {
		d, err := tx.CreateRoom(id, version)
		if err != nil {
			return err
		}
		if _, err := tx.Append(d, build(d, alice, events.TypeCreate, new(""), `{"creator":"@alice:test"}`), store.Txn{}); err != nil {
			return err
		}
		_, err = member(tx, id, alice, "join")
		return err
	})
}

func (s *server) send(room events.RoomID, body string) *live.Event {
	s.Helper()
	var e *live.Event
	s.update(func(tx *live.Tx) (err error) {
		e, err = add(tx, room, alice, "m.room.message", nil, fmt.Sprintf(`{"body":%q}`, body))
		return err
	})
	return e
}

func TestRoomIsWhatIsCommitted(t *testing.T) {
	t.Parallel()
	s := newServer(t, live.DefaultLimit)
	if _, err := s.Room(t.Context(), "!r:test"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a room that was never made: %v", err)
	}
	refused := errors.New("refused")
	err := s.Update(t.Context(), func(tx *live.Tx) error {
		d, err := tx.CreateRoom("!r:test", version)
		if err != nil {
			return err
		}
		if _, err := tx.Append(d, build(d, alice, events.TypeCreate, new(""), `{}`), store.Txn{}); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if _, err := s.Room(t.Context(), "!r:test"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a room whose making was refused: %v", err)
	}
	s.room("!r:test")
	s.update(func(tx *live.Tx) error {
		if _, err := add(tx, "!r:test", alice, "m.room.name", new(""), `{"name":"one"}`); err != nil {
			return err
		}
		d, _ := tx.Room("!r:test")
		if got := string(d.StateEvent("m.room.name", "").Content); got != `{"name":"one"}` {
			t.Errorf("inside the transaction the name is %s", got)
		}
		r, err := s.Room(t.Context(), "!r:test")
		if err != nil || r.StateEvent("m.room.name", "") != nil {
			t.Errorf("outside it is seen before the commit: %v", err)
		}
		return nil
	})
	r, err := s.Room(t.Context(), "!r:test")
	if err != nil {
		t.Fatal(err)
	}
	if e := r.StateEvent("m.room.name", ""); e == nil || e.Pos != s.Position() || r.Newest() != e.Pos || r.StateChanged() != e.Pos {
		t.Errorf("after it: %v at %d", e, s.Position())
	}
	_ = s.Update(t.Context(), func(tx *live.Tx) error {
		if _, err := add(tx, "!r:test", alice, "m.room.name", new(""), `{"name":"two"}`); err != nil {
			return err
		}
		if _, err := member(tx, "!r:test", bob, "join"); err != nil {
			return err
		}
		return refused
	})
	s.update(func(tx *live.Tx) error {
		d, err := tx.Room("!r:test")
		if err != nil {
			return err
		}
		if got := string(d.StateEvent("m.room.name", "").Content); got != `{"name":"one"}` || d.Member(bob) != nil || d.Tip().Type != "m.room.name" {
			t.Errorf("what was undone is still in the draft: %s", got)
		}
		topic, err := add(tx, "!r:test", alice, "m.room.topic", new(""), `{}`)
		if err != nil {
			return err
		}
		left, err := member(tx, "!r:test", alice, "leave")
		if all := d.State(true); err != nil || len(all) != 4 || !slices.Contains(all, topic) || !slices.Contains(all, left) {
			t.Errorf("inside the transaction the state is %v, %v", all, err)
		}
		if rest := d.State(false); len(rest) != 3 || slices.Contains(rest, left) {
			t.Errorf("and without members %v", rest)
		}
		return nil
	})
}

// TestMemoryEqualsStore runs random changes, refused ones and readers side by
// side, with a memory that holds one room at most, and compares each room with
// a memory that has just been made.
func TestMemoryEqualsStore(t *testing.T) {
	t.Parallel()
	s := newServer(t, 1)
	rooms := []events.RoomID{"!a:test", "!b:test", "!c:test"}
	for _, id := range rooms {
		s.room(id)
	}
	refused := errors.New("refused")
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(7, uint64(w)))
			for i := range 60 {
				err := s.Update(t.Context(), func(tx *live.Tx) error {
					room := rooms[rnd.IntN(3)]
					var e *live.Event
					var err error
					switch rnd.IntN(4) {
					case 0:
						e, err = member(tx, room, events.UserID(fmt.Sprintf("@u%d:test", rnd.IntN(9))), []string{"join", "leave", "invite", "ban"}[rnd.IntN(4)])
					case 1:
						e, err = add(tx, room, alice, "m.room.name", new(fmt.Sprint(rnd.IntN(3))), fmt.Sprintf(`{"name":"%d"}`, i))
					case 2:
						e, err = add(tx, room, alice, "m.room.history_visibility", new(""), `{"history_visibility":"joined"}`)
					default:
						e, err = add(tx, room, alice, "m.room.message", nil, fmt.Sprintf(`{"body":"%d %d"}`, w, i))
					}
					if err == nil && rnd.IntN(3) == 0 {
						var d *live.Draft
						if d, err = tx.Room(room); err == nil {
							var by *live.Event
							if by, err = add(tx, room, alice, events.TypeRedaction, nil, `{}`); err == nil {
								err = tx.Redact(d, e, by)
							}
						}
					}
					if err == nil && rnd.IntN(4) == 0 {
						var d *live.Draft
						if d, err = tx.Room(room); err == nil {
							err = tx.Relate(d, store.Relation{Room: d.Num, Pos: e.Pos, Event: e.Event, Target: 1, Type: "m.reference"})
						}
					}
					if err == nil && rnd.IntN(5) == 0 {
						err = refused
					}
					return err
				})
				if err != nil && !errors.Is(err, refused) {
					t.Error(err)
				}
				if _, err := s.Room(t.Context(), rooms[rnd.IntN(3)]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	fresh := live.New(s.st, live.DefaultLimit, time.Now)
	for _, id := range rooms {
		got, err := s.Room(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		want, err := fresh.Room(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(describe(want), describe(got)); diff != "" {
			t.Errorf("%s: memory differs from the store (-store +memory):\n%s", id, diff)
		}
	}
}

// describe lists what a room shows.
func describe(r *live.Room) map[string]string {
	out := map[string]string{"newest": fmt.Sprint(r.Newest()), "related": fmt.Sprint(r.Related()), "visibility": fmt.Sprint(r.Visibility())}
	for _, e := range r.State(true) {
		out[e.Type+"/"+*e.StateKey] = fmt.Sprint(e.Pos, e.Replaces, e.RedactedBy, string(e.Raw))
	}
	for _, m := range []string{"join", "leave", "invite", "ban"} {
		out[m] = fmt.Sprint(r.Count(m), len(r.Members(m)))
	}
	for _, e := range r.Heroes(alice) {
		out["heroes"] += *e.StateKey + " "
	}
	tail, ok := r.Tail(0, store.MaxPos, 10)
	out["tail"] = fmt.Sprint(ok)
	for i, e := range tail {
		out[fmt.Sprint("tail", i)] = fmt.Sprint(e.Pos, e.Replaces, e.RedactedBy, string(e.Raw))
	}
	return out
}

// Who looks on from outside is told of the next event, and leaves nothing behind, however many others there are and
// whether there was an event or not.
func TestWatchedRooms(t *testing.T) {
	t.Parallel()
	s := newServer(t, live.DefaultLimit)
	s.room("!r:test")
	isClosed := func(news <-chan struct{}) bool {
		select {
		case <-news:
			return true
		default:
			return false
		}
	}
	before := s.Position()
	first, stopFirst := s.RoomAfter("!r:test", before)
	second, stopSecond := s.RoomAfter("!r:test", before)
	silent, stopSilent := s.RoomAfter("!silent:test", before)
	stopFirst()
	if n := s.Watched(); n != 2 {
		t.Errorf("%d rooms are watched while somebody waits for two", n)
	}
	s.send("!r:test", "news")
	if !isClosed(second) || isClosed(silent) {
		t.Errorf("an event told those of its room: %v, those of another: %v", isClosed(first), isClosed(silent))
	}
	late, stopLate := s.RoomAfter("!r:test", before)
	if !isClosed(late) {
		t.Error("who came after the event waits for it")
	}
	third, stopThird := s.RoomAfter("!r:test", s.Position())
	stopSecond() // of what has gone off, which is nothing to those who wait now
	stopLate()
	stopSilent()
	if n := s.Watched(); n != 1 || isClosed(third) {
		t.Errorf("%d rooms are watched while somebody waits for one", n)
	}
	s.send("!r:test", "more")
	if stopThird(); !isClosed(third) || s.Watched() != 0 {
		t.Errorf("told: %v, and %d rooms are watched by nobody", isClosed(third), s.Watched())
	}
	_, stop := s.RoomAfter("!silent:test", s.Position())
	if stop(); s.Watched() != 0 {
		t.Errorf("%d silent rooms are watched by nobody", s.Watched())
	}
}

func TestLookTakesNoPlaceFromRoomsInUse(t *testing.T) {
	t.Parallel()
	s := newServer(t, live.DefaultLimit)
	for i := range 4 {
		s.room(events.RoomID(fmt.Sprintf("!%d:test", i)))
	}
	small := live.New(s.st, 3*2500, time.Now) // for two rooms and a part of one
	get := func(read func(context.Context, events.RoomID) (*live.Room, error), id events.RoomID) *live.Room {
		t.Helper()
		r, err := read(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if r.ID != id || r.Membership(alice) != events.MembershipJoin {
			t.Fatalf("got %s where alice is %q", r.ID, r.Membership(alice))
		}
		return r
	}
	looked, used := get(small.Look, "!0:test"), get(small.Room, "!1:test")
	if get(small.Room, "!0:test") != looked {
		t.Error("there was room for what has been looked at, and it was not kept")
	}
	if first := get(small.Look, "!2:test"); get(small.Look, "!2:test") == first {
		t.Error("a room was kept beyond the limit because somebody has looked at it")
	}
	get(small.Look, "!1:test") // is no use: it remains the one to go
	if get(small.Look, "!0:test") != looked || get(small.Look, "!1:test") != used {
		t.Fatal("rooms in use had to go for one that was looked at")
	}
	get(small.Room, "!3:test")
	if get(small.Look, "!0:test") != looked {
		t.Error("a look counts as use")
	}
	if get(small.Look, "!1:test") == used {
		t.Error("the room that was not used longest has stayed")
	}
}

// A room that is deleted is not there for what comes after it in the same transaction,
// comes back if the deletion is refused, and goes from the lists of its users.
func TestDeleteRoom(t *testing.T) {
	t.Parallel()
	s := newServer(t, live.DefaultLimit)
	s.room("!r:test")
	s.room("!other:test")
	s.update(func(tx *live.Tx) error { _, err := member(tx, "!r:test", alice, "leave"); return err })
	u, err := s.Connect(t.Context(), alice, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Disconnect(u)
	watch, stop := s.RoomAfter("!r:test", s.Position())
	defer stop()
	refused := errors.New("refused")
	remove := func(err error) func(tx *live.Tx) error {
		return func(tx *live.Tx) error {
			d, e := tx.Room("!r:test")
			if e != nil {
				return e
			}
			if e := tx.DeleteRoom(d); e != nil {
				return e
			}
			if _, e := member(tx, "!r:test", bob, "join"); !errors.Is(e, store.ErrNotFound) {
				return fmt.Errorf("join afterwards: %w", e)
			}
			return err
		}
	}
	if err := s.Update(t.Context(), remove(refused)); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if _, err := s.Room(t.Context(), "!r:test"); err != nil {
		t.Fatalf("after a refusal: %v", err)
	}
	s.update(func(tx *live.Tx) error { _, err := member(tx, "!r:test", bob, "ban"); return err })
	<-watch
	watch, stop = s.RoomAfter("!r:test", s.Position())
	defer stop()
	forgets := u.Forgets()
	s.update(remove(nil))
	if _, err := s.Room(t.Context(), "!r:test"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the room is there: %v", err)
	}
	if err := s.Update(t.Context(), remove(nil)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if list := u.RoomsSince(0); len(list) != 1 || list[0].ID != "!other:test" || u.Forgets() == forgets {
		t.Errorf("alice's rooms are %v", list)
	}
	<-watch // who looks on finds out
}
