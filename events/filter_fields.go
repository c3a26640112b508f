package events

import "strings"

// maxEventFields bounds the work for one event. A longer list has no effect, since a server may return more than asked.
const maxEventFields = 256

// AppendFields appends an event in client format, reduced to the filter's event_fields. The keys that every
// event has and that identify it always stay, with an empty content if no path names part of it. Without event_fields
// the event is appended as it is.
func (f *Filter) AppendFields(dst, event []byte) []byte {
	if f == nil || f.EventFields == nil || len(f.EventFields) > maxEventFields {
		return append(dst, event...)
	}
	paths := make([][]string, 0, len(f.EventFields)+8)
	for _, field := range f.EventFields {
		paths = append(paths, splitPath(field))
	}
	for _, key := range []string{"event_id", "origin_server_ts", "room_id", "sender", "state_key", "type"} {
		paths = append(paths, []string{key})
	}
	// A path that names no member keeps the content object itself, without its members.
	paths = append(paths, []string{"content", ""})
	return appendPaths(dst, event, paths)
}

// splitPath splits a dot-separated path: `\.` is a dot and `\\` a backslash within a name, and any other backslash
// stands for itself.
func splitPath(path string) []string {
	var names []string
	var name strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path) && (path[i+1] == '.' || path[i+1] == '\\'):
			i++
			name.WriteByte(path[i])
		case c == '.':
			names = append(names, name.String())
			name.Reset()
		default:
			name.WriteByte(c)
		}
	}
	return append(names, name.String())
}

// appendPaths appends the part of an object that the paths name; an object on the way of a path stays as an object.
func appendPaths(dst, obj []byte, paths [][]string) []byte {
	dst = append(dst, '{')
	start := len(dst)
	m := membersOf(obj)
	for {
		key, value, ok := m.next()
		if !ok {
			return append(dst, '}')
		}
		whole, inner := pathsUnder(paths, unquote(key))
		if !whole && (len(inner) == 0 || !isObject(value)) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(dst, '"'), key...)
		dst = append(dst, '"', ':')
		if whole {
			dst = append(dst, value...)
		} else {
			dst = appendPaths(dst, value, inner)
		}
	}
}

// pathsUnder returns whether a path ends at key, and the rest of the paths that lead through it.
func pathsUnder(paths [][]string, key string) (whole bool, inner [][]string) {
	for _, p := range paths {
		switch {
		case p[0] != key:
		case len(p) == 1:
			whole = true
		default:
			inner = append(inner, p[1:])
		}
	}
	return whole, inner
}
