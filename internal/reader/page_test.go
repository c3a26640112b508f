package reader

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

func positions(list []*live.Event) []store.Pos {
	out := []store.Pos{}
	for _, e := range list {
		out = append(out, e.Pos)
	}
	return out
}

// Pages of random histories hold what the rules allow, in order, and say truly whether
// there is more; a walk over all of them meets everything once (READ-11 to READ-13).
func TestPages(t *testing.T) {
	t.Parallel()
	messages := func(e *events.Event) bool { return e.Type == "m.room.message" }
	for seed := range uint64(6) {
		h := randomHistory(t, seed, 90)
		list := h.all()
		for _, user := range []events.UserID{alice, bob, "@carol:test"} {
			sees := oracle(user, list)
			for _, match := range []Match{nil, messages} {
				var want []store.Pos
				for _, e := range list {
					if sees[e.Pos] && (match == nil || match(e.Event)) {
						want = append(want, e.Pos)
					}
				}
				for _, r := range []*house{h, h.forgetful()} {
					for _, limit := range []int{1, 7, 200} {
						r.checkWalk(t, fmt.Sprint("seed ", seed, " ", user, " limit ", limit), user, limit, match, want)
					}
				}
			}
		}
	}
}

// checkWalk walks over a whole room in both directions.
func (h *house) checkWalk(t *testing.T, name string, user events.UserID, limit int, match Match, want []store.Pos) {
	t.Helper()
	reversed := slices.Clone(want)
	slices.Reverse(reversed)
	for _, back := range []bool{true, false} {
		at, want := store.Pos(0), want
		if back {
			at, want = store.MaxPos, reversed
		}
		got := []store.Pos{}
		for {
			s := NewScope(h.room(), user)
			var page Page
			var err error
			if back {
				page, err = h.Back(t.Context(), s, at, 0, limit, match)
			} else {
				page, err = h.Forward(t.Context(), s, at, store.MaxPos, limit, match)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Events {
				if e.Replaces != 0 && e.Prev == nil {
					t.Fatalf("%s: %d is not linked", name, e.Pos)
				}
			}
			got = append(got, positions(page.Events)...)
			if len(page.Events) > limit || page.More != (len(got) < len(want)) {
				t.Fatalf("%s back %v from %d: %d events, more %v; %d of %d so far", name, back, at, len(page.Events), page.More, len(got), len(want))
			}
			if !page.More {
				break
			}
			at = page.Next
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%s back %v: %v, want %v", name, back, got, want)
		}
	}
}

// Pages end where they are told to (READ-16).
func TestPageBounds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for range 9 {
		h.say("hello")
	}
	for _, h := range []*house{h, h.forgetful()} {
		for low := store.Pos(0); low < 13; low++ {
			for high := store.Pos(0); high < 13; high++ {
				for _, limit := range []int{0, 3, 20} {
					var want []store.Pos
					for p := low + 1; p <= min(high, 11); p++ {
						want = append(want, p)
					}
					page, err := h.Forward(t.Context(), NewScope(h.room(), alice), low, high, limit, nil)
					if err != nil || !slices.Equal(positions(page.Events), want[:min(limit, len(want))]) || page.More != (len(want) > limit) {
						t.Errorf("from %d until %d limit %d: %v more %v %v", low, high, limit, positions(page.Events), page.More, err)
					}
					slices.Reverse(want)
					page, err = h.Back(t.Context(), NewScope(h.room(), alice), high, low, limit, nil)
					if err != nil || !slices.Equal(positions(page.Events), want[:min(limit, len(want))]) || page.More != (len(want) > limit) {
						t.Errorf("from %d back to %d limit %d: %v more %v %v", high, low, limit, positions(page.Events), page.More, err)
					}
				}
			}
		}
	}
}

// fill adds n messages to the room in few transactions.
func (h *house) fill(n int) {
	h.Helper()
	for n > 0 {
		h.update(func(tx *live.Tx) error {
			d, err := tx.Room(roomID)
			for i := 0; i < 1000 && n > 0 && err == nil; i++ {
				_, err = tx.Append(d, h.build(d, alice, "m.room.message", nil, fmt.Sprintf(`{"body":"message %d of many"}`, h.clock)), store.Txn{})
				h.clock++
				n--
			}
			return err
		})
	}
}

// A filter that nothing passes ends the work, and the client can go on from there
// (READ-14).
func TestPageOfNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	first := h.state("m.room.topic", `{"topic":"first"}`)
	h.fill(maxScan + 1000)
	topics := func(e *events.Event) bool { return e.Type == "m.room.topic" }
	page, err := h.Back(t.Context(), h.scope(alice), store.MaxPos, 0, 10, topics)
	if err != nil || len(page.Events) > 0 || !page.More || page.Next > h.room().Newest()-maxScan {
		t.Fatalf("%d events, more %v, next %d, %v", len(page.Events), page.More, page.Next, err)
	}
	page, err = h.Back(t.Context(), h.scope(alice), page.Next, 0, 10, topics)
	if err != nil || len(page.Events) != 1 || page.Events[0].Pos != first.Pos || page.More {
		t.Errorf("going on: %v, more %v, %v", positions(page.Events), page.More, err)
	}
}

// Whoever came late finds what they see at once, however much was before (READ-14,
// READ-9).
func TestPageOfLatecomer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.visibility("joined")
	h.fill(maxScan + 1000)
	in := h.member(bob, "join")
	h.member(alice, "join")
	page, err := h.Forward(t.Context(), h.scope(bob), 3, store.MaxPos, 10, nil)
	if err != nil || !slices.Equal(positions(page.Events), []store.Pos{in.Pos, in.Pos + 1}) || page.More {
		t.Errorf("%v, more %v, %v", positions(page.Events), page.More, err)
	}
}

// countReads counts the transactions that read.
type countReads struct {
	store.Store
	n int
}

func (c *countReads) View(ctx context.Context, fn func(store.View) error) error {
	c.n++
	return c.Store.View(ctx, fn)
}

// The newest events come from memory, for everybody who has been there for a while.
func TestPagesFromMemory(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.member(bob, "join")
	for range 40 {
		h.say("hello")
	}
	counted := &countReads{Store: h.st}
	fresh := live.New(counted, live.DefaultLimit, h.now)
	h.Reader.Memory = fresh
	h.room()
	counted.n = 0
	page, err := h.Back(t.Context(), NewScope(h.room(), bob), store.MaxPos, 0, 20, nil)
	if err != nil || len(page.Events) != 20 || counted.n != 0 {
		t.Errorf("%d events with %d reads, %v", len(page.Events), counted.n, err)
	}
	if _, err = h.Back(t.Context(), NewScope(h.room(), bob), page.Next, 0, 20, nil); err != nil || counted.n != 1 {
		t.Errorf("%d reads for older ones, %v", counted.n, err)
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.member(bob, "invite")
	topics := []*live.Event{h.state("m.room.topic", `{"topic":"0"}`), h.state("m.room.topic", `{"topic":"1"}`), h.state("m.room.topic", `{"topic":"2"}`)}
	h.member(bob, "join")
	h.fill(100)
	for name, h := range map[string]*house{"memory": h, "store": h.forgetful()} {
		for i, topic := range topics {
			list, err := h.StateAt(t.Context(), h.room(), topic.Pos, true)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, e := range list {
				got[e.Type+*e.StateKey] = fmt.Sprint(e.Pos, e.Prev != nil)
			}
			want := map[string]string{
				"m.room.create": "1 false", "m.room.member@alice:test": "2 false", "m.room.member@bob:test": "3 false",
				"m.room.topic": fmt.Sprint(topic.Pos, i > 0),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: state at %d (-want +got):\n%s", name, topic.Pos, diff)
			}
			list, err = h.StateAt(t.Context(), h.room(), topic.Pos, false)
			if err != nil || len(list) != 2 {
				t.Errorf("%s: state without members: %v %v", name, positions(list), err)
			}
		}
		for at, want := range map[store.Pos][]string{2: {"join"}, 3: {"invite", "join"}, 5: {"invite", "join"}, store.MaxPos: {"join", "join"}} {
			list, err := h.AllMembersAt(t.Context(), h.room(), at, func(*live.Event) bool { return true })
			got := []string{}
			for _, e := range list {
				got = append(got, e.Membership())
				if e.Replaces != 0 && e.Prev == nil {
					t.Errorf("%s: member at %d is not linked", name, e.Pos)
				}
			}
			if slices.Sort(got); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: members at %d: %v %v", name, at, got, err)
			}
			list, err = h.MembersAt(t.Context(), h.room(), at, []events.UserID{bob, "@carol:test"})
			if err != nil || len(list) != len(want)-1 {
				t.Errorf("%s: bob at %d: %v %v", name, at, positions(list), err)
			}
		}
	}
}
