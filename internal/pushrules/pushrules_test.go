package pushrules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/store/storetest"
)

const (
	alice = events.UserID("@alice:example.org")
	bob   = events.UserID("@bob:example.org")
	plain = `{"actions":["notify"]}`
)

// fixture is a service over a database of its own, which can be told to fail.
type fixture struct {
	*Service
	t     *testing.T
	fault *storetest.Fault
	wakes []store.Pos
}

// UserChanged implements Waker.
func (f *fixture) UserChanged(_ events.UserID, pos store.Pos) { f.wakes = append(f.wakes, pos) }

func newFixture(t *testing.T) *fixture {
	t.Helper()
	st, err := sqlite.Memory()
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, fault: storetest.Faulty(st)}
	t.Cleanup(func() {
		if err := f.fault.Close(); err != nil {
			t.Error(err)
		}
	})
	f.restart()
	return f
}

// restart forgets what is in memory.
func (f *fixture) restart() {
	f.Service = New(Config{Store: f.fault, Defaults: push.NewDefaults(push.Options{}), Waker: f})
}

func (f *fixture) set(user events.UserID, kind push.Kind, id, body string) error {
	return f.SetRule(f.t.Context(), user, kind, id, []byte(body), push.Place{})
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// ids lists a user's rules of a kind.
func (f *fixture) ids(user events.UserID, kind push.Kind) (ids []string) {
	f.t.Helper()
	rules, err := f.Rules(f.t.Context(), user)
	f.must(err)
	for _, r := range rules.Rules(kind) {
		ids = append(ids, r.ID)
	}
	return ids
}

func (f *fixture) equal(got, want any) {
	f.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("(-want +got)\n%s", diff)
	}
}

// RULE-23: what was changed is there after a restart, and nothing else is stored.
func TestChangesAreStored(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.must(f.set(alice, push.KindRoom, "!r:x", plain))
	f.must(f.SetEnabled(t.Context(), alice, push.KindUnderride, ".m.rule.call", false))
	before, err := f.Ruleset(t.Context(), alice)
	f.must(err)
	f.restart()
	after, err := f.Ruleset(t.Context(), alice)
	f.must(err)
	f.equal(string(after), string(before))
	f.must(f.fault.View(t.Context(), func(v store.View) error {
		rows, err := v.PushRuleChanges([]events.UserID{alice, bob})
		f.equal(len(rows), 1)
		f.equal(string(rows[0].Changes), `{"room":[{"rule_id":"!r:x","default":false,"enabled":true,"actions":["notify"]}],`+
			`"underride":[{"rule_id":".m.rule.call","enabled":false}]}`)
		return err
	}))
}

// RULE-20: where the rules last changed, from memory and from the store.
func TestChangedAt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	at := func(user events.UserID) (pos store.Pos) {
		t.Helper()
		f.must(f.fault.View(t.Context(), func(v store.View) (err error) { pos, err = f.ChangedAt(v, user); return err }))
		return pos
	}
	f.equal(at(alice), store.Pos(0))
	f.must(f.set(alice, push.KindRoom, "!a:x", plain))
	f.must(f.set(bob, push.KindRoom, "!b:x", plain))
	f.must(f.SetActions(t.Context(), alice, push.KindRoom, "!a:x", []byte(`[]`)))
	for range 2 {
		f.equal(at(alice), f.wakes[2])
		f.equal(at(bob), f.wakes[1])
		f.equal(f.wakes[2], f.fault.Position())
		f.restart()
	}
	f.must(f.SetActions(t.Context(), alice, push.KindRoom, "!a:x", []byte(` [ ] `))) // as they are
	f.equal(len(f.wakes), 3)
}

// The rules of many users are read together, and then are in memory.
func TestRulesOf(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var users []events.UserID
	for i := range 100 {
		users = append(users, events.UserID(fmt.Sprintf("@user%d:x", i)))
		if i%7 == 0 {
			f.must(f.set(users[i], push.KindRoom, fmt.Sprintf("!r%d:x", i), plain))
		}
	}
	f.restart()
	for round := range 2 {
		f.fault.FailAt(0, nil)
		f.must(f.fault.View(t.Context(), func(v store.View) error {
			all, err := f.RulesOf(v, users)
			for i, rules := range all {
				_, ok := rules.Rule(push.KindRoom, fmt.Sprintf("!r%d:x", i))
				if ok != (i%7 == 0) {
					t.Errorf("user %d: %t", i, ok)
				}
				name, _ := rules.Rule(push.KindContent, ".m.rule.contains_user_name")
				f.equal(name.Pattern, fmt.Sprintf("user%d", i))
			}
			return err
		}))
		f.equal(f.fault.Calls(), 1-round)
	}
}

// Several devices change rules at once: none is lost, and memory agrees with the store.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const each = 20
	var wg sync.WaitGroup
	var want []string
	for i := range 4 {
		for j := range each {
			want = append(want, fmt.Sprintf("!%d-%02d:x", i, j))
		}
		wg.Go(func() {
			for j := range each {
				if err := f.set(alice, push.KindRoom, fmt.Sprintf("!%d-%02d:x", i, j), plain); err != nil {
					t.Error(err)
				}
				if err := f.set(alice, push.KindRoom, "!bad:x", `{}`); !errors.Is(err, mxerr.MMissingParam) {
					t.Error(err)
				}
				rules, err := f.Rules(t.Context(), alice)
				if err != nil {
					t.Error(err)
				}
				if _, ok := rules.Rule(push.KindRoom, fmt.Sprintf("!%d-%02d:x", i, j)); !ok {
					t.Error("what was set is not there")
				}
			}
		})
	}
	wg.Wait()
	for range 2 {
		got := f.ids(alice, push.KindRoom)
		slices.Sort(got)
		f.equal(got, want)
		f.restart()
	}
}

// While a change is under way its user is not kept, whatever comes of it; what an
// old snapshot shows is not either.
func TestMemoryHoldsWhatIsCommitted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.equal(len(f.ids(alice, push.KindRoom)), 0)
	refused := errors.New("refused")
	set := func(tx store.Tx, id string) error {
		return f.changeIn(tx, alice, func(r *push.Ruleset) (*push.Ruleset, error) {
			rule, err := push.ParseRule(push.KindRoom, id, []byte(plain))
			if err != nil {
				return nil, err
			}
			return r.Put(rule, push.Place{})
		})
	}
	err := f.fault.Update(t.Context(), func(tx store.Tx) error {
		for _, id := range []string{"!1:x", "!2:x"} {
			if err := set(tx, id); err != nil {
				return err
			}
			rules, err := f.RulesOf(tx, []events.UserID{alice})
			if err != nil {
				return err
			}
			if _, ok := rules[0].Rule(push.KindRoom, id); !ok {
				t.Errorf("the transaction does not see %s", id)
			}
			if _, ok := f.cache.get(alice); ok {
				t.Error("what is not committed is kept")
			}
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	f.equal(len(f.ids(alice, push.KindRoom)), 0)
	f.equal(len(f.wakes), 0)

	f.must(f.fault.Update(t.Context(), func(tx store.Tx) error { return errors.Join(set(tx, "!1:x"), set(tx, "!2:x")) }))
	f.equal(f.ids(alice, push.KindRoom), []string{"!2:x", "!1:x"})
	f.equal(len(f.cache.suspended), 0)

	e, ok := f.cache.get(alice)
	if !ok || e.pos != f.fault.Position() {
		t.Errorf("kept: %t, at %d", ok, e.pos)
	}
	f.cache.suspend(alice) // which also takes it out
	f.cache.resume(alice)
	f.cache.add([]events.UserID{alice}, []entry{{}}, e.pos-1)
	if _, ok := f.cache.get(alice); ok {
		t.Error("what an old snapshot shows is kept")
	}
}

// Memory is bounded, whoever is asked about.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	c := newCache(10_000)
	for i := range 500 {
		user := events.UserID(fmt.Sprint(i))
		c.add([]events.UserID{user}, []entry{{size: i}}, 1)
		if _, ok := c.get(user); !ok {
			t.Fatalf("%d is not kept", i)
		}
		sum := 0
		for user := range i + 1 {
			if e, ok := c.get(events.UserID(fmt.Sprint(user))); ok {
				sum += e.weight()
			}
		}
		if sum > 10_000 {
			t.Fatalf("%d bytes", sum)
		}
	}
}

// A user cannot store without end.
func TestTooManyRules(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	body := `{"actions":[{"set_tweak":"` + strings.Repeat("x", 60_000) + `"}]}`
	for i := range 8 {
		f.must(f.set(alice, push.KindRoom, fmt.Sprint(i), body))
	}
	before := f.ids(alice, push.KindRoom)
	if err := f.set(alice, push.KindRoom, "8", body); !errors.Is(err, mxerr.MTooLarge) {
		t.Error(err)
	}
	f.equal(f.ids(alice, push.KindRoom), before)
	f.must(f.DeleteRule(t.Context(), alice, push.KindRoom, "0"))
	f.must(f.set(alice, push.KindRoom, "8", body))
}

// UPGR-16: the rule of a room goes along to the one that replaces it.
func TestCopyRoomRule(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.must(f.set(alice, push.KindRoom, "!old:x", `{"actions":[{"set_tweak":"x"}]}`))
	f.must(f.SetEnabled(t.Context(), alice, push.KindRoom, "!old:x", false))
	f.must(f.set(bob, push.KindRoom, "!other:x", plain))
	wakes := len(f.wakes)
	for range 2 {
		f.must(f.fault.Update(t.Context(), func(tx store.Tx) error {
			return errors.Join(f.CopyRoomRule(tx, alice, "!old:x", "!new:x"), f.CopyRoomRule(tx, bob, "!old:x", "!new:x"))
		}))
	}
	f.equal(f.ids(alice, push.KindRoom), []string{"!new:x", "!old:x"})
	f.equal(f.ids(bob, push.KindRoom), []string{"!other:x"})
	f.equal(len(f.wakes), wakes+1)
	rule, err := f.Rule(t.Context(), alice, push.KindRoom, "!new:x")
	f.must(err)
	f.equal(rule, push.Rule{Kind: push.KindRoom, ID: "!new:x", Actions: json.RawMessage(`[{"set_tweak":"x"}]`)})

	f.must(f.SetActions(t.Context(), alice, push.KindRoom, "!new:x", []byte(`[]`))) // and is not replaced later
	f.must(f.fault.Update(t.Context(), func(tx store.Tx) error { return f.CopyRoomRule(tx, alice, "!old:x", "!new:x") }))
	rule, err = f.Rule(t.Context(), alice, push.KindRoom, "!new:x")
	f.must(err)
	f.equal(string(rule.Actions), `[]`)
}

// A storage that fails is a fault, whichever call it is, and nothing has changed.
func TestFaults(t *testing.T) {
	t.Parallel()
	disk := errors.New("disk on fire")
	operations := map[string]func(f *fixture, ctx context.Context) error{
		"set": func(f *fixture, ctx context.Context) error {
			return f.SetRule(ctx, alice, push.KindRoom, "!new:x", []byte(plain), push.Place{})
		},
		"delete": func(f *fixture, ctx context.Context) error { return f.DeleteRule(ctx, alice, push.KindRoom, "!r:x") },
		"enabled": func(f *fixture, ctx context.Context) error {
			return f.SetEnabled(ctx, alice, push.KindRoom, "!r:x", false)
		},
		"actions": func(f *fixture, ctx context.Context) error {
			return f.SetActions(ctx, alice, push.KindRoom, "!r:x", []byte(`[]`))
		},
		"read": func(f *fixture, ctx context.Context) error {
			_, err := f.Rule(ctx, alice, push.KindRoom, "!r:x")
			return err
		},
		"ruleset": func(f *fixture, ctx context.Context) error { _, err := f.Ruleset(ctx, alice); return err },
		"changed": func(f *fixture, ctx context.Context) error {
			return f.fault.View(ctx, func(v store.View) error { _, err := f.ChangedAt(v, alice); return err })
		},
	}
	for name, operation := range operations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.must(f.set(alice, push.KindRoom, "!r:x", plain))
			before, err := f.Ruleset(t.Context(), alice)
			f.must(err)
			n := 1
			for ; ; n++ {
				f.restart()
				f.fault.FailAt(n, disk)
				err := operation(f, t.Context())
				if err == nil {
					break
				}
				if _, refused := errors.AsType[*mxerr.Error](err); refused || !errors.Is(err, disk) {
					t.Errorf("call %d: %v", n, err)
				}
				f.fault.FailAt(0, nil)
				after, err := f.Ruleset(t.Context(), alice)
				f.must(err)
				f.equal(string(after), string(before))
				f.equal(len(f.wakes), 1)
			}
			if n == 1 {
				t.Error("nothing can fail")
			}
		})
	}
}

// What is stored and cannot be read is a fault too, and no reason to forget it.
func TestBrokenRows(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.must(f.fault.Update(t.Context(), func(tx store.Tx) error {
		return tx.PutPushRuleChanges(store.PushRuleChanges{User: alice, Changes: []byte(`{"room":[{}]}`), Pos: tx.Next()})
	}))
	_, err := f.Rules(t.Context(), alice)
	if _, refused := errors.AsType[*mxerr.Error](err); refused || err == nil {
		t.Errorf("read: %v", err)
	}
	if err := f.set(alice, push.KindRoom, "!r:x", plain); err == nil {
		t.Error("it is replaced")
	}
}
