package push

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/ca4c8834/homeserver/events"
)

// The reasons why a ruleset cannot be changed; compare with errors.Is.
var (
	// ErrNotFound says that there is no such rule, or that it is a server-default
	// one and cannot be deleted.
	ErrNotFound = errors.New("no such push rule")
	// ErrPlace says that the user has no rule of their own with the ID that a
	// rule should be placed next to.
	ErrPlace = errors.New("no such push rule of the user's own to place the rule next to")
)

// Ruleset is the push rules of one user: the server-default ones and what the user
// has changed. It is immutable and safe for concurrent use; what changes it
// returns another one.
type Ruleset struct {
	user     events.UserID
	defaults *Defaults
	rules    *ordered
	changes  *changes // nil: none
}

// ordered are rules in the order of evaluation.
type ordered [kindCount][]*rule

// match returns the first enabled rule of a kind that matches, or nil.
func (o *ordered) match(kind Kind, ev *Event) *rule {
	rules := o[kind]
	if kind == KindRoom || kind == KindSender {
		return o.matchID(rules, kind, ev)
	}
	for _, r := range rules {
		if r.Enabled && r.match(ev) {
			return r
		}
	}
	return nil
}

// matchID finds the one rule that is about the room or the sender.
func (o *ordered) matchID(rules []*rule, kind Kind, ev *Event) *rule {
	id := string(ev.Room)
	if kind == KindSender {
		id = string(ev.Sender)
	}
	for _, r := range rules {
		if r.ID == id && r.Enabled {
			return r
		}
	}
	return nil
}

// Rules returns the rules of a kind in the order of evaluation.
func (s *Ruleset) Rules(kind Kind) []Rule {
	rules := make([]Rule, len(s.rules[kind]))
	for i, r := range s.rules[kind] {
		rules[i] = r.Rule.of(s.user)
	}
	return rules
}

// Rule returns one rule, and whether there is one.
func (s *Ruleset) Rule(kind Kind, id string) (Rule, bool) {
	i := find(s.rules[kind], id)
	if i < 0 {
		return Rule{}, false
	}
	return s.rules[kind][i].Rule.of(s.user), true
}

func find(rules []*rule, id string) int {
	return slices.IndexFunc(rules, func(r *rule) bool { return r.ID == id })
}

// Place says where a user's own rule goes among those of its kind: directly ahead
// of the rule with the ID Before, or else directly behind the one with the ID
// After. The zero Place is in front for a new rule, and where it was for one that
// exists.
type Place struct{ Before, After string }

// Put adds a user's own rule, made by [ParseRule], or replaces the one with its
// kind and ID, which keeps its place if none is given, and in any case whether it
// is enabled. The error is [ErrPlace], or a [RuleError] for an ID that ParseRule
// would refuse.
func (s *Ruleset) Put(r Rule, at Place) (*Ruleset, error) {
	if err := checkID(r.ID); err != nil {
		return nil, err
	}
	r.Default = false
	own := s.ownRules(r.Kind)
	i := find(own, r.ID)
	if i >= 0 {
		r.Enabled = own[i].Enabled
	}
	c := compileRule(r)
	beside, behind := at.Before, 0
	if beside == "" {
		beside, behind = at.After, 1
	}
	switch {
	case beside == "" && i < 0:
		own = slices.Insert(own, 0, c)
	case beside == "", beside == r.ID && i >= 0:
		own[i] = c
	default:
		if i >= 0 {
			own = slices.Delete(own, i, i+1)
		}
		next := find(own, beside)
		if next < 0 {
			return nil, ErrPlace
		}
		own = slices.Insert(own, next+behind, c)
	}
	return s.withOwn(r.Kind, own), nil
}

// Delete removes a user's own rule. ErrNotFound.
func (s *Ruleset) Delete(kind Kind, id string) (*Ruleset, error) {
	own := s.ownRules(kind)
	i := find(own, id)
	if i < 0 {
		return nil, ErrNotFound
	}
	return s.withOwn(kind, slices.Delete(own, i, i+1)), nil
}

// SetEnabled enables or disables a rule. ErrNotFound.
func (s *Ruleset) SetEnabled(kind Kind, id string, enabled bool) (*Ruleset, error) {
	return s.tune(kind, id, func(t *tuning) { t.enabled = &enabled })
}

// SetActions replaces the actions of a rule, which were checked by
// [ParseActions]. ErrNotFound.
func (s *Ruleset) SetActions(kind Kind, id string, actions json.RawMessage) (*Ruleset, error) {
	return s.tune(kind, id, func(t *tuning) { t.actions = actions })
}

// tune changes the settings of a rule.
func (s *Ruleset) tune(kind Kind, id string, change func(*tuning)) (*Ruleset, error) {
	own := s.ownRules(kind)
	if i := find(own, id); i >= 0 {
		var t tuning
		change(&t)
		own[i] = t.apply(own[i])
		return s.withOwn(kind, own), nil
	}
	if find(s.rules[kind], id) < 0 {
		return nil, ErrNotFound
	}
	return s.withTuned(kind, id, change), nil
}

// AppendJSON appends the rules as clients read them: an object with an array for
// each kind.
func (s *Ruleset) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for kind := range kindCount {
		if kind > 0 {
			dst = append(dst, ',')
		}
		dst = append(events.AppendString(dst, kind.String()), ':')
		dst = s.AppendKind(dst, kind)
	}
	return append(dst, '}')
}

// AppendKind appends the rules of one kind as clients read them: an array.
func (s *Ruleset) AppendKind(dst []byte, kind Kind) []byte {
	dst = append(dst, '[')
	for i, r := range s.rules[kind] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.Rule.of(s.user).AppendJSON(dst)
	}
	return append(dst, ']')
}
