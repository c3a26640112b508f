package push

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// reference is a pattern as a regular expression.
func reference(pattern string) string {
	var re strings.Builder
	for _, r := range fold(pattern) {
		switch r {
		case '*':
			re.WriteString(`(?s:.*)`)
		case '?':
			re.WriteString(`(?s:.)`)
		default:
			re.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return re.String()
}

// EVAL-8: '*' is any run of characters, '?' exactly one; case does not matter.
func TestWholeValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"lunc?*", []string{"Lunch plans", "LUNCH", "lunc!"}, []string{" lunch", "lunc", "brunch"}}, // the specification's own
		{"", []string{""}, []string{"a", " "}},
		{"*", []string{"", "a", "a\nb"}, nil},
		{"?", []string{"a", "é", "日", "😀", "\n"}, []string{"", "ab", "日本"}},
		{"a*b*c", []string{"abc", "aXbYc", "abbbc", "aabcbc"}, []string{"ab", "acb", "abcd"}},
		{"*.example.org", []string{"matrix.example.org", ".EXAMPLE.ORG"}, []string{"example.org", "xexample.org", "a.example.org."}},
		{"a**b", []string{"ab", "axb"}, []string{"a"}},
		{"*a?*", []string{"ab", "xab", "aab"}, []string{"a", "xa"}},
		{"??*?", []string{"abc", "日本語"}, []string{"ab"}},
		{"a?b", []string{"axb"}, []string{"ab", "axxb", "ax"}},
		{"*x?y", []string{"xay", "xbxay"}, []string{"xy", "xayx", "y"}},
		{`a[bc].(d)\`, []string{`A[BC].(D)\`}, []string{`ab.(d)\`}}, // nothing else is special
		{"ÄÖ", []string{"äö", "Äö"}, []string{"ao"}},
		{"ΣΑΣ", []string{"σας", "σασ"}, nil},
		{"k", []string{"K"}, []string{"\u212a"}}, // the sign for kelvin is no letter
	}
	for _, tt := range tests {
		g := compileGlob(tt.pattern)
		for _, text := range tt.yes {
			if !g.matchWhole(fold(text)) {
				t.Errorf("%q does not match %q", tt.pattern, text)
			}
		}
		for _, text := range tt.no {
			if g.matchWhole(fold(text)) {
				t.Errorf("%q matches %q", tt.pattern, text)
			}
		}
	}
}

// EVAL-9: a part of the text between the bounds of words.
func TestWords(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"ex*ple", []string{"An example event.", "exple", "An exciting triple-whammy"}, []string{"examples", "anexample", "ex"}}, // the specification's own
		{"cake", []string{"cake", "a CAKE!", "cake, please", "(cake)", "no cakes but cake", "éCakeé"}, []string{"cakes", "_cake", "cake9", "pancake"}},
		{"cake*lie", []string{"the cake is a lie", "cakelie", "cakes are lie", "lie cake lie", "cake lies, lie"}, []string{"cake lies", "a lie cake", "pancake lie"}},
		{"@room", []string{"@room", "hi @room!", "(@room)"}, []string{"@rooms", "room", "x@room"}},
		{"foo bar", []string{"a foo bar b"}, []string{"foo  bar", "foo", "foo bars"}},
		{"c?ke", []string{"c日ke", "a coke"}, []string{"cke", "cooke", "cokes"}},
		{"*", []string{"", "anything"}, nil},
		{"a*", []string{"a", "abc", "x abc"}, []string{"xa", "b"}},
		{"*a", []string{"a", "xa", "xa y"}, []string{"ab", "b"}},
		{"", []string{"", "!?", " a", "a "}, []string{"a", "a b"}},
		{"a.b", []string{"see a.b here"}, []string{"a,b"}},
		{"aa a", []string{"aaa aa a"}, []string{"aaa a"}},
		{"日本", []string{"日本", "これは日本です"}, []string{"日 本"}}, // letters of other alphabets bound words
	}
	for _, tt := range tests {
		g := compileGlob(tt.pattern)
		for _, text := range tt.yes {
			if !g.matchWords(fold(text)) {
				t.Errorf("%q is not in %q", tt.pattern, text)
			}
		}
		for _, text := range tt.no {
			if g.matchWords(fold(text)) {
				t.Errorf("%q is in %q", tt.pattern, text)
			}
		}
	}
}

// FuzzGlob compares with regular expressions.
func FuzzGlob(f *testing.F) {
	for _, pattern := range []string{"", "*", "a?b*c", "ex*ple", "?", "日?", "**?a", "a\xff*"} {
		f.Add(pattern, "an exciting triple-whammy a日bc")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 100 || len(text) > 200 {
			return
		}
		g, re, text := compileGlob(pattern), reference(pattern), fold(text)
		if got, want := g.matchWhole(text), regexp.MustCompile(`\A`+re+`\z`).MatchString(text); got != want {
			t.Errorf("%q is the whole of %q: %t", pattern, text, got)
		}
		words := regexp.MustCompile(`(?:\A|[^a-zA-Z0-9_])` + re + `(?:\z|[^a-zA-Z0-9_])`)
		if got, want := g.matchWords(text), words.MatchString(text); got != want {
			t.Errorf("%q is among the words of %q: %t", pattern, text, got)
		}
		if words := strings.NewReplacer("*", "", "?", "").Replace(pattern); words != "" {
			if got, want := containsWords(text, words), compileGlob(words).matchWords(text); got != want {
				t.Errorf("%q contains %q: %t", text, words, got)
			}
		}
	})
}

// EVAL-21: the worst that fits into a message and a rule takes a moment.
func TestPathologicalPatterns(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("a", 60_000)
	for name, pattern := range map[string]string{
		"many stars":          strings.Repeat("a*", 5_000) + "b",
		"many question marks": strings.Repeat("?a", 5_000) + "b",
		"both":                strings.Repeat("*?a", 5_000) + "b",
		"one long word":       strings.Repeat("a", 30_000) + "b",
		"long word in front":  strings.Repeat("a", 30_000) + "?b",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var own []string
			for _, id := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
				own = append(own, "content", id, `{"pattern":"`+pattern+`","actions":["notify"]}`)
				own = append(own, "override", id, `{"conditions":[{"kind":"event_match","key":"content.topic","pattern":"*`+pattern+`"}],"actions":[]}`)
			}
			s := rules(t, own...)
			e := event("m.room.message", `{"body":"`+body+`","topic":"`+body+`","m.mentions":{}}`)
			started := time.Now()
			decides(t, s, e, crowd, ".m.rule.message")
			if took := time.Since(started); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// EVAL-21: each way to look at a lot of text counts; what is beyond the budget does not match.
func TestBudget(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 30_000)
	content := `{"topic":"` + long + `"`
	for i := range maxFields {
		content += fmt.Sprintf(`,"k%d":"v"`, i)
	}
	e := event("m.room.message", content+`,"list":[`+strings.Repeat("1,", 10_000)+`2],"body":"`+long+`"}`)
	const whole = `{"kind":"event_match","key":"content.topic","pattern":"*x*"}`
	var others []string // which leave no place for properties
	for i := range maxFields {
		others = append(others, fmt.Sprintf(`{"kind":"event_match","key":"content.k%d","pattern":"v"}`, i))
	}
	for name, condition := range map[string]string{
		"whole value": `{"kind":"event_match","key":"content.topic","pattern":"*x*"}`,
		"words":       `{"kind":"event_match","key":"content.body","pattern":"*x*"}`,
		"array":       `{"kind":"event_property_contains","key":"content.list","value":2}`,
		"properties":  strings.Join(others, ",") + `,{"kind":"event_match","key":"content.topic","pattern":"x*"},{"kind":"event_match","key":"content.body.x","pattern":"*"}`,
		"names":       `{"kind":"contains_display_name"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own := []string{"override", "last", `{"conditions":[` + whole + `],"actions":[]}`}
			equal(t, rules(t, own...).Evaluate(NewEvent(e, crowd), named("y")).RuleID, "last")
			if name != "names" { // whose condition does not hold
				condition += `,{"kind":"event_match","key":"type","pattern":"never"}`
			}
			for i := range 500 {
				own = append(own, "override", fmt.Sprint(i), `{"conditions":[`+condition+`],"actions":[]}`)
			}
			equal(t, rules(t, own...).Evaluate(NewEvent(e, crowd), named("y")).RuleID, ".m.rule.message")
		})
	}
}

// EVAL-21: what one user's rules have used up is missed neither by others nor by the server-default rules.
func TestBudgetIsPerUser(t *testing.T) {
	t.Parallel()
	const cake = `{"conditions":[{"kind":"event_match","key":"content.body","pattern":"cake"}],"actions":["notify"]}`
	greedy := []string{"override", "cake", cake} // behind what follows
	for i := range 300 {
		greedy = append(greedy, "override", fmt.Sprint(i), strings.Replace(cake, "cake", strings.Repeat("?", 40)+"b", 1))
	}
	ev := NewEvent(message(strings.Repeat("x", 30_000)+" @room cake"), Room{Joined: 10, Power: power(`{"users_default":50}`)})
	equal(t, rules(t, greedy...).Evaluate(ev, nil).RuleID, ".m.rule.roomnotif")
	equal(t, rules(t, "override", "cake", cake).Evaluate(ev, nil).RuleID, "cake")
}
