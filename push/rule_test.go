package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// RULE-5, RULE-7, RULE-8, RULE-17: what is accepted, and how it reads (RULE-4).
func TestParseRule(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind     Kind
		id, body string
		want     string
	}{
		{KindOverride, "a", `{"actions":["notify"]}`, // RULE-7: no conditions always match
			`{"rule_id":"a","default":false,"enabled":true,"actions":["notify"],"conditions":[]}`},
		{KindUnderride, "a", `{"actions":[],"conditions":null,"pattern":"ignored"}`,
			`{"rule_id":"a","default":false,"enabled":true,"actions":[],"conditions":[]}`},
		{KindOverride, "a", `{ "conditions": [ {"kind": "event_match", "key": "type", "pattern": "x", "org.example": 1.50} ], "actions": [ ], "enabled": false, "default": true }`,
			`{"rule_id":"a","default":false,"enabled":true,"actions":[],"conditions":[{"kind":"event_match","key":"type","pattern":"x","org.example":1.50}]}`},
		{KindOverride, "a", `{"actions":[],"conditions":[{"kind":"org.example.new","key":1,"value":{}}]}`,
			`{"rule_id":"a","default":false,"enabled":true,"actions":[],"conditions":[{"kind":"org.example.new","key":1,"value":{}}]}`},
		{KindContent, "a", `{"actions":["notify"],"pattern":"ca*ke\"","conditions":"ignored"}`, // RULE-7
			`{"rule_id":"a","default":false,"enabled":true,"actions":["notify"],"pattern":"ca*ke\""}`},
		{KindRoom, "!a:b", `{"actions":[],"conditions":[{}],"pattern":1}`, // RULE-7
			`{"rule_id":"!a:b","default":false,"enabled":true,"actions":[]}`},
		{KindSender, "@a:b", `{"actions":["dont_notify","coalesce",{"set_tweak":"sound","value":{"any":[1]}},{"set_tweak":"x"}]}`, // RULE-17
			`{"rule_id":"@a:b","default":false,"enabled":true,"actions":["dont_notify","coalesce",{"set_tweak":"sound","value":{"any":[1]}},{"set_tweak":"x"}]}`},
		{KindRoom, "#@:! ü日😀\"<&>%2F", `{"actions":[]}`, // RULE-8
			`{"rule_id":"#@:! ü日😀\"<&>%2F","default":false,"enabled":true,"actions":[]}`},
		{KindRoom, "a.", `{"actions":["dont_notify"],"actions":["notify"]}`, `{"rule_id":"a.","default":false,"enabled":true,"actions":["notify"]}`},
	}
	for _, tt := range tests {
		r, err := ParseRule(tt.kind, tt.id, []byte(tt.body))
		if err != nil {
			t.Errorf("%s %s: %v", tt.kind, tt.body, err)
			continue
		}
		sameJSON(t, r.AppendJSON(nil), tt.want)
	}
}

// RULE-6, RULE-8, RULE-17: what is refused names the field.
func TestParseRuleRefuses(t *testing.T) {
	t.Parallel()
	const missing, shape, value = 1, 2, 3
	tests := []struct {
		kind     Kind
		id, body string
		field    string
		as       int
	}{
		{KindRoom, "a", `{}`, "actions", missing},
		{KindRoom, "a", `{"actions":null}`, "actions", missing},
		{KindRoom, "a", `{"actions":"notify"}`, "actions", shape},
		{KindRoom, "a", `{"actions":{}}`, "actions", shape},
		{KindRoom, "a", `{"actions":["notify","not_an_action"]}`, "actions[1]", value},
		{KindRoom, "a", `{"actions":[1]}`, "actions[0]", shape},
		{KindRoom, "a", `{"actions":[["notify"]]}`, "actions[0]", shape},
		{KindRoom, "a", `{"actions":[{}]}`, "actions[0].set_tweak", missing},
		{KindRoom, "a", `{"actions":[{"set_tweak":1}]}`, "actions[0].set_tweak", shape},
		{KindContent, "a", `{"actions":[]}`, "pattern", missing},
		{KindContent, "a", `{"actions":[],"pattern":1}`, "pattern", shape},
		{KindOverride, "a", `{"actions":[],"conditions":{}}`, "conditions", shape},
		{KindOverride, "a", `{"actions":[],"conditions":["x"]}`, "conditions[0]", shape},
		{KindUnderride, "a", `{"actions":[],"conditions":[{"kind":"x"},{}]}`, "conditions[1].kind", missing},
		{KindUnderride, "a", `{"actions":[],"conditions":[{"kind":1}]}`, "conditions[0].kind", shape},
		{KindOverride, "a", `{"actions":[],"conditions":[{"kind":"event_match","key":1}]}`, "conditions[0].key", shape},
		{KindOverride, "a", `{"actions":[],"conditions":[{"kind":"event_match","pattern":null}]}`, "conditions[0].pattern", shape},
		{KindOverride, "a", `{"actions":[],"conditions":[{"kind":"room_member_count","is":2}]}`, "conditions[0].is", shape},
		{KindOverride, "a", `{"actions":[],"conditions":[{"kind":"event_property_is","value":[]}]}`, "conditions[0].value", shape},
		{KindOverride, "a", `{"actions":[],"conditions":[{"kind":"event_property_contains","value":1.5}]}`, "conditions[0].value", shape},
		{KindRoom, "", `{"actions":[]}`, "ruleId", missing},
		{KindRoom, ".a", `{"actions":[]}`, "ruleId", value},
		{KindRoom, "a/b", `{"actions":[]}`, "ruleId", value},
		{KindRoom, `a\b`, `{"actions":[]}`, "ruleId", value},
		{KindRoom, "a", `[]`, "rule", shape},
	}
	for _, tt := range tests {
		_, err := ParseRule(tt.kind, tt.id, []byte(tt.body))
		var e *RuleError
		switch {
		case !errors.As(err, &e):
			t.Errorf("%q %s: %v", tt.id, tt.body, err)
		case e.Field != tt.field || e.Missing != (tt.as == missing) || e.Shape != (tt.as == shape):
			t.Errorf("%q %s: %+v", tt.id, tt.body, e)
		}
	}
	for _, body := range []string{``, `{`, `{"actions":[]}x`, "{\"actions\":[],\"x\":\"\xff\"}"} {
		_, err := ParseRule(KindRoom, "a", []byte(body))
		if _, ok := errors.AsType[*events.JSONError](err); !ok {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// RULE-17: actions alone, as they are set for a rule that exists.
func TestParseActions(t *testing.T) {
	t.Parallel()
	got, err := ParseActions([]byte(` [ "notify" , {"set_tweak": "x"} ] `))
	if err != nil || string(got) != `["notify",{"set_tweak":"x"}]` {
		t.Errorf("%s, %v", got, err)
	}
	for _, bad := range []string{``, `null`, `{}`, `["x"]`, `[`} {
		if _, err := ParseActions([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// FuzzParseRule: what is accepted can be evaluated, reads as it was written and is the same after storing.
func FuzzParseRule(f *testing.F) {
	for kind := range kindCount {
		f.Add(uint8(kind), "id", `{"actions":["notify",{"set_tweak":"sound","value":"x"}],"pattern":"a*b?","conditions":[`+
			`{"kind":"event_match","key":"content.a\\.b","pattern":"?*"},{"kind":"room_member_count","is":">=2"},{"kind":"contains_display_name"},`+
			`{"kind":"event_property_is","key":"content.x","value":null},{"kind":"event_property_contains","key":"content.m\\.mentions.user_ids","value":"a"},`+
			`{"kind":"sender_notification_permission","key":"room"}]}`)
	}
	e := event("m.room.message", `{"body":"a b alice","a.b":"x","x":null,"m.mentions":{"user_ids":["a",[],null]}}`)
	d := NewDefaults(Options{})
	f.Fuzz(func(t *testing.T, kind uint8, id, body string) {
		r, err := ParseRule(Kind(kind)%kindCount, id, []byte(body))
		if err != nil {
			return
		}
		s, err := must(t)(d.Ruleset(alice, nil)).Put(r, Place{})
		if err != nil {
			t.Fatal(err)
		}
		out := s.Evaluate(NewEvent(e, Room{Joined: 2, Power: power(`{}`)}), named("a b"))
		if out.Notify && !json.Valid(out.Tweaks) {
			t.Errorf("tweaks %s", out.Tweaks)
		}
		read := s.AppendJSON(nil)
		if !json.Valid(read) || r.ID != id {
			t.Errorf("rules %s", read)
		}
		if r.Actions != nil {
			var want bytes.Buffer
			last := gjson.Result{}
			gjson.Parse(body).ForEach(func(k, v gjson.Result) bool {
				if k.Str == "actions" {
					last = v
				}
				return true
			})
			if err := json.Compact(&want, []byte(last.Raw)); err != nil || want.String() != string(r.Actions) {
				t.Errorf("actions %s read %s", want.String(), r.Actions)
			}
		}
		again, err := d.Ruleset(alice, s.Changes())
		if err != nil {
			t.Fatalf("%s: %v", s.Changes(), err)
		}
		if got := again.AppendJSON(nil); !bytes.Equal(got, read) {
			t.Errorf("after storing\n%s, before\n%s", got, read)
		}
	})
}

// FuzzStored: nothing in the store makes a panic, and what is read is written the same.
func FuzzStored(f *testing.F) {
	f.Add(`{"override":[{"rule_id":"a","enabled":false,"actions":[],"conditions":[]},{"rule_id":".m.rule.master","enabled":true},{"rule_id":".gone","actions":["notify"]}]}`)
	d := NewDefaults(Options{})
	f.Fuzz(func(t *testing.T, stored string) {
		s, err := d.Ruleset(alice, []byte(stored))
		if err != nil {
			return
		}
		s.Evaluate(NewEvent(message("x"), crowd), nil)
		again, err := d.Ruleset(alice, s.Changes())
		if err != nil || !bytes.Equal(again.Changes(), s.Changes()) {
			t.Errorf("%s became %s, %v", stored, s.Changes(), err)
		}
	})
}
