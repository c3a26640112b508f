package ratelimit

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// clock is a clock that moves only when told.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock { return &clock{time.Unix(1_700_000_000, 0)} }

// RATE-1, RATE-2: a burst passes, the next request is told exactly how long to wait, and waiting that long helps.
func TestBurstThenWait(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := New(map[Class]Limit{Login: {Every: 2 * time.Second, Burst: 3}}, c.now)
	for i := range 3 {
		if wait := l.Allow(Login, "a"); wait != 0 {
			t.Fatalf("request %d of the burst waits %v", i, wait)
		}
	}
	for range 5 { // a refusal costs nothing
		if wait := l.Allow(Login, "a"); wait != 2*time.Second {
			t.Fatalf("wait is %v, want 2s", wait)
		}
	}
	c.t = c.t.Add(2 * time.Second)
	if wait := l.Allow(Login, "a"); wait != 0 {
		t.Fatalf("still waits %v", wait)
	}
	if wait := l.Allow(Login, "a"); wait == 0 {
		t.Fatal("two requests for the price of one")
	}
}

func TestKeysAndClassesAreIndependent(t *testing.T) {
	t.Parallel()
	l := New(map[Class]Limit{Login: {time.Hour, 1}, Media: {time.Hour, 1}}, newClock().now)
	l.Allow(Login, "a")
	if l.Allow(Login, "a") == 0 {
		t.Error("no limit")
	}
	if l.Allow(Login, "b") != 0 || l.Allow(Media, "a") != 0 {
		t.Error("one key or class pays for another")
	}
}

func TestWhatIsNotLimited(t *testing.T) {
	t.Parallel()
	limited := New(map[Class]Limit{None: {time.Hour, 1}, Media: {0, 1}}, newClock().now)
	for range 100 {
		if limited.Allow(None, "a") != 0 || limited.Allow(Media, "a") != 0 || limited.Allow(Search, "a") != 0 {
			t.Fatal("limited")
		}
		if (*Limiter)(nil).Allow(Login, "a") != 0 {
			t.Fatal("the nil limiter limits")
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	l := New(map[Class]Limit{Login: {time.Hour, 1}}, newClock().now)
	l.max = 10
	l.Allow(Login, "busy")
	for i := range 1000 {
		l.Allow(Login, fmt.Sprint(i))
		if l.Allow(Login, "busy") == 0 {
			t.Fatal("a flood of addresses resets a key in use")
		}
	}
	if len(l.buckets) != 10 || l.order.Len() != 10 {
		t.Errorf("%d buckets, %d in order", len(l.buckets), l.order.Len())
	}
}

func TestDefaultsLetPeopleChat(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := New(Defaults(), c.now)
	for i := range 2000 { // ten messages a second for minutes
		c.t = c.t.Add(100 * time.Millisecond)
		if wait := l.Allow(Messages, "bot"); wait != 0 {
			t.Fatalf("message %d waits %v", i, wait)
		}
	}
	for class, limit := range Defaults() {
		if limit.Every <= 0 || limit.Burst < 1 {
			t.Errorf("class %d is not limited", class)
		}
	}
}

func TestConcurrentUseKeepsTheBudget(t *testing.T) {
	t.Parallel()
	l := New(map[Class]Limit{Login: {time.Hour, 50}}, newClock().now)
	var mu sync.Mutex
	allowed := 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if l.Allow(Login, "a") == 0 {
					mu.Lock()
					allowed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if allowed != 50 {
		t.Errorf("%d allowed, want 50", allowed)
	}
}

func BenchmarkAllow(b *testing.B) {
	l := New(Defaults(), newClock().now)
	b.ReportAllocs()
	for b.Loop() {
		l.Allow(Messages, "@alice:example.org")
	}
}
