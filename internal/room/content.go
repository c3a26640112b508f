package room

import (
	"slices"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
)

// field is one member of an event's content.
type field struct {
	key   string
	value []byte // JSON; nil: not to be there, whoever says otherwise
}

// overlay returns the JSON object base with fields laid over it. The result is
// canonical if the fields are in order and base, which may be nil, has no others.
func overlay(base []byte, over ...field) []byte {
	size := len(base) + 2
	for _, f := range over {
		size += len(f.key) + len(f.value) + 4
	}
	out := append(make([]byte, 0, size), '{')
	next := func() {
		if len(out) > 1 {
			out = append(out, ',')
		}
	}
	for _, f := range over {
		if f.value != nil {
			next()
			out = append(events.AppendString(out, f.key), ':')
			out = append(out, f.value...)
		}
	}
	gjson.ParseBytes(base).ForEach(func(key, value gjson.Result) bool {
		if !slices.ContainsFunc(over, func(f field) bool { return f.key == key.Str }) {
			next()
			out = append(append(out, key.Raw...), ':')
			out = append(out, value.Raw...)
		}
		return true
	})
	return append(out, '}')
}

// text is a JSON string.
func text[S ~string](s S) []byte { return events.AppendString(nil, string(s)) }
