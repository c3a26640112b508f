package sync

import (
	"strconv"

	"github.com/ca4c8834/homeserver/events"
)

// writer writes JSON. It puts the commas.
type writer struct {
	buf   []byte
	comma bool // something stands before in this object or array
}

func (w *writer) open(bracket byte) {
	w.separate()
	w.buf = append(w.buf, bracket)
	w.comma = false
}

func (w *writer) close(bracket byte) {
	w.buf = append(w.buf, bracket)
	w.comma = true
}

func (w *writer) separate() {
	if w.comma {
		w.buf = append(w.buf, ',')
	}
	w.comma = true
}

// key writes the name of a member, whose value must follow.
func (w *writer) key(name string) {
	w.separate()
	w.buf = append(events.AppendString(w.buf, name), ':')
	w.comma = false
}

func (w *writer) string(s string) {
	w.separate()
	w.buf = events.AppendString(w.buf, s)
}

func (w *writer) int(n int) {
	w.separate()
	w.buf = strconv.AppendInt(w.buf, int64(n), 10)
}

func (w *writer) bool(b bool) {
	w.separate()
	w.buf = strconv.AppendBool(w.buf, b)
}

func (w *writer) raw(json []byte) {
	w.separate()
	w.buf = append(w.buf, json...)
}

// openEvents begins a member of the form {"events": […]}, closeEvents ends it.
func (w *writer) openEvents(name string) {
	w.key(name)
	w.open('{')
	w.key("events")
	w.open('[')
}

func (w *writer) closeEvents() {
	w.close(']')
	w.close('}')
}
