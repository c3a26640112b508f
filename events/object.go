package events

import "strings"

// members walks the members of a JSON object without allocating. It is meant for text that was validated before; on
// anything else it stops early and sets bad, and never panics.
type members struct {
	b   []byte
	i   int // -1 at the end
	bad bool
}

// membersOf starts at the first member of obj; what is not an object has no members and is bad.
func membersOf(obj []byte) members {
	i := skipSpace(obj, 0)
	if i == len(obj) || obj[i] != '{' {
		return members{b: obj, i: -1, bad: true}
	}
	return members{b: obj, i: skipSpace(obj, i+1)}
}

// next returns the next key, as it stands between its quotes, and its value.
func (m *members) next() (key, value []byte, ok bool) {
	if m.i < 0 {
		return nil, nil, false
	}
	if m.i < len(m.b) && m.b[m.i] == '}' {
		m.i = -1
		return nil, nil, false
	}
	if m.i == len(m.b) || m.b[m.i] != '"' {
		return m.fail()
	}
	keyEnd := skipString(m.b, m.i)
	if keyEnd < 0 {
		return m.fail()
	}
	key = m.b[m.i+1 : keyEnd-1]
	colon := skipSpace(m.b, keyEnd)
	if colon == len(m.b) || m.b[colon] != ':' {
		return m.fail()
	}
	start := skipSpace(m.b, colon+1)
	end := skipValue(m.b, start)
	if end < 0 {
		return m.fail()
	}
	next := skipSpace(m.b, end)
	switch {
	case next < len(m.b) && m.b[next] == ',':
		m.i = skipSpace(m.b, next+1)
	case next < len(m.b) && m.b[next] == '}':
		m.i = next
	default:
		return m.fail()
	}
	return key, m.b[start:end], true
}

func (m *members) fail() (key, value []byte, ok bool) {
	m.i, m.bad = -1, true
	return nil, nil, false
}

// elements walks the elements of a JSON array, under the same terms as members.
type elements struct {
	b []byte
	i int
}

func elementsOf(array []byte) elements {
	if !isArray(array) {
		return elements{array, len(array)}
	}
	return elements{array, skipSpace(array, 1)}
}

func (e *elements) next() (value []byte, ok bool) {
	if e.i >= len(e.b) || e.b[e.i] == ']' {
		return nil, false
	}
	end := skipValue(e.b, e.i)
	if end < 0 {
		e.i = len(e.b)
		return nil, false
	}
	value = e.b[e.i:end]
	e.i = skipSpace(e.b, end)
	if e.i < len(e.b) && e.b[e.i] == ',' {
		e.i = skipSpace(e.b, e.i+1)
	}
	return value, true
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// skipString returns the position behind the string that opens at i, -1 if it does not close.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// skipValue returns the position behind the value that starts at i, -1 if there is none.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) && !isSpace(b[i]) && strings.IndexByte(",:{}[]\"", b[i]) < 0 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			end := skipString(b, i)
			if end < 0 {
				return -1
			}
			i = end - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// lookup returns the value of a key, nil if obj has none or is no object.
func lookup(obj []byte, key string) []byte {
	m := membersOf(obj)
	for {
		k, v, ok := m.next()
		if !ok {
			return nil
		}
		if string(k) == key {
			return v
		}
	}
}

// stringMember returns the value of a key if it is a string; anything else counts as absent (EVT-12).
func stringMember(obj []byte, key string) (string, bool) { return stringValue(lookup(obj, key)) }

func stringValue(v []byte) (string, bool) {
	if !isString(v) {
		return "", false
	}
	return unquote(v[1 : len(v)-1]), true
}

// text is the string in value, "" if it is none.
func text(value []byte) string {
	s, _ := stringValue(value)
	return s
}

func isString(v []byte) bool { return len(v) > 1 && v[0] == '"' }
func isObject(v []byte) bool { return len(v) > 1 && v[0] == '{' }
func isArray(v []byte) bool  { return len(v) > 1 && v[0] == '[' }

// withMember returns a canonical object with one member set, as a new slice. value is canonical JSON.
func withMember(obj []byte, key string, value []byte) []byte {
	name := AppendString(nil, key)
	out := make([]byte, 0, len(obj)+len(name)+len(value)+2)
	out = append(out, '{')
	member := func(k, v []byte) { // k without its quotes
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), k...), '"', ':')
		out = append(out, v...)
	}
	name = name[1 : len(name)-1]
	placed := false
	m := membersOf(obj)
	for {
		k, v, ok := m.next()
		if !ok {
			break
		}
		order := compareKeys(k, name)
		if order >= 0 && !placed {
			member(name, value)
			placed = true
		}
		if order != 0 {
			member(k, v)
		}
	}
	if !placed {
		member(name, value)
	}
	return append(out, '}')
}

// appendWithout appends a canonical object without the members that drop names.
func appendWithout(dst, obj []byte, drop func(key string) bool) []byte {
	dst = append(dst, '{')
	start := len(dst)
	m := membersOf(obj)
	for {
		k, v, ok := m.next()
		if !ok {
			return append(dst, '}')
		}
		if drop(string(k)) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(dst, '"'), k...)
		dst = append(append(dst, '"', ':'), v...)
	}
}

// more reports whether there is a further element.
func (e *elements) more() bool { return e.i < len(e.b) && e.b[e.i] != ']' }
