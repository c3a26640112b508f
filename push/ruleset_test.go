package push

import (
	"errors"
	"slices"
	"testing"

	"github.com/tidwall/gjson"
)

const plain = `{"actions":["notify"]}`

// RULE-9, RULE-10, RULE-11: the order of a user's own rules.
func TestPlaces(t *testing.T) {
	t.Parallel()
	three := rules(t, "room", "c", plain, "room", "b", plain, "room", "a", plain)
	tests := []struct {
		says string
		id   string
		at   Place
		want []string
	}{
		{"RULE-10 a new rule becomes the first", "x", Place{}, []string{"x", "a", "b", "c"}},
		{"RULE-10 updating keeps the place", "b", Place{}, []string{"a", "b", "c"}},
		{"RULE-11 directly ahead", "x", Place{Before: "b"}, []string{"a", "x", "b", "c"}},
		{"RULE-11 directly behind", "x", Place{After: "b"}, []string{"a", "b", "x", "c"}},
		{"RULE-11 behind the last", "x", Place{After: "c"}, []string{"a", "b", "c", "x"}},
		{"RULE-11 before decides", "x", Place{Before: "c", After: "a"}, []string{"a", "b", "x", "c"}},
		{"RULE-11 before decides, whatever after is", "x", Place{Before: "c", After: "unknown"}, []string{"a", "b", "x", "c"}},
		{"RULE-11 an update moves up", "c", Place{Before: "a"}, []string{"c", "a", "b"}},
		{"RULE-11 an update moves down", "a", Place{After: "b"}, []string{"b", "a", "c"}},
		{"RULE-11 beside itself", "b", Place{Before: "b"}, []string{"a", "b", "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.says, func(t *testing.T) {
			t.Parallel()
			equal(t, ids(put(t, three, "room", tt.id, plain, tt.at), KindRoom), tt.want)
			equal(t, ids(three, KindRoom), []string{"a", "b", "c"}) // which is immutable
		})
	}
}

// RULE-10, EVAL-1, EVAL-2: a new rule is ahead of the server-default ones, but for .m.rule.master.
func TestOwnRulesAheadOfDefaults(t *testing.T) {
	t.Parallel()
	s := rules(t, "override", "b", plain, "override", "a", plain, "underride", "u", plain, "content", "w", `{"pattern":"x","actions":[]}`)
	equal(t, ids(s, KindOverride)[:4], []string{masterID, "a", "b", ".m.rule.suppress_notices"})
	equal(t, ids(s, KindUnderride)[:2], []string{"u", ".m.rule.call"})
	equal(t, ids(s, KindContent), []string{"w", ".m.rule.contains_user_name"})
}

// RULE-12: a rule is placed next to one of the user's own, of the same kind.
func TestPlaceRefuses(t *testing.T) {
	t.Parallel()
	s := rules(t, "override", "a", plain, "room", "r", plain)
	for _, at := range []Place{
		{Before: "unknown"}, {After: "unknown"}, {Before: "r"}, {After: "r"}, {Before: masterID}, {After: ".m.rule.reaction"},
		{Before: "new"}, {Before: "unknown", After: "a"},
	} {
		r, err := ParseRule(KindOverride, "new", []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(r, at); !errors.Is(err, ErrPlace) {
			t.Errorf("%+v: %v", at, err)
		}
	}
	own, err := s.Put(Rule{Kind: KindRoom, ID: "own", Default: true, Enabled: true, Actions: []byte(`[]`)}, Place{})
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, own.AppendKind(nil, KindRoom), `[{"rule_id":"own","default":false,"enabled":true,"actions":[]},
		{"rule_id":"r","default":false,"enabled":true,"actions":["notify"]}]`)
	if _, err := s.Put(Rule{Kind: KindOverride, ID: masterID, Actions: []byte(`[]`)}, Place{}); err == nil {
		t.Error("a server-default rule is replaced")
	}
}

// RULE-9: the same ID in two kinds is two rules. RULE-10: updating keeps whether a rule is enabled.
func TestRulesOfTwoKinds(t *testing.T) {
	t.Parallel()
	s := rules(t, "override", "same", plain, "underride", "same", `{"actions":[]}`)
	s = must(t)(s.SetEnabled(KindOverride, "same", false))
	s = put(t, s, "override", "same", `{"actions":["coalesce"]}`, Place{})
	over, _ := s.Rule(KindOverride, "same")
	under, _ := s.Rule(KindUnderride, "same")
	equal(t, over, Rule{Kind: KindOverride, ID: "same", Actions: []byte(`["coalesce"]`)})
	equal(t, under, Rule{Kind: KindUnderride, ID: "same", Enabled: true, Actions: []byte(`[]`)})
	s = must(t)(s.Delete(KindOverride, "same"))
	if _, ok := s.Rule(KindOverride, "same"); ok {
		t.Error("it is still there")
	}
	if _, ok := s.Rule(KindUnderride, "same"); !ok {
		t.Error("the other one is gone")
	}
}

// RULE-13, RULE-14: deleting and setting, of rules that are there and that are not.
func TestChangeRules(t *testing.T) {
	t.Parallel()
	s := rules(t, "room", "r", plain)
	for _, tt := range []struct {
		kind   Kind
		id     string
		delete bool
		set    bool
	}{
		{KindRoom, "r", true, true},
		{KindSender, "r", false, false},
		{KindRoom, "x", false, false},
		{KindOverride, masterID, false, true},
		{KindUnderride, masterID, false, false},
		{KindOverride, ".not.a.default.rule", false, false},
	} {
		_, deleted := s.Delete(tt.kind, tt.id)
		_, enabled := s.SetEnabled(tt.kind, tt.id, true)
		_, acted := s.SetActions(tt.kind, tt.id, []byte(`[]`))
		for _, got := range []struct {
			err  error
			want bool
		}{{deleted, tt.delete}, {enabled, tt.set}, {acted, tt.set}} {
			if got.want != (got.err == nil) || !got.want && !errors.Is(got.err, ErrNotFound) {
				t.Errorf("%s %s: %v", tt.kind, tt.id, got.err)
			}
		}
	}
}

// RULE-14, RULE-18: settings of user and default rules read as they were set and decide.
func TestSettings(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{KindUnderride, KindRoom} {
		id := map[Kind]string{KindUnderride: ".m.rule.message", KindRoom: string(room)}[kind]
		s := rules(t)
		if kind == KindRoom {
			s = rules(t, "room", id, plain)
		}
		s = must(t)(s.SetActions(kind, id, []byte(`["dont_notify"]`)))
		got, _ := s.Rule(kind, id)
		equal(t, string(got.Actions), `["dont_notify"]`)
		equal(t, got.Enabled, true)
		equal(t, decides(t, s, message("x"), crowd, id).Notify, false)
		s = must(t)(s.SetActions(kind, id, []byte(`["notify",{"set_tweak":"sound","value":"s"}]`)))
		equal(t, decides(t, s, message("x"), crowd, id).Sound, "s")
		s = must(t)(s.SetEnabled(kind, id, false))
		got, _ = s.Rule(kind, id)
		equal(t, got.Enabled, false)
		equal(t, string(got.Actions), `["notify",{"set_tweak":"sound","value":"s"}]`)
	}
}

// RULE-23: what was set about a default rule is stored by itself, and outlives changes of the defaults.
func TestChangesSurviveOtherDefaults(t *testing.T) {
	t.Parallel()
	s := rules(t, "override", "own2", plain, "override", "own1", `{"actions":[],"conditions":[{"kind":"x"}]}`, "content", "w", `{"pattern":"p","actions":[]}`)
	s = must(t)(s.SetEnabled(KindOverride, "own2", false))
	s = must(t)(s.SetEnabled(KindOverride, ".m.rule.roomnotif", false))
	s = must(t)(s.SetActions(KindOverride, ".m.rule.roomnotif", []byte(`["notify"]`)))
	s = must(t)(s.SetEnabled(KindOverride, masterID, true))
	s = must(t)(s.SetActions(KindUnderride, ".m.rule.call", []byte(`[]`)))
	stored := s.Changes()
	sameJSON(t, stored, `{"override":[
		{"rule_id":"own1","default":false,"enabled":true,"actions":[],"conditions":[{"kind":"x"}]},
		{"rule_id":"own2","default":false,"enabled":false,"actions":["notify"],"conditions":[]},
		{"rule_id":".m.rule.roomnotif","enabled":false,"actions":["notify"]},
		{"rule_id":".m.rule.master","enabled":true}],
		"content":[{"rule_id":"w","default":false,"enabled":true,"pattern":"p","actions":[]}],
		"underride":[{"rule_id":".m.rule.call","actions":[]}]}`)

	fewer := must(t)(NewDefaults(Options{WithoutLegacy: true}).Ruleset(alice, stored))
	if slices.Contains(ids(fewer, KindOverride), ".m.rule.roomnotif") {
		t.Error("a rule that is no default any more is there")
	}
	master, _ := fewer.Rule(KindOverride, masterID)
	equal(t, master.Enabled, true)
	own, _ := fewer.Rule(KindOverride, "own2")
	equal(t, own.Enabled, false)
	call, _ := fewer.Rule(KindUnderride, ".m.rule.call")
	equal(t, string(call.Actions), `[]`)
	equal(t, call.Enabled, true) // which was not set

	fewer = must(t)(fewer.SetEnabled(KindUnderride, ".m.rule.call", false))
	again := must(t)(NewDefaults(Options{}).Ruleset(alice, fewer.Changes()))
	roomnotif, _ := again.Rule(KindOverride, ".m.rule.roomnotif")
	equal(t, roomnotif.Enabled, false)
	equal(t, string(roomnotif.Actions), `["notify"]`)
	equal(t, ids(again, KindOverride), ids(s, KindOverride))
}

// A user who has changed nothing has nothing to store; what is stored and no changes is an error.
func TestStored(t *testing.T) {
	t.Parallel()
	equal(t, len(rules(t).Changes()), 0)
	d := NewDefaults(Options{})
	for _, bad := range []string{`{`, `{"override":[{"actions":[]}]}`, `{"content":[{"rule_id":"a","actions":[]}]}`} {
		if _, err := d.Ruleset(alice, []byte(bad)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
	s := rules(t, "room", "r", plain)
	s = must(t)(s.Delete(KindRoom, "r"))
	sameJSON(t, must(t)(d.Ruleset(alice, s.Changes())).AppendJSON(nil), specified)
}

// RULE-1: all five kinds are there, in the order of evaluation.
func TestAppendJSON(t *testing.T) {
	t.Parallel()
	s := must(t)(NewDefaults(Options{WithoutLegacy: true}).Ruleset(alice, nil))
	s = put(t, s, "sender", "@x:y", plain, Place{})
	var kinds []string
	gjson.ParseBytes(s.AppendJSON(nil)).ForEach(func(kind, rules gjson.Result) bool {
		kinds = append(kinds, kind.Str)
		equal(t, rules.IsArray(), true)
		return true
	})
	equal(t, kinds, []string{"override", "content", "room", "sender", "underride"})
	sameJSON(t, s.AppendKind(nil, KindRoom), `[]`)
	sameJSON(t, s.AppendKind(nil, KindSender), `[{"rule_id":"@x:y","default":false,"enabled":true,"actions":["notify"]}]`)
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	var k Kind
	for _, bad := range []string{"", "not_a_template", "Override", "device"} {
		if err := k.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a kind", bad)
		}
	}
	equal(t, Kind(9).String(), "Kind(9)")
}
