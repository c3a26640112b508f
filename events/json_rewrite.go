package events

import (
	"bytes"
	"slices"
)

// rewriter writes a text that the scanner found valid in canonical form.
type rewriter struct {
	b, dst    []byte
	i         int
	strict    bool
	duplicate bool
}

func (w *rewriter) space() {
	for w.i < len(w.b) && isSpace(w.b[w.i]) {
		w.i++
	}
}

func (w *rewriter) value() {
	w.space()
	switch w.b[w.i] {
	case '{':
		w.object()
	case '[':
		w.array()
	case '"':
		w.str()
	default:
		end := skipValue(w.b, w.i)
		w.dst = append(w.dst, w.b[w.i:end]...)
		w.i = end
	}
}

func (w *rewriter) str() {
	end := skipString(w.b, w.i)
	s := w.b[w.i:end]
	w.i = end
	if bytes.IndexByte(s, '\\') < 0 {
		w.dst = append(w.dst, s...)
		return
	}
	w.dst = AppendString(w.dst, unquote(s[1:len(s)-1]))
}

func (w *rewriter) array() {
	w.i++
	w.dst = append(w.dst, '[')
	for w.space(); w.b[w.i] != ']'; w.space() {
		if w.b[w.i] == ',' {
			w.i++
			w.dst = append(w.dst, ',')
		}
		w.value()
	}
	w.i++
	w.dst = append(w.dst, ']')
}

// span is one member of an object as it stands in the output, with its key between the quotes.
type span struct{ start, key, end int }

func (w *rewriter) object() {
	w.i++
	w.dst = append(w.dst, '{')
	var spans []span
	for w.space(); w.b[w.i] != '}'; w.space() {
		if w.b[w.i] == ',' {
			w.i++
			w.space()
		}
		sp := span{start: len(w.dst)}
		w.str()
		sp.key = len(w.dst) - 1
		w.space()
		w.i++ // the colon
		w.dst = append(w.dst, ':')
		w.value()
		sp.end = len(w.dst)
		w.dst = append(w.dst, ',')
		spans = append(spans, sp)
	}
	w.i++
	if len(spans) > 0 {
		w.sort(spans)
		w.dst = w.dst[:len(w.dst)-1] // the last comma
	}
	w.dst = append(w.dst, '}')
}

// sort brings the members written since spans[0] into the order of their keys, keeping the last of equal keys.
func (w *rewriter) sort(spans []span) {
	key := func(s span) []byte { return w.dst[s.start+1 : s.key] }
	order := func(a, b span) int { return compareKeys(key(a), key(b)) }
	ascending := true
	for i := 1; i < len(spans) && ascending; i++ {
		ascending = order(spans[i-1], spans[i]) < 0
	}
	if ascending {
		return
	}
	first := spans[0].start
	slices.SortStableFunc(spans, order)
	sorted := make([]byte, 0, len(w.dst)-first)
	for i, s := range spans {
		if i+1 < len(spans) && order(s, spans[i+1]) == 0 {
			w.duplicate = w.duplicate || w.strict
			continue
		}
		sorted = append(append(sorted, w.dst[s.start:s.end]...), ',')
	}
	w.dst = append(w.dst[:first], sorted...)
}
