package reader

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
)

// READ-24, VIS-6: the nearest visible event by the clock, ties by the order of the
// room, in random histories whose clocks go back and forth.
func TestNearest(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		h := randomHistory(t, seed, 60)
		list := h.all()
		for _, user := range []events.UserID{alice, bob, "@carol:test"} {
			sees := oracle(user, list)
			visible := slices.DeleteFunc(slices.Clone(list), func(e *live.Event) bool { return !sees[e.Pos] })
			slices.SortStableFunc(visible, func(a, b *live.Event) int { return cmp.Compare(a.TS, b.TS) })
			for ts := int64(990); ts < 1080; ts++ {
				var first, last *live.Event
				for _, e := range visible {
					if e.TS >= ts && first == nil {
						first = e
					}
					if e.TS <= ts {
						last = e
					}
				}
				for forward, want := range map[bool]*live.Event{true: first, false: last} {
					got, err := h.Nearest(t.Context(), NewScope(h.room(), user), ts, forward)
					if err != nil || (got == nil) != (want == nil) || got != nil && got.Pos != want.Pos {
						t.Fatalf("seed %d %s %d forward %v: %s, want %s; %v", seed, user, ts, forward, name(got), name(want), err)
					}
				}
			}
		}
	}
}

func name(e *live.Event) string {
	if e == nil {
		return "none"
	}
	return fmt.Sprintf("%d of time %d", e.Pos, e.TS)
}

// However much is hidden from them, people find the way to what is not.
func TestNearestBeyondHidden(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.visibility("joined")
	h.member(bob, "join")
	out := h.member(bob, "leave")
	start := h.clock
	h.fill(maxScan + 1000)
	end := h.clock
	in := h.member(bob, "join")
	h.say("hello")
	for ts := start - 1; ts <= end; ts += 500 {
		next, err := h.Nearest(t.Context(), h.scope(bob), ts+1, true)
		if err != nil || next == nil || next.Pos != in.Pos {
			t.Errorf("after %d: %s, want %s; %v", ts, name(next), name(in), err)
		}
		before, err := h.Nearest(t.Context(), h.scope(bob), ts, false)
		if err != nil || before == nil || before.Pos != out.Pos {
			t.Errorf("before %d: %s, want %s; %v", ts, name(before), name(out), err)
		}
	}
	if e, err := h.Nearest(t.Context(), h.scope("@carol:test"), 0, true); e != nil || err != nil {
		t.Errorf("a stranger finds %s, %v", name(e), err)
	}
	if e, err := h.Nearest(t.Context(), h.scope("@carol:test"), h.clock, false); e != nil || err != nil {
		t.Errorf("a stranger finds %s, %v", name(e), err)
	}
}

// Finding an event by its time takes as long in a large room as in a small one.
func BenchmarkNearest(b *testing.B) {
	h := newHouse(b)
	h.member(bob, "join")
	h.fill(50_000)
	for _, user := range []events.UserID{alice, bob} {
		b.Run(user.Localpart(), func(b *testing.B) {
			b.ReportAllocs()
			for i := int64(0); b.Loop(); i = (i + 7919) % 50_000 {
				e, err := h.Nearest(b.Context(), NewScope(h.room(), user), 1000+i, i%2 == 0)
				if err != nil || e == nil {
					b.Fatal(name(e), err)
				}
			}
		})
	}
}
