package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	// maxWord bounds a word in bytes; what is beyond does not count.
	maxWord = 64
	// maxUserWords bounds how many words a user has, so that an absurd name
	// costs no more than a long one.
	maxUserWords = 40
)

// words splits a text into its words, each once: runs of letters and digits,
// without regard to case, accents and forms of letters that look alike (DIR-2).
func words(text string) []string {
	var plain strings.Builder
	for _, r := range norm.NFKD.String(text) {
		if !unicode.Is(unicode.Mn, r) {
			plain.WriteRune(r)
		}
	}
	folded := cases.Fold().String(norm.NFC.String(plain.String()))
	var list []string
	for _, word := range strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.Mc, r) }) {
		if len(word) > maxWord {
			word = word[:maxWord]
			for !utf8.ValidString(word) {
				word = word[:len(word)-1]
			}
		}
		if !slices.Contains(list, word) {
			list = append(list, word)
		}
	}
	return list
}

// beginnings returns where a search may begin to match a word: at its first
// letter, and at each letter of scripts that put no space between words.
func beginnings(word string) []string {
	list := []string{word}
	for i, r := range word {
		if i > 0 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
			list = append(list, word[i:])
		}
	}
	return list
}
