package bounded

import (
	"math/rand/v2"
	"testing"
)

func itself(v int) int { return v }

// Whatever is put in and taken out, what is there weighs no more than the limit, is what was put in last under its
// key, and goes only if there is no place for it.
func TestMapKeepsItsLimit(t *testing.T) {
	t.Parallel()
	const limit = 1000
	rnd := rand.New(rand.NewPCG(1, 2))
	m, all := New[int](limit, itself), map[int]int{}
	for range 20_000 {
		key, value := rnd.IntN(100), 1+rnd.IntN(60)
		before, room := m.Len(), m.weight-all[key]*present(m, key)+value <= limit
		if rnd.IntN(4) == 0 {
			m.Delete(key)
			delete(all, key)
			if _, ok := m.Get(key); ok {
				t.Fatalf("%d is there after it was deleted", key)
			}
		} else {
			was := present(m, key)
			m.Put(key, value)
			all[key] = value
			if got, ok := m.Get(key); !ok || got != value {
				t.Fatalf("%d is %d, %v after %d was put there", key, got, ok, value)
			}
			if room && m.Len() != before+1-was {
				t.Fatalf("%d values of %d are left, though there was place", m.Len(), before)
			}
		}
		sum := 0
		for key, value := range m.entries {
			if sum += value; value != all[key] {
				t.Fatalf("%d is %d, want %d", key, value, all[key])
			}
		}
		if sum > limit || sum != m.weight {
			t.Fatalf("a weight of %d, %d counted", sum, m.weight)
		}
	}
	if m.weight < limit*9/10 {
		t.Errorf("a weight of %d is left of more than enough", m.weight)
	}
}

func present(m *Map[int, int], key int) int {
	if _, ok := m.Get(key); ok {
		return 1
	}
	return 0
}

// What is put in last stays, even if it weighs too much; then nothing else does.
func TestMapKeepsTheLast(t *testing.T) {
	t.Parallel()
	m := New[string](10, itself)
	m.Put("small", 4)
	m.Put("large", 11)
	if v, ok := m.Get("large"); !ok || v != 11 || m.Len() != 1 {
		t.Errorf("%d, %v beside %d others", v, ok, m.Len()-1)
	}
	m.Put("small", 4)
	if _, ok := m.Get("large"); ok || m.Len() != 1 {
		t.Error("what is too large stays beside others")
	}
}

// Without weights the limit is how many there are.
func TestMapCounts(t *testing.T) {
	t.Parallel()
	m := New[int, string](3, nil)
	for i := range 10 {
		m.Put(i, "a")
		m.Put(i, "b") // in its own place
		if want := min(i+1, 3); m.Len() != want {
			t.Fatalf("%d of %d", m.Len(), want)
		}
	}
}

// BenchmarkPut puts values into a map that is full, and in a place that is theirs.
func BenchmarkPut(b *testing.B) {
	const limit = 50_000
	for _, bench := range []struct {
		name string
		keys int
	}{{"evict", 1 << 30}, {"replace", limit}} {
		b.Run(bench.name, func(b *testing.B) {
			m := New[int, int](limit, nil)
			for i := range limit {
				m.Put(i, i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m.Put((limit+i)%bench.keys, i)
			}
		})
	}
}
