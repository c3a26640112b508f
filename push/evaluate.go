package push

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// Outcome is what push rules say about an event. The zero Outcome is that of an
// event that no rule matched. Byte slices in it are shared and must not be
// changed.
type Outcome struct {
	// Notify: the user is notified. Without it only Kind, RuleID and Actions can
	// be set.
	Notify bool
	// Highlight: the event is about the user.
	Highlight bool
	// Sound is the sound to play, empty for none; "default" is the device's.
	Sound string
	// Tweaks is a JSON object of all tweaks as gateways get them, those without
	// a value being true.
	Tweaks json.RawMessage

	// Kind and RuleID name the rule that matched; RuleID is empty if none did.
	Kind   Kind
	RuleID string
	// Actions are those of the rule, as they were set.
	Actions json.RawMessage
}

// maxBudget is how many bytes the patterns of one evaluation may look at.
const maxBudget = 8 << 20

// Evaluate finds the first enabled rule that matches an event. member is
// the user's own m.room.member event in the room, for their display name there;
// nil if there is none. An event the user has sent matches nothing.
func (s *Ruleset) Evaluate(ev *Event, member *events.Event) Outcome {
	if ev.Sender == s.user {
		return Outcome{}
	}
	ev.user, ev.member, ev.budget = s.user, member, maxBudget
	for kind := range kindCount {
		if r := s.rules.match(kind, ev); r != nil {
			return Outcome{
				Notify: r.effect.notify, Highlight: r.effect.highlight, Sound: r.effect.sound, Tweaks: r.effect.tweaks,
				Kind: r.Kind, RuleID: r.ID, Actions: r.Actions,
			}
		}
	}
	return Outcome{}
}

// rule is a compiled rule. It is immutable and may be part of many rulesets.
type rule struct {
	Rule
	effect   effect
	common   []condition // those that ask about the event alone
	personal []personal  // those that ask about the user too
	verdict  int         // place in Event.verdicts of a server-default rule; -1: none
}

// compileRule compiles a user's own rule.
func compileRule(r Rule) *rule {
	c := &rule{Rule: r, effect: compileActions(r.Actions), verdict: -1}
	switch r.Kind {
	case KindContent:
		c.add(bodyMatch{compileGlob(r.Pattern)})
	case KindRoom:
		c.add(roomIs(r.ID))
	case KindSender:
		c.add(senderIs(r.ID))
	default:
		gjson.ParseBytes(r.Conditions).ForEach(func(_, v gjson.Result) bool {
			c.add(compileCondition(v))
			return true
		})
	}
	return c
}

func (r *rule) add(c condition) {
	if p, ok := c.(personal); ok {
		r.personal = append(r.personal, p)
	} else {
		r.common = append(r.common, c)
	}
}

// tuned returns the rule with other settings.
func (r *rule) tuned(enabled bool, actions json.RawMessage) *rule {
	c := *r
	c.Enabled, c.Actions, c.effect = enabled, actions, compileActions(actions)
	return &c
}

// verdict is what is known about a rule and an event whoever the user is.
type verdict uint8

const (
	unknown verdict = iota
	matches
	fails
	depends // on the user
)

// match reports whether the event under evaluation fulfils the conditions.
func (r *rule) match(ev *Event) bool {
	v := r.forAll(ev)
	if v != depends {
		return v == matches
	}
	for _, c := range r.personal {
		if !c.match(ev) {
			return false
		}
	}
	return true
}

// forAll is the verdict that holds for all users, never unknown.
func (r *rule) forAll(ev *Event) verdict {
	if r.verdict < 0 {
		return r.judge(ev)
	}
	v := &ev.verdicts[r.verdict]
	if *v == unknown {
		left := ev.budget // one user's rules must not decide what others get
		ev.budget = maxBudget
		*v = r.judge(ev)
		ev.budget = left
	}
	return *v
}

func (r *rule) judge(ev *Event) verdict {
	for _, c := range r.common {
		if !c.match(ev) {
			return fails
		}
	}
	for _, c := range r.personal {
		if !c.possible(ev) {
			return fails
		}
	}
	if len(r.personal) > 0 {
		return depends
	}
	return matches
}
