package account

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// Case, accents and look-alikes do not count (DIR-2).
func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"Alice Liddell":               {"alice", "liddell"},
		"  alice\tALICE, (Alice)":     {"alice"},
		"john.smith_99-x":             {"john", "smith", "99", "x"},
		"Zoë STRAẞE straße":           {"zoe", "strasse"},
		"ΣΊΣΥΦΟΣ σίσυφος":             {"σισυφοσ"},
		"ﬁne Ｗｉｄｅ ①":                  {"fine", "wide", "1"},
		"김철수 ガ":                       {"김철수", "カ"},
		"देवनागरी":                    {"दवनागरी"},
		"☕ 🙂 !":                       nil,
		"":                            nil,
		strings.Repeat("ä", 100):      {strings.Repeat("a", 64)},
		strings.Repeat("я", 100):      {strings.Repeat("я", 32)},
		"a" + strings.Repeat("я", 50): {"a" + strings.Repeat("я", 31)},
	} {
		if diff := cmp.Diff(want, words(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

// Where words are not parted by spaces, a search may begin at any letter.
func TestBeginnings(t *testing.T) {
	t.Parallel()
	for word, want := range map[string][]string{
		"alice": {"alice"},
		"王小明":   {"王小明", "小明", "明"},
		"x明y":   {"x明y", "明y"},
	} {
		if diff := cmp.Diff(want, beginnings(word)); diff != "" {
			t.Errorf("%q: %s", word, diff)
		}
	}
}

// Whatever somebody calls themselves or searches for: words are short, valid and
// folded, and those of a name are found by it.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"Alice Liddell", "王小明", "Zoë", "İstanbul", "\xff\xfe", "ǅ ŉ ﷺ", "e\u0301\u0345"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list := words(text)
		for _, word := range list {
			if word == "" || len(word) > maxWord || !utf8.ValidString(word) {
				t.Errorf("%q has the word %q", text, word)
			}
			if again := words(word); !slices.Equal(again, []string{word}) {
				t.Errorf("%q has the word %q, which is %q when searched for", text, word, again)
			}
			if len(beginnings(word)) > utf8.RuneCountInString(word) {
				t.Errorf("%q begins in too many places", word)
			}
		}
	})
}
