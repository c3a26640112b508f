// Package bounded has a map that does not grow without end.
//
// # What it is for
//
// Services remember what they could find out again: the compiled rules of a user,
// what was counted up to a position. How many users and rooms there are is
// not up to the server, so each such memory has a limit, and [Map] is how it is kept: what is
// put into a full one takes the place of something else.
//
// # What has to go
//
// Anything may: entries go in the order in which Go walks through a map, which is
// random. An order of use would keep what is used often a little longer, but every
// look would have to write it down, so that readers would have to wait for
// each other; and those who go through more than fits, as somebody who is in
// very many rooms does, would find nothing of it when they come back, where a random choice
// leaves them a good part. It is meant for limits that are hardly ever reached.
//
// What was put in last never goes for its own sake, even if it alone weighs more than the limit.
//
// # Locks
//
// A Map has none: those who use it have something beside it to protect, such as
// a position that belongs to it. [Map.Get] and [Map.Len] may run at once, under the
// read lock of a sync.RWMutex; all else needs to be alone.
package bounded

// Map keeps values by keys up to a limit. It is made by New.
type Map[K comparable, V any] struct {
	limit   int
	weigh   func(V) int
	weight  int
	entries map[K]V
}

// New makes a map whose values together weigh no more than limit. weigh must say the
// same of a value whenever it is asked, and something above zero; nil is a weight of one
// each.
func New[K comparable, V any](limit int, weigh func(V) int) *Map[K, V] {
	if weigh == nil {
		weigh = func(V) int { return 1 }
	}
	return &Map[K, V]{limit: limit, weigh: weigh, entries: map[K]V{}}
}

// Get returns a value; false if it is not there, or not there any more.
func (m *Map[K, V]) Get(key K) (V, bool) {
	value, ok := m.entries[key]
	return value, ok
}

// Put sets a value, for which others may have to go.
func (m *Map[K, V]) Put(key K, value V) {
	if old, ok := m.entries[key]; ok {
		m.weight -= m.weigh(old)
	}
	m.entries[key] = value
	if m.weight += m.weigh(value); m.weight <= m.limit {
		return
	}
	for other, gone := range m.entries { // any will do
		if other == key {
			continue
		}
		delete(m.entries, other)
		if m.weight -= m.weigh(gone); m.weight <= m.limit {
			return
		}
	}
}

// Delete removes a value, if it is there.
func (m *Map[K, V]) Delete(key K) {
	if old, ok := m.entries[key]; ok {
		m.weight -= m.weigh(old)
		delete(m.entries, key)
	}
}

// Len returns how many values there are.
func (m *Map[K, V]) Len() int { return len(m.entries) }
