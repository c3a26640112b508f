package reader

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// The table of section 2.14, for a message that is sent when somebody's
// memberships are those before the bar, and later those after it (VIS-1).
func TestVisibilityOfMessages(t *testing.T) {
	t.Parallel()
	histories := map[string]string{
		"join |":                         "world_readable shared invited joined",
		"join | leave":                   "world_readable shared invited joined",
		"invite |":                       "world_readable invited",
		"invite | leave":                 "world_readable invited",
		"invite | join":                  "world_readable shared invited",
		"invite | join leave":            "world_readable shared invited",
		"| join":                         "world_readable shared",
		"| join ban":                     "world_readable shared",
		"| invite":                       "world_readable",
		"knock |":                        "world_readable",
		"knock | invite join":            "world_readable shared",
		"join leave |":                   "world_readable",
		"join leave | join":              "world_readable shared",
		"join leave | invite":            "world_readable",
		"join ban |":                     "world_readable",
		"join leave invite |":            "world_readable invited",
		"join leave join |":              "world_readable shared invited joined",
		"join leave join leave |":        "world_readable",
		"join leave | invite join leave": "world_readable shared",
		"|":                              "world_readable",
		"ban |":                          "world_readable",
		"ban leave | join":               "world_readable shared",
	}
	for _, visibility := range []string{"world_readable", "shared", "invited", "joined", "", "nonsense"} {
		h := newHouse(t)
		if visibility != "" {
			h.visibility(visibility)
		}
		user := func(history string) events.UserID {
			return events.UserID("@" + strings.NewReplacer(" ", "_", "|", "say").Replace(history) + ":test")
		}
		for history := range histories {
			before, _, _ := strings.Cut(history, "|")
			for _, step := range strings.Fields(before) {
				h.member(user(history), step)
			}
		}
		message := h.say("hello")
		effective := visibility
		if visibility == "" || visibility == "nonsense" { // VIS-2
			effective = "shared"
		}
		for history, want := range histories {
			_, after, _ := strings.Cut(history, "|")
			for _, step := range strings.Fields(after) {
				h.member(user(history), step)
			}
			if got := h.scope(user(history)).Sees(message); got != slices.Contains(strings.Fields(want), effective) {
				t.Errorf("%q %s: sees it: %v", visibility, history, got)
			}
		}
		if !h.scope(alice).Sees(message) {
			t.Errorf("%q: a member does not see it", visibility)
		}
	}
}

// What decides is the visibility at the event, and those of changes before and after
// them (VIS-2, VIS-3).
func TestVisibilityChanges(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	seen := func(user events.UserID, e *live.Event) bool { return h.scope(user).Sees(e) }
	early := h.say("shared")
	open := h.visibility("world_readable")
	world := h.say("world")
	closed := h.visibility("joined")
	hidden := h.say("hidden")
	for name, tt := range map[string]struct {
		event *live.Event
		want  bool
	}{
		"before it was open":  {early, false},
		"the opening":         {open, true},
		"while it was":        {world, true},
		"the closing":         {closed, true},
		"after it was closed": {hidden, false},
	} {
		if got := seen(bob, tt.event); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	h.member(bob, "join")
	if !seen(bob, early) || seen(bob, hidden) {
		t.Error("joining makes visible what was shared before, and only that")
	}
}

// Own member events are visible with the membership before or after them (VIS-4).
func TestVisibilityOfOwnMembership(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.visibility("joined")
	for _, step := range []struct {
		membership string
		want       bool
	}{{"invite", false}, {"join", true}, {"leave", true}, {"knock", false}, {"invite", false}, {"leave", false}, {"join", true}, {"ban", true}, {"leave", false}} {
		e := h.member(bob, step.membership)
		if got := h.scope(bob).Sees(e); got != step.want {
			t.Errorf("%s at %d: %v, want %v", step.membership, e.Pos, got, step.want)
		}
		if h.scope("@carol:test").Sees(e) {
			t.Errorf("%s is seen by a stranger", step.membership)
		}
	}
}

// A scope knows nothing of what comes after it was made, and shows none of it: the
// user may have left meanwhile (VIS-5).
func TestScopeIsOfItsTime(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.member(bob, "join")
	h.say("one")
	s := NewScope(h.room(), bob)
	h.member(bob, "leave")
	secret := h.say("secret")
	if s.Sees(secret) {
		t.Error("a scope made while bob was there shows what came after he left")
	}
	page, err := h.Back(t.Context(), s, store.MaxPos, 0, 10, nil)
	if err != nil || slices.ContainsFunc(page.Events, func(e *live.Event) bool { return e.Pos >= secret.Pos-1 }) {
		t.Errorf("so does a page: %v", err)
	}
}

func TestEnter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		history, visibility string
		want                string // "no", "now", "then"
	}{
		{"", "shared", "no"}, // READ-17, STATE-4
		{"", "world_readable", "now"},
		{"invite", "shared", "no"}, // STATE-5
		{"invite", "invited", "no"},
		{"knock", "shared", "no"},
		{"ban", "shared", "no"},
		{"invite leave", "shared", "no"},
		{"join", "joined", "now"},
		{"join leave", "joined", "then"}, // READ-21
		{"join ban", "joined", "then"},
		{"join ban leave", "joined", "then"},
		{"join leave invite", "joined", "then"}, // VIS-5: what was visible stays visible
		{"join leave knock leave", "joined", "then"},
		{"join leave", "world_readable", "now"},
		{"join leave forget", "joined", "no"}, // MEMB-32
		{"join leave forget invite", "joined", "then"},
		{"join leave forget", "world_readable", "now"},
	} {
		h := newHouse(t)
		h.visibility(tt.visibility)
		var left store.Pos
		for _, step := range strings.Fields(tt.history) {
			if step == "forget" {
				h.update(func(tx *live.Tx) error {
					d, err := tx.Room(roomID)
					if err != nil {
						return err
					}
					return tx.ForgetRoom(bob, d)
				})
				continue
			}
			was := h.room().Membership(bob)
			if e := h.member(bob, step); was == "join" {
				left = e.Pos
			}
			h.say("and so on")
		}
		access, err := h.Enter(t.Context(), bob, roomID)
		got := "now"
		switch {
		case errors.Is(err, mxerr.MForbidden):
			got = "no"
		case err != nil:
			t.Fatal(err)
		case access.Until == left:
			got = "then"
		case access.Until != store.MaxPos:
			got = fmt.Sprint(access.Until)
		}
		if got != tt.want {
			t.Errorf("%s, %s: %s, want %s", tt.history, tt.visibility, got, tt.want)
		}
	}
	h := newHouse(t)
	if _, err := h.Enter(t.Context(), bob, "!other:test"); !errors.Is(err, mxerr.MForbidden) { // READ-17
		t.Errorf("a room that does not exist: %v", err)
	}
}

// oracle decides about each event of a history by the words of VIS-1 to VIS-5, for a
// user and with nothing in mind but the list.
func oracle(user events.UserID, list []*live.Event) map[store.Pos]bool {
	type moment struct{ membership, visibility string }
	at := make([]moment, len(list)+1) // at[i+1]: right after list[i]
	at[0] = moment{"leave", "shared"}
	for i, e := range list {
		at[i+1] = at[i]
		if e.Type == events.TypeMember && *e.StateKey == string(user) {
			at[i+1].membership = e.Membership()
		}
		if e.Type == events.TypeHistoryVisibility {
			at[i+1].visibility = string(e.Visibility())
		}
	}
	sees := map[store.Pos]bool{}
	for i, e := range list {
		later := false
		for _, m := range at[i+1:] {
			later = later || m.membership == "join"
		}
		allows := func(membership, visibility string) bool {
			return visibility == "world_readable" || membership == "join" || visibility == "shared" && later ||
				visibility == "invited" && membership == "invite"
		}
		before, after := at[i], at[i+1]
		sees[e.Pos] = allows(after.membership, after.visibility) ||
			before.visibility != after.visibility && allows(after.membership, before.visibility) ||
			before.membership != after.membership && allows(before.membership, after.visibility)
	}
	return sees
}

// randomHistory fills a house with n events that matter to bob, and long stretches of
// positions that are other rooms'.
func randomHistory(t *testing.T, seed uint64, n int) *house {
	t.Helper()
	h := newHouse(t)
	rnd := rand.New(rand.NewPCG(seed, 5))
	for i := range n {
		skip := 0
		if rnd.IntN(6) == 0 {
			skip = 2 * minGap
		}
		switch rnd.IntN(9) {
		case 0, 1:
			m := []string{"join", "leave", "invite", "ban", "knock", "join"}[rnd.IntN(6)]
			h.add(bob, events.TypeMember, new(string(bob)), fmt.Sprintf(`{"displayname":"%d","membership":%q}`, i, m), skip, store.Txn{})
		case 2:
			v := []string{"joined", "invited", "shared", "world_readable"}[rnd.IntN(4)]
			h.add(alice, events.TypeHistoryVisibility, new(""), fmt.Sprintf(`{"history_visibility":%q}`, v), skip, store.Txn{})
		default:
			h.clock += rnd.Int64N(7) - 3
			h.add(alice, "m.room.message", nil, fmt.Sprintf(`{"body":"%d"}`, i), skip, store.Txn{})
		}
	}
	return h
}

// Random histories: whatever a scope knows it decides as the rules do, from memory as
// from the store, and what it skips is nothing that it shows (VIS-1 to VIS-5).
func TestScopeAgreesWithTheRules(t *testing.T) {
	t.Parallel()
	for seed := range uint64(25) {
		h := randomHistory(t, seed, 60)
		list := h.all()
		for _, user := range []events.UserID{alice, bob, "@carol:test"} {
			want := oracle(user, list)
			loaded, unloaded, fresh := h.scope(user), NewScope(h.room(), user), NewScope(h.forgetful().room(), user)
			for _, e := range list {
				if got := loaded.Sees(e); got != want[e.Pos] {
					t.Fatalf("seed %d: %s sees %d: %v", seed, user, e.Pos, got)
				}
				for _, s := range []*Scope{unloaded, fresh} {
					if s.Knows(e.Pos-1) && s.Sees(e) != want[e.Pos] {
						t.Fatalf("seed %d: %s sees %d from memory: %v", seed, user, e.Pos, !want[e.Pos])
					}
					if s.decides(e.Pos) && s.Sees(e) != want[e.Pos] {
						t.Fatalf("seed %d: %s is decided to see %d: %v", seed, user, e.Pos, !want[e.Pos])
					}
				}
				if low, high := loaded.stretch(e.Pos-1, e.Pos, false); want[e.Pos] && low >= high {
					t.Fatalf("seed %d: %s: the event at %d would be skipped", seed, user, e.Pos)
				}
			}
		}
	}
}

// Long times that a user sees nothing of are skipped.
func TestScopeSkips(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	closed := h.visibility("joined")
	gap := func() { h.add(alice, "m.room.message", nil, `{}`, 3*minGap, store.Txn{}) }
	gap()
	in := h.member(bob, "join")
	gap()
	out := h.member(bob, "leave")
	gap()
	again := h.member(bob, "join")
	gap()
	last := h.room().Newest()
	want := []span{{1, closed.Pos}, {in.Pos, out.Pos}, {again.Pos, last}}
	if diff := cmp.Diff(want, h.scope(bob).seen(), cmp.AllowUnexported(span{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s := h.scope(bob)
	for _, tt := range []struct {
		low, high store.Pos
		back      bool
		want      span
	}{
		{0, store.MaxPos, true, span{again.Pos - 1, last}},
		{0, store.MaxPos, false, span{0, closed.Pos}},
		{closed.Pos, store.MaxPos, false, span{in.Pos - 1, out.Pos}},
		{closed.Pos, again.Pos - 1, true, span{in.Pos - 1, out.Pos}},
		{out.Pos, store.MaxPos, false, span{again.Pos - 1, last}},
		{in.Pos + 1, in.Pos + 2, true, span{in.Pos + 1, in.Pos + 2}},
		{out.Pos, again.Pos - 1, true, span{out.Pos, out.Pos}},
		{closed.Pos, in.Pos - 1, false, span{in.Pos - 1, in.Pos - 1}},
	} {
		low, high := s.stretch(tt.low, tt.high, tt.back)
		if low != tt.want.from || max(low, high) != tt.want.to {
			t.Errorf("%d to %d back %v: %d to %d, want %v", tt.low, tt.high, tt.back, low, high, tt.want)
		}
	}
}
