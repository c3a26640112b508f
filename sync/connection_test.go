package sync

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

const alice events.UserID = "@alice:test"

// Together connections remember so much and no more; who comes too late begins anew
// (SLIDE-7).
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	var cs connections
	open := func(device, pos string) (*entry, error) {
		return cs.open(&SlidingRequest{User: alice, Device: device, Pos: pos})
	}
	var entries []*entry
	for i := range 4 {
		e, err := open(fmt.Sprint("device ", i), "")
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
		cs.weigh(e, maxRemembered/3)
	}
	for i, want := range []bool{false, true, true, true} {
		if e, err := open(fmt.Sprint("device ", i), "x"); (err == nil) != want || want && e != entries[i] {
			t.Errorf("connection %d: %v", i, err)
		}
	}
	cs.weigh(entries[0], maxRemembered) // is gone, its answer was under way
	if cs.size != 3*(maxRemembered/3) || cs.used.Len() != 3 || len(cs.byDevice) != 3 {
		t.Errorf("%d rooms in %d connections of %d devices", cs.size, cs.used.Len(), len(cs.byDevice))
	}
	cs.weigh(entries[2], 2*maxRemembered) // one alone may be larger
	if _, err := open("device 2", "x"); err != nil || cs.used.Len() != 1 {
		t.Errorf("the largest: %v, %d are left", err, cs.used.Len())
	}
	if e, _ := open("device 2", ""); e == entries[2] || cs.size != 0 {
		t.Errorf("a connection that begins anew remembers %d rooms", cs.size)
	}
}

// Answers under way are remembered until one of them is acknowledged, the latest few
// (SLIDE-6).
func TestConnectionAcknowledges(t *testing.T) {
	t.Parallel()
	c := newConnection()
	answer := func(until store.Pos, rooms ...store.RoomNum) string {
		tells := map[store.RoomNum]told{}
		for _, r := range rooms {
			tells[r] = told{}
		}
		return c.answered(progress{until: until}, tells)
	}
	lost := answer(1, 1)
	for i := range store.Pos(maxPending) {
		answer(2+i, 2)
	}
	last := answer(10, 3)
	for _, pos := range []string{lost, "", last, last} {
		err := c.acknowledge(pos)
		if pos == lost {
			if e, ok := err.(*mxerr.Error); !ok || e.Code != mxerr.MUnknownPos {
				t.Errorf("an answer of long ago: %v", err)
			}
		} else if err != nil {
			t.Error(err)
		}
	}
	if _, ok := c.rooms[3]; !ok || len(c.rooms) != 1 || c.told.until != 10 || len(c.pending) != 0 {
		t.Errorf("%+v", c)
	}
	if again := answer(10); again == last {
		t.Error("two answers with one position")
	}
}

// Whoever waits for the answer to another request of their connection waits no longer than they are there.
func TestConnectionWaitsForNobodyGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		e, err := s.connections.open(&SlidingRequest{User: alice})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := s.slide(ctx, &SlidingRequest{}, nil, nil, e); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		time.AfterFunc(time.Second, e.end)
		if _, err := s.slide(t.Context(), &SlidingRequest{Pos: "unknown"}, nil, nil, e); !errors.As(err, new(*mxerr.Error)) {
			t.Errorf("its turn: %v", err)
		}
		if err := e.begin(t.Context()); err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("after a refusal: %v after %v", err, time.Since(began))
		}
	})
}

// An interest that covers another wants all that the other wants.
func TestInterestsCover(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	words := []string{"", "a", "b", events.TypeMember, string(alice)}
	pick := func() string { return words[rnd.IntN(len(words))] }
	random := func() *interest {
		patterns := func(n int) (list []StatePattern) {
			for range rnd.IntN(n) {
				list = append(list, StatePattern{Type: pick(), Key: pick(), AnyType: rnd.IntN(4) == 0, AnyKey: rnd.IntN(4) == 0})
			}
			return list
		}
		return newInterest(SlidingRoom{
			TimelineLimit: rnd.IntN(3), LazyMembers: rnd.IntN(4) == 0, Include: patterns(4), Exclude: patterns(2),
		})
	}
	covering := 0
	for range 20_000 {
		i, o := random(), random()
		both := joinInterests([]*interest{i, o})
		again := *i
		if !both.covers(i) || !both.covers(o) || !i.covers(&again) {
			t.Fatalf("%+v and %+v are not covered by %+v", i, o, both)
		}
		for _, typ := range words {
			for _, key := range words {
				want := i.wants(typ, key) || o.wants(typ, key)
				if search, members := both.searches(); both.wants(typ, key) != want ||
					want && !slices.Contains(both.exactKeys(), events.StateKey{Type: typ, Key: key}) && (!search || typ == events.TypeMember && !members) {
					t.Fatalf("%+v and %+v together want %s %s: %+v", i, o, typ, key, both)
				}
			}
		}
		if !i.covers(o) {
			continue
		}
		covering++
		for _, typ := range words {
			for _, key := range words {
				if o.wants(typ, key) && !i.wants(typ, key) {
					t.Fatalf("%+v covers %+v and does not want %s %s", i, o, typ, key)
				}
			}
		}
		if o.limit > i.limit || o.lazy && !i.lazy && !i.wants(events.TypeMember, "somebody") {
			t.Fatalf("%+v covers %+v", i, o)
		}
	}
	if covering < 1000 {
		t.Errorf("only %d pairs were looked at", covering)
	}
}

// Windows are compared by the places they have.
func TestListsCover(t *testing.T) {
	t.Parallel()
	type windows = [][2]int
	for _, tt := range []struct {
		list, others windows
		want         bool
	}{
		{nil, nil, true},
		{nil, windows{{0, 9}}, true},
		{windows{{0, 9}}, nil, false},
		{windows{{0, 9}}, windows{{0, 9}}, true},
		{windows{{0, 9}}, windows{{2, 3}, {5, 9}}, true},
		{windows{{0, 9}}, windows{{0, 10}}, false},
		{windows{{5, 9}, {0, 4}}, windows{{3, 7}}, true},
		{windows{{0, 3}, {5, 9}}, windows{{3, 5}}, false},
		{windows{}, windows{}, true},
		{windows{}, windows{{0, 0}}, false},
	} {
		if got := (SlidingList{Ranges: tt.list}).covers(tt.others); got != tt.want {
			t.Errorf("%v covers %v: %v", tt.list, tt.others, got)
		}
	}
	for _, tt := range []struct {
		ranges windows
		want   bool
	}{{nil, true}, {windows{}, true}, {windows{{0, 5}}, true}, {windows{{3, 9}, {0, 2}}, true}, {windows{{1, 5}}, false}, {windows{{0, 1}, {3, 4}}, false}} {
		if got := (SlidingList{Ranges: tt.ranges}).prefix(); got != tt.want {
			t.Errorf("%v begins with the newest: %v", tt.ranges, got)
		}
	}
}
