package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// Kind is a kind of rules. Kinds are numbered in the order of their evaluation.
type Kind uint8

// The kinds.
const (
	KindOverride  Kind = iota // any conditions, before all others
	KindContent               // a pattern for the words of content.body
	KindRoom                  // all events of the room whose ID is the rule's
	KindSender                // all events of the user whose ID is the rule's
	KindUnderride             // any conditions, after all others
	kindCount
)

// String returns the name of the kind on the wire, such as "override".
func (k Kind) String() string {
	if k >= kindCount {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return [kindCount]string{"override", "content", "room", "sender", "underride"}[k]
}

// UnmarshalText sets k to the kind of that name.
func (k *Kind) UnmarshalText(name []byte) error {
	for known := range kindCount {
		if known.String() == string(name) {
			*k = known
			return nil
		}
	}
	return errors.New("not a kind of push rules")
}

// conditional reports whether rules of the kind have conditions.
func (k Kind) conditional() bool { return k == KindOverride || k == KindUnderride }

// Rule is one push rule. It is a value; its byte slices must not be changed.
type Rule struct {
	Kind    Kind
	ID      string // unique in its kind; starts with a dot if, and only if, Default
	Default bool   // a server-default rule
	Enabled bool
	// Actions is a JSON array, as it was set.
	Actions json.RawMessage
	// Conditions is a JSON array, as it was set, all of which must hold; only in
	// KindOverride and KindUnderride, and nil if there are none.
	Conditions json.RawMessage
	// Pattern is what content.body is searched for; only in KindContent.
	Pattern string
}

// RuleError says what is wrong with a rule.
type RuleError struct {
	Field   string // its name on the wire, as in "conditions[0].kind"
	Missing bool   // the field is required and absent
	Shape   bool   // the field has the wrong JSON type
	Reason  string // empty if Missing
}

// Error implements error.
func (e *RuleError) Error() string {
	if e.Missing {
		return e.Field + " is required"
	}
	return e.Field + " " + e.Reason
}

func missing(field string) error       { return &RuleError{Field: field, Missing: true} }
func shape(field, reason string) error { return &RuleError{Field: field, Shape: true, Reason: reason} }

// ParseRule makes a new rule of a user, enabled, from the JSON object a client
// sends: actions, and conditions or a pattern where the kind has them. Other members are ignored. The error is a
// [RuleError] or, for what is no JSON, an [events.JSONError]. Conditions of unknown kinds are accepted; they never
// match.
func ParseRule(kind Kind, id string, body []byte) (Rule, error) {
	r := Rule{Kind: kind, ID: id, Enabled: true}
	if err := checkID(id); err != nil {
		return Rule{}, err
	}
	if err := events.Valid(body); err != nil {
		return Rule{}, err
	}
	var actions, conditions, pattern gjson.Result
	obj := gjson.ParseBytes(body)
	if !obj.IsObject() {
		return Rule{}, shape("rule", "must be an object")
	}
	obj.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "actions":
			actions = value
		case "conditions":
			conditions = value
		case "pattern":
			pattern = value
		}
		return true
	})
	var err error
	if r.Actions, err = parseActions(actions); err != nil {
		return Rule{}, err
	}
	switch {
	case kind.conditional():
		r.Conditions, err = parseConditions(conditions)
	case kind == KindContent && absent(pattern):
		err = missing("pattern")
	case kind == KindContent && pattern.Type != gjson.String:
		err = shape("pattern", "must be a string")
	case kind == KindContent:
		r.Pattern = pattern.Str
	}
	if err != nil {
		return Rule{}, err
	}
	return r, nil
}

// checkID checks the ID of a user's own rule (RULE-8).
func checkID(id string) error {
	switch {
	case id == "":
		return missing("ruleId")
	case id[0] == '.':
		return &RuleError{Field: "ruleId", Reason: "may start with a dot in server-default rules only"}
	case strings.ContainsAny(id, `/\`):
		return &RuleError{Field: "ruleId", Reason: "must not contain slashes or backslashes"}
	}
	return nil
}

// ParseActions checks actions that a client sends and returns them without spare
// white space; see [ParseRule] for the errors.
func ParseActions(raw []byte) (json.RawMessage, error) {
	if err := events.Valid(raw); err != nil {
		return nil, err
	}
	return parseActions(gjson.ParseBytes(raw))
}

func parseActions(list gjson.Result) (json.RawMessage, error) {
	if absent(list) {
		return nil, missing("actions")
	}
	if !list.IsArray() {
		return nil, shape("actions", "must be an array")
	}
	var err error
	i := 0
	list.ForEach(func(_, action gjson.Result) bool {
		err = checkAction(fmt.Sprintf("actions[%d]", i), action)
		i++
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return compact(list.Raw)
}

// checkAction accepts what has a meaning and what once had one (RULE-17).
func checkAction(field string, action gjson.Result) error {
	switch {
	case action.IsObject():
		tweak := member(action, "set_tweak")
		if absent(tweak) {
			return missing(field + ".set_tweak")
		}
		if tweak.Type != gjson.String {
			return shape(field+".set_tweak", "must be a string")
		}
	case action.Type != gjson.String:
		return shape(field, "must be a string or an object")
	case action.Str != "notify" && action.Str != "dont_notify" && action.Str != "coalesce":
		return &RuleError{Field: field, Reason: "is not a known action"}
	}
	return nil
}

func parseConditions(list gjson.Result) (json.RawMessage, error) {
	if absent(list) {
		return nil, nil // always matches (RULE-7)
	}
	if !list.IsArray() {
		return nil, shape("conditions", "must be an array")
	}
	var err error
	i := 0
	list.ForEach(func(_, c gjson.Result) bool {
		err = checkCondition(fmt.Sprintf("conditions[%d]", i), c)
		i++
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	return compact(list.Raw)
}

// checkCondition demands the JSON types of the API's schema. Parameters may lack
// or make no sense; then the condition never matches.
func checkCondition(field string, c gjson.Result) error {
	if !c.IsObject() {
		return shape(field, "must be an object")
	}
	kind := member(c, "kind")
	if absent(kind) {
		return missing(field + ".kind")
	}
	if kind.Type != gjson.String {
		return shape(field+".kind", "must be a string")
	}
	if !knownCondition(kind.Str) {
		return nil // whose parameters we know nothing about
	}
	for _, name := range []string{"key", "pattern", "is"} {
		if v := member(c, name); v.Exists() && v.Type != gjson.String {
			return shape(field+"."+name, "must be a string")
		}
	}
	if v := member(c, "value"); v.Type == gjson.JSON || v.Type == gjson.Number && strings.ContainsAny(v.Raw, ".eE") {
		return shape(field+".value", "must be a string, an integer, a boolean or null")
	}
	return nil
}

// AppendJSON appends the rule as clients read it.
func (r Rule) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"rule_id":`...)
	dst = events.AppendString(dst, r.ID)
	dst = fmt.Appendf(dst, `,"default":%t,"enabled":%t,"actions":`, r.Default, r.Enabled)
	dst = append(dst, r.Actions...)
	switch {
	case r.Kind == KindContent:
		dst = append(dst, `,"pattern":`...)
		dst = events.AppendString(dst, r.Pattern)
	case r.Kind.conditional():
		dst = append(dst, `,"conditions":`...)
		if r.Conditions == nil {
			dst = append(dst, '[', ']')
		}
		dst = append(dst, r.Conditions...)
	}
	return append(dst, '}')
}

// absent reports whether a member is not there or null.
func absent(v gjson.Result) bool { return v.Type == gjson.Null }

// member returns a member by its exact name, which gjson's paths would
// interpret. Of duplicates the last counts.
func member(obj gjson.Result, name string) (found gjson.Result) {
	obj.ForEach(func(key, value gjson.Result) bool {
		if key.Str == name {
			found = value
		}
		return true
	})
	return found
}

func compact(raw string) (json.RawMessage, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(raw)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
