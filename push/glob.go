package push

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// glob is a compiled pattern: its parts are what stands between the '*', the
// literals of a part what stands between the '?'. Patterns and texts are folded.
//
// Matching takes the leftmost place for each part, which leaves the most room for
// the next: only where a part may begin at all is ever tried, so that the cost is
// bounded by the product of the lengths (EVAL-21).
type glob struct {
	parts []part // at least one
	price int    // of looking at one byte of text at worst, in bytes
}

type part []string

func compileGlob(pattern string) glob {
	var g glob
	texts := strings.Split(fold(pattern), "*")
	for i, text := range texts {
		if text != "" || i == 0 || i == len(texts)-1 {
			g.parts = append(g.parts, strings.Split(text, "?"))
		}
	}
	g.price = 1 + strings.Count(pattern, "?") + len(pattern)/16
	return g
}

// matchWhole reports whether the pattern stands for the whole text (EVAL-8).
func (g glob) matchWhole(text string) bool {
	at := g.parts[0].prefix(text)
	last := len(g.parts) - 1
	if last == 0 || at < 0 {
		return at == len(text)
	}
	for _, p := range g.parts[1:last] {
		if at = p.search(text, at, false, false); at < 0 {
			return false
		}
	}
	return g.parts[last].suffix(text[at:])
}

// matchWords reports whether the pattern stands for a part of the text that
// begins and ends at the bounds of words (EVAL-9).
func (g glob) matchWords(text string) bool {
	at, last := 0, len(g.parts)-1
	for i, p := range g.parts {
		if at = p.search(text, at, i == 0, i == last); at < 0 {
			return false
		}
	}
	return true
}

// prefix returns where the part ends if the text begins with it, or -1.
func (p part) prefix(text string) (end int) {
	for i, literal := range p {
		if i > 0 {
			if end == len(text) {
				return -1
			}
			_, size := utf8.DecodeRuneInString(text[end:])
			end += size
		}
		if !strings.HasPrefix(text[end:], literal) {
			return -1
		}
		end += len(literal)
	}
	return end
}

// suffix reports whether the text ends with the part.
func (p part) suffix(text string) bool {
	for i := len(p) - 1; i >= 0; i-- {
		var ok bool
		if text, ok = strings.CutSuffix(text, p[i]); !ok {
			return false
		}
		if i > 0 {
			if text == "" {
				return false
			}
			_, size := utf8.DecodeLastRuneInString(text)
			text = text[:len(text)-size]
		}
	}
	return true
}

// search returns where the leftmost place of the part at or behind at ends, or
// -1; left and right ask for the bound of a word at its beginning and end.
func (p part) search(text string, at int, left, right bool) (end int) {
	for {
		i := strings.Index(text[at:], p[0])
		if i < 0 {
			return -1
		}
		at += i
		if !left || startsWord(text, at) {
			if end = p.prefix(text[at:]); end >= 0 && (!right || endsWord(text, at+end)) {
				return at + end
			}
		}
		if at == len(text) {
			return -1
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
}

// containsWords reports whether a folded text has words, which are not folded
// and no pattern, between the bounds of words. It does not allocate.
func containsWords(text, words string) bool {
	first, _ := utf8.DecodeRuneInString(words)
	first = foldRune(first)
	for at := 0; ; {
		i := strings.IndexRune(text[at:], first)
		if i < 0 {
			return false
		}
		at += i
		if startsWord(text, at) {
			if end := prefixFolded(text[at:], words); end >= 0 && endsWord(text, at+end) {
				return true
			}
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
}

// prefixFolded returns where words end in a folded text that begins with them,
// or -1.
func prefixFolded(text, words string) (end int) {
	for _, want := range words {
		got, size := utf8.DecodeRuneInString(text[end:])
		if got != foldRune(want) || size == 0 {
			return -1
		}
		end += size
	}
	return end
}

func startsWord(text string, at int) bool { return at == 0 || !isWord(text[at-1]) }
func endsWord(text string, at int) bool   { return at == len(text) || !isWord(text[at]) }

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// fold makes texts equal that differ in nothing but case. It keeps the number of
// characters, and which of them belong to words.
func fold(s string) string { return strings.Map(foldRune, s) }

func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	if f := unicode.ToLower(unicode.ToUpper(r)); f >= utf8.RuneSelf {
		return f
	}
	return r
}
