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

func TestUserIsToldOfTheirRoomsOnly(t *testing.T) {
	t.Parallel()
	s := newServer(t, live.DefaultLimit)
	s.room("!a:test")
	s.room("!b:test")
	s.update(func(tx *live.Tx) error { _, err := member(tx, "!a:test", bob, "join"); return err })
	u, err := s.Connect(t.Context(), bob, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Disconnect(u)
	since := u.Changed()
	places := func() string {
		text := ""
		for _, c := range u.RoomsSince(since) {
			text += string(c.ID)
		}
		return text
	}
	s.send("!b:test", "not bob's business")
	if u.Changed() != since || places() != "" {
		t.Errorf("a room that bob is not in changed something for him: %s", places())
	}
	s.send("!a:test", "hello")
	if u.Changed() != s.Position() || places() != "!a:test" {
		t.Errorf("a message in his room: changed at %d of %d, %q", u.Changed(), s.Position(), places())
	}
	s.update(func(tx *live.Tx) error { _, err := member(tx, "!b:test", bob, "invite"); return err })
	if places() != "!b:test!a:test" {
		t.Errorf("an invite: %q", places())
	}
	since = u.Changed()
	s.send("!b:test", "the invited don't read along")
	if u.Changed() != since {
		t.Error("a message in a room bob is invited to woke him")
	}
	s.update(func(tx *live.Tx) error { _, err := member(tx, "!a:test", bob, "leave"); return err })
	s.send("!a:test", "after he left")
	if got := u.RoomsSince(since); len(got) != 1 || got[0].Pos != s.Position()-1 {
		t.Errorf("after leaving: %v", got)
	}
	s.update(func(tx *live.Tx) error {
		d, err := tx.Room("!a:test")
		if err != nil {
			return err
		}
		return tx.ForgetRoom(bob, d)
	})
	if got := u.RoomsSince(since); len(got) != 1 || !got[0].Forgotten {
		t.Errorf("after forgetting: %v", got) // MEMB-33: that he left is still to be told
	}
	s.update(func(tx *live.Tx) error { tx.UserChanged(bob, tx.Next()); return nil })
	if u.Changed() != s.Position() {
		t.Error("something of his own did not reach bob")
	}
}

func TestUsersFromTheStoreAreAsThoseWhoStayed(t *testing.T) {
	t.Parallel()
	s := newServer(t, live.DefaultLimit)
	stayed, err := s.Connect(t.Context(), bob, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Disconnect(stayed)
	for i, membership := range []string{"join", "invite", "leave", "knock", "ban"} {
		id := events.RoomID(fmt.Sprintf("!r%d:test", i))
		s.room(id)
		s.update(func(tx *live.Tx) error { _, err := member(tx, id, bob, membership); return err })
		s.send(id, "later")
	}
	for i, change := range []func(tx *live.Tx, id events.RoomID) error{
		func(tx *live.Tx, id events.RoomID) error {
			_, err := add(tx, id, alice, events.TypeEncryption, new(""), `{"algorithm":"x"}`)
			return err
		},
		func(tx *live.Tx, id events.RoomID) error {
			_, err := add(tx, id, alice, events.TypeMember, new(string(bob)), `{"membership":"leave"}`)
			return err
		},
		func(tx *live.Tx, id events.RoomID) error {
			_, err := add(tx, id, bob, events.TypeMember, new(string(bob)), `{"membership":"leave"}`)
			return err
		},
	} {
		id := events.RoomID(fmt.Sprintf("!s%d:test", i))
		s.room(id)
		s.update(func(tx *live.Tx) error { _, err := member(tx, id, bob, "join"); return err })
		s.send(id, "meanwhile")
		s.update(func(tx *live.Tx) error { return change(tx, id) })
	}
	var is []string
	for _, c := range stayed.RoomsSince(0) {
		is = append(is, fmt.Sprintf("%s %s %v %v", c.ID, c.Membership, c.Encrypted, c.Removed))
	}
	want := []string{
		"!s2:test leave false false", "!s1:test leave false true", "!s0:test join true false", "!r4:test ban false false",
		"!r3:test knock false false", "!r2:test leave false false", "!r1:test invite false false", "!r0:test join false false",
	}
	if diff := cmp.Diff(want, is); diff != "" {
		t.Errorf("what the rooms are (-want +got):\n%s", diff)
	}
	fresh := live.New(s.st, live.DefaultLimit, time.Now)
	u, err := fresh.Connect(t.Context(), bob, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Disconnect(u)
	if diff := cmp.Diff(stayed.RoomsSince(0), u.RoomsSince(0)); diff != "" {
		t.Errorf("(-stayed +fresh):\n%s", diff)
	}
}

// Who has last been told before memory followed them finds the rooms with receipts since
// then; who begins anew has the rooms in the order of events.
func TestReceiptsFromBefore(t *testing.T) {
	t.Parallel()
	s := newServer(t, live.DefaultLimit)
	receipt := func(m *live.Memory, id events.RoomID) (pos store.Pos) {
		err := m.Update(t.Context(), func(tx *live.Tx) error {
			d, err := tx.Room(id)
			if err != nil {
				return err
			}
			pos = tx.Next()
			tx.ReceiptsChanged(d, pos, "")
			return tx.PutReceipt(store.Receipt{Room: d.Num, User: bob, Type: "m.read", Event: "$1", Pos: pos})
		})
		if err != nil {
			t.Fatal(err)
		}
		return pos
	}
	for _, id := range []events.RoomID{"!a:test", "!b:test", "!c:test", "!left:test"} {
		s.room(id)
	}
	s.update(func(tx *live.Tx) error { _, err := member(tx, "!left:test", alice, "leave"); return err })
	since := s.Position()
	receipt(s.Memory, "!b:test")
	receipt(s.Memory, "!a:test")
	receipt(s.Memory, "!left:test")

	m := live.New(s.st, live.DefaultLimit, time.Now)
	connect := func(from store.Pos) *live.User {
		t.Helper()
		u, err := m.Connect(t.Context(), alice, from)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	rooms := func(u *live.User, from store.Pos) (text string) {
		for _, c := range u.RoomsSince(from) {
			text += string(c.ID)
		}
		return text
	}
	u := connect(0)
	defer m.Disconnect(u)
	later := receipt(m, "!c:test")
	if got := rooms(u, 0); got != "!c:test!left:test!b:test!a:test" {
		t.Errorf("for who begins anew: %s", got)
	}
	again := connect(since)
	defer m.Disconnect(again)
	if got := rooms(again, since); again != u || got != "!c:test!a:test!b:test" {
		t.Errorf("since %d: %s", since, got)
	}
	if c := u.RoomsSince(since); c[0].Pos != later || c[1].Pos > u.From || c[1].Event > since {
		t.Errorf("%+v", c)
	}
	if got := rooms(u, u.From); got != "!c:test" {
		t.Errorf("since memory follows: %s", got)
	}
}

// Somebody who connects waits for what memory will learn of, not for positions that
// were taken without a word.
func TestWaitBeginsAtWhatMemoryKnows(t *testing.T) {
	t.Parallel()
	s := newServer(t, live.DefaultLimit)
	s.room("!a:test")
	s.update(func(tx *live.Tx) error { tx.Next(); return nil })
	u, err := s.Connect(t.Context(), alice, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, changed := range map[string]<-chan struct{}{"After": u.After(s.Position()), "AfterPresence": u.AfterPresence(s.Position())} {
		select {
		case <-changed:
			t.Errorf("%s: something has changed after %d", name, s.Position())
		default:
		}
	}
}

func TestWaitEndsWithTheChange(t *testing.T) {
	t.Parallel()
	s := newServer(t, live.DefaultLimit)
	s.room("!a:test")
	u, err := s.Connect(t.Context(), alice, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Disconnect(u)
	since := u.Changed()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			<-u.After(since)
			if p := s.Position(); p <= since {
				t.Errorf("woken at position %d, before it moved", p)
			}
		})
	}
	s.send("!a:test", "hello")
	wg.Wait()
	select {
	case <-u.After(u.Changed()):
		t.Error("nothing has changed since the last change")
	default:
	}
}

func TestIdleUsersAreForgotten(t *testing.T) {
	t.Parallel()
	s := newServer(t, live.DefaultLimit)
	now := time.Now()
	m := live.New(s.st, live.DefaultLimit, func() time.Time { return now })
	connect := func(id events.UserID) *live.User {
		u, err := m.Connect(t.Context(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	first := connect(alice)
	m.Disconnect(first)
	if connect(alice) != first {
		t.Error("alice was forgotten at once")
	}
	now = now.Add(time.Hour)
	b := connect(bob)
	if connect(alice) != first {
		t.Error("alice was forgotten while connected")
	}
	m.Disconnect(first)
	m.Disconnect(first)
	m.Disconnect(b)
	now = now.Add(time.Hour)
	m.Disconnect(connect("@carol:test"))
	if connect(alice) == first {
		t.Error("alice was remembered for an hour")
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
