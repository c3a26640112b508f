package push

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ca4c8834/homeserver/events"
)

// EVAL-1, EVAL-2, EVAL-3: the order of kinds; in a kind the user's own rules first; the first enabled one that
// matches decides alone.
func TestOrderOfRules(t *testing.T) {
	t.Parallel()
	const any = `{"conditions":[],"actions":[]}`
	s := rules(t,
		"underride", "under", any, "sender", string(bob), `{"actions":[]}`, "room", string(room), `{"actions":[]}`,
		"content", "word", `{"pattern":"hello","actions":[]}`, "override", "over2", any, "override", "over1", any)
	e := message("hello")
	for _, step := range []struct {
		kind Kind
		id   string
	}{
		{KindOverride, masterID}, // EVAL-2, disabled at first
		{KindOverride, "over1"},
		{KindOverride, "over2"},
		{KindContent, "word"},
		{KindRoom, string(room)},
		{KindSender, string(bob)},
		{KindUnderride, "under"}, // before the default .m.rule.message
		{KindUnderride, ".m.rule.message"},
	} {
		s = must(t)(s.SetEnabled(step.kind, step.id, true))
		out := decides(t, s, e, crowd, step.id)
		equal(t, out.Kind, step.kind)
		s = must(t)(s.SetEnabled(step.kind, step.id, false))
	}
	equal(t, decides(t, s, e, crowd, ""), Outcome{}) // EVAL-3: no match, no notification
}

// EVAL-3: the actions of the rule that decides apply alone.
func TestActionsOfOneRule(t *testing.T) {
	t.Parallel()
	s := rules(t, "room", string(room), `{"actions":["notify",{"set_tweak":"sound","value":"room.wav"}]}`,
		"content", "word", `{"pattern":"hello","actions":["notify",{"set_tweak":"highlight"}]}`)
	out := decides(t, s, message("hello"), crowd, "word")
	equal(t, out.Highlight, true)
	equal(t, out.Sound, "")
	sameJSON(t, out.Tweaks, `{"highlight":true}`)
}

// EVAL-4: nobody is notified of what they have sent.
func TestOwnEvents(t *testing.T) {
	t.Parallel()
	s := rules(t, "override", "all", `{"actions":["notify"]}`)
	e := message("hello")
	decides(t, s, e, crowd, "all")
	e.Sender = alice
	equal(t, decides(t, s, e, crowd, ""), Outcome{})
}

// EVAL-6, EVAL-7, RULE-18: what actions come to.
func TestActions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		actions   string
		notify    bool
		highlight bool
		sound     string
		tweaks    string
	}{
		{`[]`, false, false, "", ``},
		{`["dont_notify"]`, false, false, "", ``},
		{`["coalesce"]`, false, false, "", ``},
		{`["notify"]`, true, false, "", `{}`}, // no highlight tweak: false
		{`["notify","coalesce","dont_notify"]`, true, false, "", `{}`},
		{`[{"set_tweak":"highlight"},{"set_tweak":"sound","value":"x"}]`, false, false, "", ``}, // EVAL-6
		{`["notify",{"set_tweak":"highlight"}]`, true, true, "", `{"highlight":true}`},          // no value: true
		{`["notify",{"set_tweak":"highlight","value":true}]`, true, true, "", `{"highlight":true}`},
		{`["notify",{"set_tweak":"highlight","value":false}]`, true, false, "", `{"highlight":false}`},
		{`["notify",{"set_tweak":"highlight","value":"false"}]`, true, false, "", `{"highlight":"false"}`},
		{`[{"set_tweak":"sound","value":"ring"},"notify"]`, true, false, "ring", `{"sound":"ring"}`},
		{`["notify",{"set_tweak":"sound"}]`, true, false, "", `{"sound":true}`},
		{`["notify",{"set_tweak":"org.example.light","value":{"rgb":[1,2.50,null]}},{"set_tweak":"org.example.on"}]`, true, false, "",
			`{"org.example.light":{"rgb":[1,2.50,null]},"org.example.on":true}`},
		{`["notify",{"set_tweak":"sound","value":"a"},{"set_tweak":"sound","value":"b"}]`, true, false, "b", `{"sound":"b"}`},
		{`["notify",{"set_tweak":"a","value":null}]`, true, false, "", `{"a":null}`},
	}
	for _, tt := range tests {
		s := rules(t, "override", "test", `{"actions":`+tt.actions+`}`)
		out := decides(t, s, message("hello"), crowd, "test")
		if out.Notify != tt.notify || out.Highlight != tt.highlight || out.Sound != tt.sound || string(out.Tweaks) != tt.tweaks {
			t.Errorf("%s gives %+v, tweaks %s", tt.actions, out, out.Tweaks)
		}
		equal(t, string(out.Actions), tt.actions)
	}
}

// Conditions, each with events that fulfil it and some that do not.
func TestConditions(t *testing.T) {
	t.Parallel()
	topic := func(value string) *events.Event { return state("m.room.topic", "", `{"topic":`+value+`}`) }
	tests := map[string]struct {
		conditions string
		yes, no    []*events.Event
	}{
		"EVAL-5 all must hold": {
			`[{"kind":"event_match","key":"type","pattern":"m.room.topic"},{"kind":"event_match","key":"content.topic","pattern":"a"}]`,
			[]*events.Event{topic(`"a"`)}, []*events.Event{topic(`"b"`), event("m.room.message", `{"topic":"a"}`)},
		},
		"EVAL-5 an unknown condition never matches": {
			`[{"kind":"org.example.unknown"}]`, nil, []*events.Event{topic(`"a"`)},
		},
		"EVAL-5 nor does it beside one that holds": {
			`[{"kind":"event_match","key":"content.topic","pattern":"a"},{"kind":"org.example.unknown","key":7}]`, nil, []*events.Event{topic(`"a"`)},
		},
		"EVAL-5 nor does one without its parameters": {
			`[{"kind":"event_match","key":"type"}]`, nil, []*events.Event{topic(`"a"`)},
		},
		"EVAL-8 whole value, any case": {
			`[{"kind":"event_match","key":"content.topic","pattern":"lunc?*"}]`,
			[]*events.Event{topic(`"Lunch plans"`), topic(`"LUNCH"`)},
			[]*events.Event{topic(`" lunch"`), topic(`"lunc"`), topic(`null`), topic(`["lunch"]`)},
		},
		"EVAL-8 absent or no string, even for *": {
			`[{"kind":"event_match","key":"content.topic","pattern":"*"}]`,
			[]*events.Event{topic(`""`), topic(`"x"`)},
			[]*events.Event{topic(`1`), topic(`true`), topic(`null`), topic(`{}`), topic(`["x"]`), event("m.room.topic", `{}`)},
		},
		"EVAL-9 words of the body": {
			`[{"kind":"event_match","key":"content.body","pattern":"big ca*ke"}]`,
			[]*events.Event{message("a BIG cake!"), message("big cars, one bike")}, []*events.Event{message("big cakes"), message("bigcake")},
		},
		"EVAL-9 only of the body": {
			`[{"kind":"event_match","key":"content.formatted_body","pattern":"cake"}]`,
			[]*events.Event{event("m.room.message", `{"formatted_body":"cake"}`)},
			[]*events.Event{event("m.room.message", `{"formatted_body":"a cake"}`)},
		},
		"EVAL-9 another spelling of the key is another property": {
			`[{"kind":"event_match","key":"content.body.x","pattern":"cake"}]`,
			[]*events.Event{event("m.room.message", `{"body":{"x":"cake"}}`)},
			[]*events.Event{event("m.room.message", `{"body":{"x":"a cake"}}`), message("cake")},
		},
		"EVAL-9 a body that is no string": {
			`[{"kind":"event_match","key":"content.body","pattern":"*"}]`,
			[]*events.Event{message("")}, []*events.Event{event("m.room.message", `{"body":1}`), event("m.room.message", `{"body":["*"]}`)},
		},
		"EVAL-10 a dot leads inside": {
			`[{"kind":"event_match","key":"content.a.b","pattern":"x"}]`,
			[]*events.Event{event("t", `{"a":{"b":"x"}}`)},
			[]*events.Event{event("t", `{"a.b":"x"}`), event("t", `{"a":"x"}`), event("t", `{"a":[{"b":"x"}]}`)},
		},
		`EVAL-10 \. is a dot`: {
			`[{"kind":"event_match","key":"content.a\\.b.c","pattern":"x"}]`,
			[]*events.Event{event("t", `{"a.b":{"c":"x"}}`)}, []*events.Event{event("t", `{"a":{"b":{"c":"x"}}}`), event("t", `{"a\\.b":{"c":"x"}}`)},
		},
		`EVAL-10 \\ is a backslash`: {
			`[{"kind":"event_match","key":"content.a\\\\.b","pattern":"x"}]`,
			[]*events.Event{event("t", `{"a\\":{"b":"x"}}`)}, []*events.Event{event("t", `{"a\\.b":"x"}`), event("t", `{"a\\\\":{"b":"x"}}`)},
		},
		"EVAL-10 other escapes are literal": {
			`[{"kind":"event_match","key":"content.a\\b\\","pattern":"x"}]`,
			[]*events.Event{event("t", `{"a\\b\\":"x"}`)}, []*events.Event{event("t", `{"ab":"x"}`)},
		},
		"EVAL-10 nothing else is special": {
			`[{"kind":"event_match","key":"content.*|#?@this.0","pattern":"x"}]`,
			[]*events.Event{event("t", `{"*|#?@this":{"0":"x"}}`)}, []*events.Event{event("t", `{"*|#?@this":["x"]}`), event("t", `{"a":{"0":"x"}}`)},
		},
		"EVAL-11 no state_key is implied": {
			`[{"kind":"event_match","key":"type","pattern":"m.room.topic"}]`,
			[]*events.Event{topic(`""`), event("m.room.topic", `{}`), state("m.room.topic", "x", `{}`)}, nil,
		},
		"EVAL-11 an empty pattern wants an empty state key": {
			`[{"kind":"event_match","key":"state_key","pattern":""}]`,
			[]*events.Event{topic(`""`)}, []*events.Event{event("m.room.topic", `{}`), state("m.room.topic", "x", `{}`)},
		},
		"EVAL-12 string": {
			`[{"kind":"event_property_is","key":"content.topic","value":"Ab*"}]`,
			[]*events.Event{topic(`"Ab*"`), topic(`"\u0041b*"`)},
			[]*events.Event{topic(`"ab*"`), topic(`"Abc"`), topic(`["Ab*"]`), event("m.room.topic", `{}`)},
		},
		"EVAL-12 integer": {
			`[{"kind":"event_property_is","key":"content.topic","value":1}]`,
			[]*events.Event{topic(`1`)}, []*events.Event{topic(`"1"`), topic(`1.0`), topic(`true`), topic(`2`), topic(`[1]`)},
		},
		"EVAL-12 the largest integer": {
			`[{"kind":"event_property_is","key":"content.topic","value":-9007199254740991}]`,
			[]*events.Event{topic(`-9007199254740991`)}, []*events.Event{topic(`9007199254740991`), topic(`-9007199254740990`)},
		},
		"EVAL-12 none is larger": {
			`[{"kind":"event_property_is","key":"content.topic","value":9007199254740992}]`,
			nil, []*events.Event{topic(`9007199254740992`), topic(`9007199254740993`)},
		},
		"EVAL-12 boolean": {
			`[{"kind":"event_property_is","key":"content.topic","value":true}]`,
			[]*events.Event{topic(`true`)}, []*events.Event{topic(`"true"`), topic(`1`), topic(`false`), topic(`null`)},
		},
		"EVAL-12 null": {
			`[{"kind":"event_property_is","key":"content.topic","value":null}]`,
			[]*events.Event{topic(`null`)}, []*events.Event{topic(`""`), topic(`false`), topic(`{}`), event("m.room.topic", `{}`)},
		},
		"EVAL-12 no value": {
			`[{"kind":"event_property_is","key":"content.topic"}]`, nil, []*events.Event{topic(`null`), event("m.room.topic", `{}`)},
		},
		"EVAL-12 other properties": {
			`[{"kind":"event_property_is","key":"origin_server_ts","value":1700000000000},{"kind":"event_property_is","key":"event_id","value":"$event"},
				{"kind":"event_property_is","key":"room_id","value":"!room:example.org"},{"kind":"event_property_is","key":"sender","value":"@bob:example.org"}]`,
			[]*events.Event{topic(`1`)}, nil,
		},
		"EVAL-13 string": {
			`[{"kind":"event_property_contains","key":"content.topic","value":"a"}]`,
			[]*events.Event{topic(`["b","a"]`), topic(`[{"a":"b"},["x"],1.5,"a"]`)},
			[]*events.Event{topic(`["A","ab",["a"]]`), topic(`[]`), topic(`"a"`), topic(`{"a":"a"}`), event("m.room.topic", `{}`)},
		},
		"EVAL-13 integer": {
			`[{"kind":"event_property_contains","key":"content.topic","value":7}]`,
			[]*events.Event{topic(`[true,7]`)}, []*events.Event{topic(`["7",7.0,[7]]`), topic(`7`)},
		},
		"EVAL-13 null": {
			`[{"kind":"event_property_contains","key":"content.topic","value":null}]`,
			[]*events.Event{topic(`[1,null]`)}, []*events.Event{topic(`[]`), topic(`null`), topic(`[false,""]`)},
		},
		"EVAL-10 what a redaction redacts, wherever it says so": {
			`[{"kind":"event_match","key":"redacts","pattern":"$gone"}]`,
			[]*events.Event{redaction("$gone")}, []*events.Event{redaction(""), redaction("$other"), event("m.room.redaction", `{"redacts":"$gone"}`)},
		},
		"what clients do not see is not asked": {
			`[{"kind":"event_property_is","key":"depth","value":0}]`, nil, []*events.Event{topic(`1`)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range tt.yes {
				if !fulfils(t, tt.conditions, e, crowd, nil) {
					t.Errorf("%s %s does not match", e.Type, e.Content)
				}
			}
			for _, e := range tt.no {
				if fulfils(t, tt.conditions, e, crowd, nil) {
					t.Errorf("%s %s matches", e.Type, e.Content)
				}
			}
		})
	}
}

// EVAL-5: encrypted content is what it is on the wire, whatever may be inside.
func TestEncryptedIsNotInspected(t *testing.T) {
	t.Parallel()
	s := rules(t, "content", "cake", `{"pattern":"cake","actions":[]}`)
	e := event("m.room.encrypted", `{"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"cake @room alice","m.relates_to":{"rel_type":"m.thread"}}`)
	decides(t, s, e, crowd, ".m.rule.encrypted")
	decides(t, s, e, Room{Joined: 2}, ".m.rule.encrypted_room_one_to_one")
}

// EVAL-14: the number of joined members.
func TestMemberCount(t *testing.T) {
	t.Parallel()
	for is, want := range map[string][]int{ // of 0 to 4 members
		"2": {2}, "==2": {2}, "<2": {0, 1}, "<=2": {0, 1, 2}, ">2": {3, 4}, ">=2": {2, 3, 4}, "002": {2}, "<0": nil,
		"<99999999999999999999": {0, 1, 2, 3, 4}, ">99999999999999999999": nil,
		"": nil, "=2": nil, "!=2": nil, "==": nil, "2.0": nil, "2 ": nil, " 2": nil, "== 2": nil, "-2": nil, ">-1": nil, "+2": nil, "<2<": nil, "٢": nil,
	} {
		var got []int
		for n := range 5 {
			if fulfils(t, fmt.Sprintf(`[{"kind":"room_member_count","is":%q}]`, is), message("x"), Room{Joined: n}, nil) {
				got = append(got, n)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q matches %v members, want %v", is, got, want)
		}
	}
	if fulfils(t, `[{"kind":"room_member_count"}]`, message("x"), Room{}, nil) {
		t.Error("matches without a number")
	}
}

// EVAL-15: the sender's power level is at least that of the notification.
func TestSenderPermission(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key    string
		levels *events.PowerLevels
		want   bool
	}{
		{"room", power(`{"users":{"@bob:example.org":50}}`), true}, // 50 by default
		{"room", power(`{"users":{"@bob:example.org":49}}`), false},
		{"room", power(`{"users":{"@bob:example.org":49},"notifications":{"room":49}}`), true},
		{"room", power(`{"users_default":20,"notifications":{"room":20}}`), true},
		{"room", power(`{"users":{"@bob:example.org":99},"notifications":{"room":100}}`), false},
		{"org.example.all", power(`{"users":{"@bob:example.org":60},"notifications":{"room":100}}`), true},
		{"org.example.all", power(`{"users":{"@bob:example.org":60},"notifications":{"org.example.all":61}}`), false},
		{"room", nil, false},
	} {
		got := fulfils(t, fmt.Sprintf(`[{"kind":"sender_notification_permission","key":%q}]`, tt.key), message("x"), Room{Power: tt.levels}, nil)
		if got != tt.want {
			t.Errorf("%s with %+v: %t", tt.key, tt.levels, got)
		}
	}
	creator := message("x")
	creator.Sender = "@carol:example.org"
	if !fulfils(t, `[{"kind":"sender_notification_permission","key":"room"}]`, creator, Room{Power: power(`{"notifications":{"room":9007199254740991}}`)}, nil) {
		t.Error("a creator of a room of version 12 does not pass")
	}
	if fulfils(t, `[{"kind":"sender_notification_permission"}]`, creator, Room{Power: power(`{}`)}, nil) {
		t.Error("matches without a key")
	}
}

// EVAL-16: the display name in the room, between the bounds of words, in any case.
func TestContainsDisplayName(t *testing.T) {
	t.Parallel()
	const condition = `[{"kind":"contains_display_name"}]`
	for _, tt := range []struct {
		name, body string
		want       bool
	}{
		{"Alice", "hello ALICE!", true},
		{"Alice", "Alices", false},
		{"Alice", "malice", false},
		{"alice b.", "hi Alice B., you", true},
		{"A*", "Axx", false}, // no pattern
		{"A*", "a* there", true},
		{"Élodie", "salut élodie", true},
		{"(al)", "x (AL) y", true},
		{"日本", "こんにちは日本さん", true},
		{"al al", "al al al", true},
		{"", "anything", false},
		{"", "", false},
		{"", "\ufffd", false},
		{"al", "", false},
	} {
		if got := fulfils(t, condition, message(tt.body), crowd, named(tt.name)); got != tt.want {
			t.Errorf("%q in %q: %t", tt.name, tt.body, got)
		}
	}
	for name, member := range map[string]*events.Event{
		"no member event": nil, "no name": state("m.room.member", string(alice), `{"membership":"join"}`),
		"no text": state("m.room.member", string(alice), `{"displayname":1,"membership":"join"}`),
	} {
		if fulfils(t, condition, message("1 null"), crowd, member) {
			t.Errorf("%s: matches", name)
		}
	}
	if fulfils(t, condition, event("m.room.message", `{"body":["alice"]}`), crowd, named("alice")) {
		t.Error("a body that is no text matches")
	}
}

// EVAL-17: rules of rooms and senders are for the ID they are named after, exactly.
func TestRoomAndSenderRules(t *testing.T) {
	t.Parallel()
	e := message("x")
	for _, kind := range []struct{ name, id string }{{"room", string(room)}, {"sender", string(bob)}} {
		decides(t, rules(t, kind.name, kind.id, `{"actions":[]}`), e, crowd, kind.id)
		for _, other := range []string{strings.ToUpper(kind.id), kind.id + "x", kind.id[:3] + "*", "*"} {
			decides(t, rules(t, kind.name, other, `{"actions":[]}`), e, crowd, ".m.rule.message")
		}
	}
}

// One event is evaluated for many: nothing that holds for one of them holds for the next.
func TestManyUsers(t *testing.T) {
	t.Parallel()
	d := NewDefaults(Options{})
	e := event("m.room.message", `{"body":"bob, user7: look, Name 3","m.relates_to":{"rel_type":"x"}}`)
	mention := event("m.room.message", `{"body":"x","m.mentions":{"user_ids":["@user2:example.org",1,"@user5:example.org"]}}`)
	ev, evMention := NewEvent(e, crowd), NewEvent(mention, crowd)
	for round := range 2 {
		for i := range 10 {
			user := events.UserID(fmt.Sprintf("@user%d:example.org", i))
			s := must(t)(d.Ruleset(user, nil))
			if i == 9 {
				s = put(t, s, "override", "mine", `{"conditions":[{"kind":"event_match","key":"content.body","pattern":"LOOK"}],"actions":[]}`, Place{})
			}
			want := map[int]string{3: ".m.rule.contains_display_name", 7: ".m.rule.contains_user_name", 9: "mine"}[i]
			if want == "" {
				want = ".m.rule.message"
			}
			if got := s.Evaluate(ev, named(fmt.Sprint("name ", i))).RuleID; got != want {
				t.Errorf("round %d, user %d: %s, want %s", round, i, got, want)
			}
			if got := s.Evaluate(evMention, nil).Highlight; got != (i == 2 || i == 5) {
				t.Errorf("round %d, user %d: highlight %t", round, i, got)
			}
		}
	}
}

// More properties than an event remembers are looked up all the same.
func TestManyProperties(t *testing.T) {
	t.Parallel()
	var conditions, content []string
	for i := range 3 * maxFields {
		conditions = append(conditions, fmt.Sprintf(`{"kind":"event_match","key":"content.k%d","pattern":"v%[1]d"}`, i))
		content = append(content, fmt.Sprintf(`"k%d":"V%[1]d"`, i))
	}
	all := `[` + strings.Join(append(conditions, conditions...), ",") + `]`
	if !fulfils(t, all, event("t", `{`+strings.Join(content, ",")+`}`), crowd, nil) {
		t.Error("does not match")
	}
	content[len(content)-1] = `"x":"y"`
	if fulfils(t, all, event("t", `{`+strings.Join(content, ",")+`}`), crowd, nil) {
		t.Error("matches without the last property")
	}
}
