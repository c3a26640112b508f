package events

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// maxJSONDepth bounds how deep arrays and objects nest, in every input.
const maxJSONDepth = 100

// JSONErrorKind tells text that is no JSON from JSON that is not acceptable; it decides the error code.
type JSONErrorKind uint8

// The kinds of [JSONError].
const (
	NotJSON JSONErrorKind = iota + 1 // no JSON text in UTF-8: M_NOT_JSON
	BadJSON                          // JSON that cannot be canonical or nests too deep: M_BAD_JSON
)

// JSONError says what is wrong with a JSON text and where, in bytes from its start.
type JSONError struct {
	Kind   JSONErrorKind
	Offset int
	Reason string
}

// Error implements error.
func (e *JSONError) Error() string {
	return fmt.Sprintf("parse json at byte %d: %s", e.Offset, e.Reason)
}

// Canonical returns the canonical form of a JSON text: no spare whitespace, keys sorted by code point, only the
// necessary escapes. It refuses with a [JSONError] what has no canonical form: floats, exponents,
// negative zero, integers beyond ±(2^53-1), and, so that two readers never see different values, duplicate keys
// and escaped lone surrogates. Where the specification's sample rewrites -0 and 1e10, this refuses them.
//
// The result is raw itself if it was canonical already, which costs one pass and no allocation.
func Canonical(raw []byte) ([]byte, error) { return canonical(raw, strictNumbers) }

// CanonicalLoose is [Canonical] for room versions 1-5, whose events need not be canonical JSON: any number is
// kept as written, and of duplicate keys the last wins.
func CanonicalLoose(raw []byte) ([]byte, error) { return canonical(raw, anyNumbers) }

// Canonical is the function Canonical or CanonicalLoose, as the room version demands.
func (v *RoomVersion) Canonical(raw []byte) ([]byte, error) {
	if v.StrictJSON {
		return Canonical(raw)
	}
	return CanonicalLoose(raw)
}

// Valid reports whether raw is one JSON text in UTF-8, as a [JSONError] if not. On top of the grammar it
// refuses nesting beyond 100 levels and escaped lone surrogates, which no UTF-8 text can hold.
func Valid(raw []byte) error {
	s := scanner{b: raw, numbers: anyNumbers}
	if !s.text() {
		return s.err
	}
	return nil
}

type numbers bool

const (
	strictNumbers numbers = false
	anyNumbers    numbers = true
)

func canonical(raw []byte, n numbers) ([]byte, error) {
	s := scanner{b: raw, numbers: n, canonical: true}
	if !s.text() {
		return nil, s.err
	}
	if s.canonical {
		return raw, nil
	}
	w := rewriter{b: raw, dst: make([]byte, 0, len(raw)), strict: n == strictNumbers}
	w.value()
	if w.duplicate {
		return nil, &JSONError{BadJSON, 0, "duplicate key in an object"}
	}
	return w.dst, nil
}

// scanner validates a JSON text in one pass and notices whether it is canonical. Its methods move i past what they
// read and return false, with err set, at the first fault.
type scanner struct {
	b         []byte
	i         int
	numbers   numbers
	canonical bool
	err       error
}

func (s *scanner) text() bool {
	if !utf8.Valid(s.b) {
		return s.fail(NotJSON, "invalid UTF-8")
	}
	s.space()
	if !s.value(0) {
		return false
	}
	s.space()
	if s.i < len(s.b) {
		return s.fail(NotJSON, "text after the value")
	}
	return true
}

func (s *scanner) fail(kind JSONErrorKind, reason string) bool {
	if s.err == nil {
		s.err = &JSONError{kind, s.i, reason}
	}
	return false
}

func (s *scanner) space() {
	for s.i < len(s.b) && isSpace(s.b[s.i]) {
		s.i++
		s.canonical = false
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func (s *scanner) value(depth int) bool {
	if s.i == len(s.b) {
		return s.fail(NotJSON, "value missing")
	}
	switch c := s.b[s.i]; {
	case c == '"':
		return s.str()
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.array(depth + 1)
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case c == '-' || digit(c):
		return s.number()
	}
	return s.fail(NotJSON, "value expected")
}

func (s *scanner) literal(l string) bool {
	if !bytes.HasPrefix(s.b[s.i:], []byte(l)) {
		return s.fail(NotJSON, "value expected")
	}
	s.i += len(l)
	return true
}

// next consumes c if it comes next, spaces aside.
func (s *scanner) next(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) array(depth int) bool {
	if depth > maxJSONDepth {
		return s.fail(BadJSON, "nested too deep")
	}
	s.i++
	if s.next(']') {
		return true
	}
	for {
		s.space()
		if !s.value(depth) {
			return false
		}
		if s.next(',') {
			continue
		}
		if s.next(']') {
			return true
		}
		return s.fail(NotJSON, "comma or bracket expected")
	}
}

func (s *scanner) object(depth int) bool {
	if depth > maxJSONDepth {
		return s.fail(BadJSON, "nested too deep")
	}
	s.i++
	if s.next('}') {
		return true
	}
	var last []byte
	for {
		s.space()
		if s.i == len(s.b) || s.b[s.i] != '"' {
			return s.fail(NotJSON, "key expected")
		}
		start := s.i + 1
		if !s.str() {
			return false
		}
		key := s.b[start : s.i-1]
		if s.canonical && last != nil && compareKeys(last, key) >= 0 {
			s.canonical = false
		}
		last = key
		if !s.next(':') {
			return s.fail(NotJSON, "colon expected")
		}
		s.space()
		if !s.value(depth) {
			return false
		}
		if s.next(',') {
			continue
		}
		if s.next('}') {
			return true
		}
		return s.fail(NotJSON, "comma or brace expected")
	}
}

func (s *scanner) number() bool {
	start := s.i
	negative := s.b[s.i] == '-'
	if negative {
		s.i++
	}
	first := s.i
	s.digits()
	whole := s.b[first:s.i]
	if len(whole) == 0 || len(whole) > 1 && whole[0] == '0' {
		return s.fail(NotJSON, "malformed number")
	}
	integer := true
	if s.i < len(s.b) && s.b[s.i] == '.' {
		integer = false
		s.i++
		if !s.digits() {
			return s.fail(NotJSON, "malformed number")
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		integer = false
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return s.fail(NotJSON, "malformed number")
		}
	}
	if s.numbers == strictNumbers && (!integer || negative && whole[0] == '0' || beyondInt53(whole)) {
		s.i = start
		return s.fail(BadJSON, "number is not an integer between -(2^53-1) and 2^53-1")
	}
	return true
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && digit(s.b[s.i]) {
		s.i++
	}
	return s.i > start
}

// beyondInt53 compares a run of digits without leading zeros with 2^53-1.
func beyondInt53(digits []byte) bool {
	const limit = "9007199254740991"
	return len(digits) > len(limit) || len(digits) == len(limit) && string(digits) > limit
}
