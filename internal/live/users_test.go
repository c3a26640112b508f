package live_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

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
