package push

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// changes is what one user has changed. It is immutable.
type changes struct {
	own   [kindCount][]*rule // the user's own rules, in their order
	tuned [kindCount][]tuning
}

// tuning is what is set about a server-default rule, which need not be known any
// more, or not yet (RULE-23).
type tuning struct {
	id      string
	enabled *bool           // nil: as the default is
	actions json.RawMessage // nil: as the default is
}

func (t tuning) apply(r *rule) *rule {
	enabled, actions := r.Enabled, r.Actions
	if t.enabled != nil {
		enabled = *t.enabled
	}
	if t.actions != nil {
		actions = t.actions
	}
	return r.tuned(enabled, actions)
}

// Ruleset returns the rules of a user. stored is what [Ruleset.Changes] returned,
// in this or an earlier version; empty for a user who has changed nothing. An
// error means that it is something else.
func (d *Defaults) Ruleset(user events.UserID, stored []byte) (*Ruleset, error) {
	s := &Ruleset{user: user, defaults: d, rules: &d.rules}
	if len(stored) == 0 {
		return s, nil
	}
	if !gjson.ValidBytes(stored) {
		return nil, fmt.Errorf("read changes of push rules: not JSON")
	}
	c := &changes{}
	for kind := range kindCount {
		for i, v := range gjson.GetBytes(stored, kind.String()).Array() {
			if err := c.read(kind, v); err != nil {
				return nil, fmt.Errorf("read changes of push rules: %s[%d]: %w", kind, i, err)
			}
		}
	}
	return s.with(c), nil
}

// read takes one element of what append wrote.
func (c *changes) read(kind Kind, v gjson.Result) error {
	id, enabled, actions := v.Get("rule_id").Str, v.Get("enabled"), v.Get("actions")
	if id == "" || id[0] != '.' {
		r, err := ParseRule(kind, id, []byte(v.Raw))
		if err != nil {
			return err
		}
		r.Enabled = enabled.Bool()
		c.own[kind] = append(c.own[kind], compileRule(r))
		return nil
	}
	t := tuning{id: id}
	if enabled.IsBool() {
		t.enabled = new(enabled.Bool())
	}
	if actions.IsArray() {
		t.actions = json.RawMessage(actions.Raw)
	}
	c.tuned[kind] = append(c.tuned[kind], t)
	return nil
}

// Changes returns what the user has changed, for storing: a ruleset as clients
// read it, with nothing but the user's own rules in their order and, of
// server-default rules, what was set. It is empty if nothing was.
func (s *Ruleset) Changes() []byte {
	if s.changes == nil {
		return nil
	}
	dst := []byte{'{'}
	for kind := range kindCount {
		own, tuned := s.changes.own[kind], s.changes.tuned[kind]
		if len(own)+len(tuned) == 0 {
			continue
		}
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(events.AppendString(dst, kind.String()), ":["...)
		for _, r := range own {
			dst = append(r.AppendJSON(dst), ',')
		}
		for _, t := range tuned {
			dst = append(t.append(dst), ',')
		}
		dst[len(dst)-1] = ']'
	}
	return append(dst, '}')
}

func (t tuning) append(dst []byte) []byte {
	dst = append(dst, `{"rule_id":`...)
	dst = events.AppendString(dst, t.id)
	if t.enabled != nil {
		dst = fmt.Appendf(dst, `,"enabled":%t`, *t.enabled)
	}
	if t.actions != nil {
		dst = append(append(dst, `,"actions":`...), t.actions...)
	}
	return append(dst, '}')
}

// copied returns the changes to be altered in one kind.
func (s *Ruleset) copied() *changes {
	if s.changes == nil {
		return &changes{}
	}
	c := *s.changes
	return &c
}

// ownRules returns the user's own rules of a kind in a slice that may be changed.
func (s *Ruleset) ownRules(kind Kind) []*rule {
	if s.changes == nil {
		return nil
	}
	return slices.Clone(s.changes.own[kind])
}

func (s *Ruleset) withOwn(kind Kind, own []*rule) *Ruleset {
	c := s.copied()
	c.own[kind] = own
	return s.with(c)
}

func (s *Ruleset) withTuned(kind Kind, id string, change func(*tuning)) *Ruleset {
	c := s.copied()
	tuned := slices.Clone(c.tuned[kind])
	i := slices.IndexFunc(tuned, func(t tuning) bool { return t.id == id })
	if i < 0 {
		i = len(tuned)
		tuned = append(tuned, tuning{id: id})
	}
	change(&tuned[i])
	c.tuned[kind] = tuned
	return s.with(c)
}

// with returns the ruleset of other changes: the user's own rules stand before
// the server-default ones, but for the one that is ahead of everything (EVAL-1,
// EVAL-2).
func (s *Ruleset) with(c *changes) *Ruleset {
	o := s.defaults.rules
	for kind := range kindCount {
		own, tuned := c.own[kind], c.tuned[kind]
		if len(own)+len(tuned) == 0 {
			continue
		}
		defaults := slices.Clone(o[kind])
		for i, r := range defaults {
			for _, t := range tuned {
				if t.id == r.ID {
					defaults[i] = t.apply(r)
				}
			}
		}
		first := 0
		if kind == KindOverride {
			first = 1 // .m.rule.master
		}
		o[kind] = slices.Insert(defaults, first, own...)
	}
	return &Ruleset{user: s.user, defaults: s.defaults, rules: &o, changes: c}
}
