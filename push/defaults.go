package push

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// Options chooses among the server-default rules.
type Options struct {
	// WithoutLegacy leaves out the rules that guess from the text of a message
	// whom it means: .m.rule.contains_display_name, .m.rule.roomnotif and
	// .m.rule.contains_user_name. Version 1.17 of the specification removed them;
	// clients older than 1.7, which do not say whom they mean, need them.
	WithoutLegacy bool
	// Polls adds the unstable rules of MSC3930 for polls.
	Polls bool
}

// Defaults are the server-default rules of version 1.19 of the specification,
// compiled. They are immutable and shared by the rulesets made of them.
type Defaults struct {
	rules ordered
}

// NewDefaults compiles the server-default rules.
func NewDefaults(o Options) *Defaults {
	d := &Defaults{}
	for i, p := range presets {
		if p.group == legacy && o.WithoutLegacy || p.group == polls && !o.Polls {
			continue
		}
		d.rules[p.kind] = append(d.rules[p.kind], p.compile(i))
	}
	return d
}

// preset is the definition of a server-default rule.
type preset struct {
	kind       Kind
	id         string
	conditions string // or the pattern of a rule of KindContent
	actions    string
	group      group
}

type group uint8

const (
	legacy group = iota + 1 // removed in v1.17
	polls                   // of MSC3930
)

// What stands in definitions for what depends on the user.
const (
	selfID        = "{user}"
	selfLocalpart = "{localpart}"
)

// masterID is the rule that is ahead of everything (EVAL-2), and disabled until
// somebody wants no notifications at all (DEF-1).
const masterID = ".m.rule.master"

// maxDefaults bounds the number of presets.
const maxDefaults = 32

// Building blocks of the definitions.
const (
	quiet     = `[]`
	notify    = `["notify"]`
	withSound = `["notify",{"set_tweak":"sound","value":"default"}]`
	ringing   = `["notify",{"set_tweak":"sound","value":"ring"}]`
	highlight = `["notify",{"set_tweak":"highlight"}]`
	loud      = `["notify",{"set_tweak":"sound","value":"default"},{"set_tweak":"highlight"}]`

	forState  = `,{"kind":"event_match","key":"state_key","pattern":""}`
	pair      = `{"kind":"room_member_count","is":"2"},`
	permitted = `,{"kind":"sender_notification_permission","key":"room"}`
	msc3930   = ".org.matrix.msc3930.rule."
)

func ofType(typ string) string {
	return `{"kind":"event_match","key":"type","pattern":"` + typ + `"}`
}

// presets are all server-default rules in the order of evaluation. Clients insert
// what they miss in this order (CLIENTC-4).
var presets = []preset{
	{KindOverride, masterID, `[]`, quiet, 0},
	{KindOverride, ".m.rule.suppress_notices", `[{"kind":"event_match","key":"content.msgtype","pattern":"m.notice"}]`, quiet, 0},
	{KindOverride, ".m.rule.invite_for_me", `[` + ofType("m.room.member") + `,{"kind":"event_match","key":"content.membership","pattern":"invite"},` +
		`{"kind":"event_match","key":"state_key","pattern":"` + selfID + `"}]`, withSound, 0},
	{KindOverride, ".m.rule.member_event", `[` + ofType("m.room.member") + `]`, quiet, 0},
	{KindOverride, ".m.rule.is_user_mention", `[{"kind":"event_property_contains","key":"content.m\\.mentions.user_ids","value":"` + selfID + `"}]`, loud, 0},
	{KindOverride, ".m.rule.contains_display_name", `[{"kind":"contains_display_name"}]`, loud, legacy},
	{KindOverride, ".m.rule.is_room_mention", `[{"kind":"event_property_is","key":"content.m\\.mentions.room","value":true}` + permitted + `]`, highlight, 0},
	{KindOverride, ".m.rule.roomnotif", `[{"kind":"event_match","key":"content.body","pattern":"@room"}` + permitted + `]`, highlight, legacy},
	{KindOverride, ".m.rule.tombstone", `[` + ofType("m.room.tombstone") + forState + `]`, highlight, 0},
	{KindOverride, ".m.rule.reaction", `[` + ofType("m.reaction") + `]`, quiet, 0},
	{KindOverride, ".m.rule.room.server_acl", `[` + ofType("m.room.server_acl") + forState + `]`, quiet, 0},
	{KindOverride, ".m.rule.suppress_edits", `[{"kind":"event_property_is","key":"content.m\\.relates_to.rel_type","value":"m.replace"}]`, quiet, 0},
	{KindOverride, msc3930 + "poll_response", `[` + ofType("org.matrix.msc3381.poll.response") + `]`, quiet, polls},

	{KindContent, ".m.rule.contains_user_name", selfLocalpart, loud, legacy},

	{KindUnderride, ".m.rule.call", `[` + ofType("m.call.invite") + `]`, ringing, 0},
	{KindUnderride, ".m.rule.encrypted_room_one_to_one", `[` + pair + ofType("m.room.encrypted") + `]`, withSound, 0},
	{KindUnderride, ".m.rule.room_one_to_one", `[` + pair + ofType("m.room.message") + `]`, withSound, 0},
	{KindUnderride, ".m.rule.message", `[` + ofType("m.room.message") + `]`, notify, 0},
	{KindUnderride, ".m.rule.encrypted", `[` + ofType("m.room.encrypted") + `]`, notify, 0},
	{KindUnderride, msc3930 + "poll_start_one_to_one", `[` + pair + ofType("org.matrix.msc3381.poll.start") + `]`, withSound, polls},
	{KindUnderride, msc3930 + "poll_start", `[` + ofType("org.matrix.msc3381.poll.start") + `]`, notify, polls},
	{KindUnderride, msc3930 + "poll_end_one_to_one", `[` + pair + ofType("org.matrix.msc3381.poll.end") + `]`, withSound, polls},
	{KindUnderride, msc3930 + "poll_end", `[` + ofType("org.matrix.msc3381.poll.end") + `]`, notify, polls},
}

// compile makes the rule of a preset, whose verdicts are remembered at a place of
// their own.
func (p preset) compile(place int) *rule {
	r := &rule{
		Rule:    Rule{Kind: p.kind, ID: p.id, Default: true, Enabled: p.id != masterID, Actions: json.RawMessage(p.actions)},
		verdict: place,
	}
	r.effect = compileActions(r.Actions)
	if p.kind == KindContent {
		r.Pattern = p.conditions
		r.add(selfNamed{})
	} else {
		r.Conditions = json.RawMessage(p.conditions)
		for _, c := range gjson.Parse(p.conditions).Array() {
			r.add(compilePreset(c))
		}
	}
	if p.group == legacy {
		r.add(noMentions{})
	}
	return r
}

// compilePreset is compileCondition with the user's own ID where selfID stands.
func compilePreset(c gjson.Result) condition {
	switch selfID {
	case member(c, "pattern").Str:
		return selfMatch{compilePath(member(c, "key").Str)}
	case member(c, "value").Str:
		return selfContained{compilePath(member(c, "key").Str)}
	}
	return compileCondition(c)
}

// of returns a server-default rule as it reads for a user.
func (r Rule) of(user events.UserID) Rule {
	if !r.Default {
		return r
	}
	r.Pattern = strings.Replace(r.Pattern, selfLocalpart, user.Localpart(), 1)
	before, after, ok := strings.Cut(string(r.Conditions), `"`+selfID+`"`)
	if ok {
		r.Conditions = slices.Concat([]byte(before), events.AppendString(nil, string(user)), []byte(after))
	}
	return r
}
