package push

import (
	"testing"

	"github.com/ca4c8834/homeserver/events"
)

// The definitions of the server-default rules, spelt out, in their order: DEF-1 to DEF-19, CLIENTC-4.
const specified = `{"override":[
{"rule_id":".m.rule.master","default":true,"enabled":false,"conditions":[],"actions":[]},
{"rule_id":".m.rule.suppress_notices","default":true,"enabled":true,
	"conditions":[{"kind":"event_match","key":"content.msgtype","pattern":"m.notice"}],"actions":[]},
{"rule_id":".m.rule.invite_for_me","default":true,"enabled":true,"conditions":[
	{"kind":"event_match","key":"type","pattern":"m.room.member"},{"kind":"event_match","key":"content.membership","pattern":"invite"},
	{"kind":"event_match","key":"state_key","pattern":"@alice:example.org"}],
	"actions":["notify",{"set_tweak":"sound","value":"default"}]},
{"rule_id":".m.rule.member_event","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.member"}],"actions":[]},
{"rule_id":".m.rule.is_user_mention","default":true,"enabled":true,
	"conditions":[{"kind":"event_property_contains","key":"content.m\\.mentions.user_ids","value":"@alice:example.org"}],
	"actions":["notify",{"set_tweak":"sound","value":"default"},{"set_tweak":"highlight"}]},
{"rule_id":".m.rule.contains_display_name","default":true,"enabled":true,"conditions":[{"kind":"contains_display_name"}],
	"actions":["notify",{"set_tweak":"sound","value":"default"},{"set_tweak":"highlight"}]},
{"rule_id":".m.rule.is_room_mention","default":true,"enabled":true,"conditions":[
	{"kind":"event_property_is","key":"content.m\\.mentions.room","value":true},{"kind":"sender_notification_permission","key":"room"}],
	"actions":["notify",{"set_tweak":"highlight"}]},
{"rule_id":".m.rule.roomnotif","default":true,"enabled":true,"conditions":[
	{"kind":"event_match","key":"content.body","pattern":"@room"},{"kind":"sender_notification_permission","key":"room"}],
	"actions":["notify",{"set_tweak":"highlight"}]},
{"rule_id":".m.rule.tombstone","default":true,"enabled":true,"conditions":[
	{"kind":"event_match","key":"type","pattern":"m.room.tombstone"},{"kind":"event_match","key":"state_key","pattern":""}],
	"actions":["notify",{"set_tweak":"highlight"}]},
{"rule_id":".m.rule.reaction","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.reaction"}],"actions":[]},
{"rule_id":".m.rule.room.server_acl","default":true,"enabled":true,"conditions":[
	{"kind":"event_match","key":"type","pattern":"m.room.server_acl"},{"kind":"event_match","key":"state_key","pattern":""}],"actions":[]},
{"rule_id":".m.rule.suppress_edits","default":true,"enabled":true,
	"conditions":[{"kind":"event_property_is","key":"content.m\\.relates_to.rel_type","value":"m.replace"}],"actions":[]}
],"content":[
{"rule_id":".m.rule.contains_user_name","default":true,"enabled":true,"pattern":"alice",
	"actions":["notify",{"set_tweak":"sound","value":"default"},{"set_tweak":"highlight"}]}
],"room":[],"sender":[],"underride":[
{"rule_id":".m.rule.call","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.call.invite"}],
	"actions":["notify",{"set_tweak":"sound","value":"ring"}]},
{"rule_id":".m.rule.encrypted_room_one_to_one","default":true,"enabled":true,"conditions":[
	{"kind":"room_member_count","is":"2"},{"kind":"event_match","key":"type","pattern":"m.room.encrypted"}],
	"actions":["notify",{"set_tweak":"sound","value":"default"}]},
{"rule_id":".m.rule.room_one_to_one","default":true,"enabled":true,"conditions":[
	{"kind":"room_member_count","is":"2"},{"kind":"event_match","key":"type","pattern":"m.room.message"}],
	"actions":["notify",{"set_tweak":"sound","value":"default"}]},
{"rule_id":".m.rule.message","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.message"}],"actions":["notify"]},
{"rule_id":".m.rule.encrypted","default":true,"enabled":true,"conditions":[{"kind":"event_match","key":"type","pattern":"m.room.encrypted"}],"actions":["notify"]}
]}`

// DEF-1 to DEF-19: the rules as clients read them, in their order.
func TestDefaultDefinitions(t *testing.T) {
	t.Parallel()
	sameJSON(t, rules(t).AppendJSON(nil), specified)
}

// DEF-11, DEF-20: without the legacy rules there are exactly those of v1.19.
func TestDefaultsWithoutLegacy(t *testing.T) {
	t.Parallel()
	s := must(t)(NewDefaults(Options{WithoutLegacy: true}).Ruleset(alice, nil))
	equal(t, ids(s, KindOverride), []string{
		".m.rule.master", ".m.rule.suppress_notices", ".m.rule.invite_for_me", ".m.rule.member_event", ".m.rule.is_user_mention",
		".m.rule.is_room_mention", ".m.rule.tombstone", ".m.rule.reaction", ".m.rule.room.server_acl", ".m.rule.suppress_edits",
	})
	equal(t, len(s.Rules(KindContent))+len(s.Rules(KindRoom))+len(s.Rules(KindSender)), 0)
	equal(t, len(s.Rules(KindUnderride)), 5)
	e := message("alice @room")
	equal(t, s.Evaluate(NewEvent(e, Room{Power: power(`{"users_default":50}`)}), named("alice")).RuleID, ".m.rule.message")
}

// What the server-default rules do with events.
func TestDefaultRules(t *testing.T) {
	t.Parallel()
	const (
		nothing = ``
		soft    = `{}`
		sound   = `{"sound":"default"}`
		ring    = `{"sound":"ring"}`
		mark    = `{"highlight":true}`
		all     = `{"sound":"default","highlight":true}`
	)
	pair := Room{Joined: 2}
	strong := Room{Joined: 10, Power: power(`{"users_default":50}`)}
	weak := Room{Joined: 10, Power: power(`{"users_default":49}`)}
	text := func(content string) *events.Event { return event("m.room.message", content) }
	tests := map[string]struct {
		event  *events.Event
		in     Room
		rule   string
		tweaks string // nothing: does not notify
	}{
		"DEF-2":                     {text(`{"msgtype":"m.notice","body":"alice"}`), strong, "suppress_notices", nothing},
		"DEF-3":                     {state("m.room.member", string(alice), `{"membership":"invite"}`), crowd, "invite_for_me", sound},
		"DEF-3 for somebody else":   {state("m.room.member", "@carol:example.org", `{"membership":"invite"}`), crowd, "member_event", nothing},
		"DEF-3 no invite":           {state("m.room.member", string(alice), `{"membership":"join"}`), crowd, "member_event", nothing},
		"DEF-4":                     {state("m.room.member", string(bob), `{"membership":"join","body":"alice"}`), crowd, "member_event", nothing},
		"DEF-5":                     {text(`{"body":"x","m.mentions":{"user_ids":["@carol:example.org","@alice:example.org"]}}`), pair, "is_user_mention", all},
		"DEF-5 any type":            {event("org.example.type", `{"m.mentions":{"user_ids":["@alice:example.org"]}}`), crowd, "is_user_mention", all},
		"DEF-5 others":              {text(`{"body":"x","m.mentions":{"user_ids":["@carol:example.org","alice"]}}`), crowd, "message", soft},
		"DEF-6":                     {text(`{"body":"x","m.mentions":{"room":true}}`), strong, "is_room_mention", mark},
		"DEF-6 without permission":  {text(`{"body":"x","m.mentions":{"room":true}}`), weak, "message", soft},
		"DEF-6 false":               {text(`{"body":"x","m.mentions":{"room":false}}`), strong, "message", soft},
		"DEF-7":                     {state("m.room.tombstone", "", `{"body":"x"}`), crowd, "tombstone", mark},
		"DEF-7 no state":            {event("m.room.tombstone", `{}`), crowd, "", nothing},
		"DEF-7 other key":           {state("m.room.tombstone", "x", `{}`), crowd, "", nothing},
		"DEF-8":                     {event("m.reaction", `{"m.relates_to":{"rel_type":"m.annotation","event_id":"$x","key":"+1"}}`), crowd, "reaction", nothing},
		"DEF-9":                     {state("m.room.server_acl", "", `{"allow":["*"]}`), crowd, "room.server_acl", nothing},
		"DEF-10":                    {text(`{"body":"* x","m.relates_to":{"rel_type":"m.replace","event_id":"$x"}}`), pair, "suppress_edits", nothing},
		"DEF-10 encrypted":          {event("m.room.encrypted", `{"m.relates_to":{"rel_type":"m.replace","event_id":"$x"}}`), pair, "suppress_edits", nothing},
		"DEF-10 mentions first":     {text(`{"body":"*","m.mentions":{"user_ids":["@alice:example.org"]},"m.relates_to":{"rel_type":"m.replace"}}`), pair, "is_user_mention", all},
		"DEF-12":                    {event("m.call.invite", `{}`), crowd, "call", ring},
		"DEF-12 others":             {event("m.call.candidates", `{}`), crowd, "", nothing},
		"DEF-13":                    {event("m.room.encrypted", `{}`), pair, "encrypted_room_one_to_one", sound},
		"DEF-14":                    {text(`{"body":"x"}`), pair, "room_one_to_one", sound},
		"DEF-15":                    {text(`{"body":"x"}`), crowd, "message", soft},
		"DEF-15 alone":              {text(`{"body":"x"}`), Room{Joined: 1}, "message", soft},
		"DEF-16":                    {event("m.room.encrypted", `{}`), crowd, "encrypted", soft},
		"DEF-17":                    {text(`{"body":"hi Ally McBeal."}`), crowd, "contains_display_name", all},
		"DEF-18":                    {text(`{"body":"hi @Room!"}`), strong, "roomnotif", mark},
		"DEF-18 without permission": {text(`{"body":"hi @room"}`), weak, "message", soft},
		"DEF-19":                    {text(`{"body":"hi ALICE"}`), crowd, "contains_user_name", all},
		"DEF-19 bounds":             {text(`{"body":"hi alice_"}`), crowd, "message", soft},
		"DEF-19 whole ID":           {text(`{"body":"hi @alice:example.org"}`), crowd, "contains_user_name", all},
		"DEF-20 display name":       {text(`{"body":"Ally McBeal","m.mentions":{}}`), crowd, "message", soft},
		"DEF-20 room":               {text(`{"body":"@room","m.mentions":{"user_ids":[]}}`), strong, "message", soft},
		"DEF-20 user name":          {text(`{"body":"alice","m.mentions":{"room":false}}`), crowd, "message", soft},
		"DEF-20 null":               {text(`{"body":"alice Ally McBeal @room","m.mentions":null}`), strong, "message", soft},
		"DEF-20 string":             {text(`{"body":"alice Ally McBeal @room","m.mentions":"x"}`), strong, "message", soft},
		"MENT-1 no object":          {text(`{"body":"x","m.mentions":["@alice:example.org"]}`), crowd, "message", soft},
		"MENT-1 no array":           {text(`{"body":"x","m.mentions":{"user_ids":"@alice:example.org","room":"true"}}`), strong, "message", soft},
		"STICK-1":                   {event("m.sticker", `{"body":"x","url":"mxc://a/b"}`), crowd, "", nothing},
		"polls":                     {event("org.matrix.msc3381.poll.start", `{}`), crowd, "", nothing},
		"other events":              {state("m.room.topic", "", `{"topic":"alice"}`), crowd, "", nothing},
	}
	s := rules(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := s.Evaluate(NewEvent(tt.event, tt.in), named("Ally McBeal"))
			if tt.rule != "" {
				tt.rule = ".m.rule." + tt.rule
			}
			if out.RuleID != tt.rule || out.Notify != (tt.tweaks != nothing) || string(out.Tweaks) != tt.tweaks {
				t.Errorf("rule %s, notify %t, tweaks %s; want rule %s, tweaks %s", out.RuleID, out.Notify, out.Tweaks, tt.rule, tt.tweaks)
			}
		})
	}
	t.Run("DEF-1", func(t *testing.T) {
		t.Parallel()
		off := must(t)(s.SetEnabled(KindOverride, masterID, true))
		out := decides(t, off, text(`{"body":"x","m.mentions":{"user_ids":["@alice:example.org"]}}`), pair, masterID)
		equal(t, out.Notify, false)
	})
}

// DEF-21: the rules for polls, where they are asked for.
func TestPollRules(t *testing.T) {
	t.Parallel()
	s := must(t)(NewDefaults(Options{Polls: true}).Ruleset(alice, nil))
	const prefix, typ = ".org.matrix.msc3930.rule.poll_", "org.matrix.msc3381.poll."
	for _, tt := range []struct {
		typ    string
		joined int
		rule   string
		sound  string
		notify bool
	}{
		{"response", 2, "response", "", false},
		{"start", 2, "start_one_to_one", "default", true},
		{"start", 3, "start", "", true},
		{"end", 2, "end_one_to_one", "default", true},
		{"end", 3, "end", "", true},
	} {
		out := decides(t, s, event(typ+tt.typ, `{}`), Room{Joined: tt.joined}, prefix+tt.rule)
		if out.Notify != tt.notify || out.Sound != tt.sound {
			t.Errorf("%s in a room of %d: %+v", tt.typ, tt.joined, out)
		}
	}
	equal(t, len(presets) <= maxDefaults, true)
}
