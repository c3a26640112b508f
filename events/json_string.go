package events

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a canonical JSON string: only '"', '\' and U+0000 to U+001F are escaped. Invalid
// UTF-8 becomes U+FFFD, so the result is JSON whatever s holds.
func AppendString(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		if short := shortEscape(c); short != 0 {
			dst = append(dst, '\\', short)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// shortEscape returns the letter of the two-character escape of c, 0 if it has none.
func shortEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\b':
		return 'b'
	case '\t':
		return 't'
	case '\n':
		return 'n'
	case '\f':
		return 'f'
	case '\r':
		return 'r'
	}
	return 0
}

// str validates a string, i being at its opening quote.
func (s *scanner) str() bool {
	for i := s.i + 1; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			return true
		case c < ' ':
			s.i = i
			return s.fail(NotJSON, "control character in a string")
		case c == '\\':
			n := s.escape(i)
			if n == 0 {
				return false
			}
			i += n - 1
		}
	}
	return s.fail(NotJSON, "string does not end")
}

// escape validates the escape sequence at i and returns its length, 0 on a fault.
func (s *scanner) escape(i int) int {
	s.i = i
	if i+1 >= len(s.b) {
		s.fail(NotJSON, "string does not end")
		return 0
	}
	switch s.b[i+1] {
	case '"', '\\', 'b', 'f', 'n', 'r', 't':
		return 2
	case '/':
		s.canonical = false
		return 2
	case 'u':
		return s.unicodeEscape(i)
	}
	s.fail(NotJSON, "unknown escape")
	return 0
}

func (s *scanner) unicodeEscape(i int) int {
	r, ok := hex4(s.b, i)
	if !ok {
		s.fail(NotJSON, "malformed \\u escape")
		return 0
	}
	if utf16.IsSurrogate(r) {
		s.canonical = false
		low, ok := hex4(s.b, i+6)
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			s.fail(BadJSON, "lone surrogate")
			return 0
		}
		return 12
	}
	if r >= ' ' || shortEscape(byte(r)) != 0 || bytes.ContainsAny(s.b[i+2:i+6], "ABCDEF") {
		s.canonical = false
	}
	return 6
}

// hex4 reads the \uXXXX escape at i.
func hex4(b []byte, i int) (rune, bool) {
	if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[i+2 : i+6] {
		switch {
		case digit(c):
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unquote decodes what stands between the quotes of a valid JSON string. It never panics on an invalid one.
func unquote(s []byte) string {
	i := bytes.IndexByte(s, '\\')
	if i < 0 {
		return string(s)
	}
	out := append(make([]byte, 0, len(s)), s[:i]...)
	for i < len(s) {
		c := s[i]
		if c != '\\' || i+1 == len(s) {
			out = append(out, c)
			i++
			continue
		}
		if r, ok := hex4(s, i); ok {
			i += 6
			if utf16.IsSurrogate(r) {
				low, _ := hex4(s, i)
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = append(out, unescape(s[i+1]))
		i += 2
	}
	return string(out)
}

func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 't':
		return '\t'
	case 'n':
		return '\n'
	case 'f':
		return '\f'
	case 'r':
		return '\r'
	}
	return c
}

// compareKeys orders two keys, each as it stands between its quotes, by code point.
func compareKeys(a, b []byte) int {
	if bytes.IndexByte(a, '\\') < 0 && bytes.IndexByte(b, '\\') < 0 {
		return bytes.Compare(a, b)
	}
	return strings.Compare(unquote(a), unquote(b))
}
