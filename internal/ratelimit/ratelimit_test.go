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

// A key has the budget that was chosen for it, from the moment it is chosen; all others have that of their class.
func TestOverride(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := New(map[Class]Limit{Login: {time.Hour, 2}}, c.now)
	chosen := map[string]Limit{"bot": {time.Second, 5}, "free": {}}
	l.Override(func(class Class, key string, usual Limit) Limit {
		if want := (Limit{time.Hour, 2}); class == Login && usual != want || class == Media && usual != (Limit{}) {
			t.Errorf("class %d usually has %v", class, usual)
		}
		if limit, ok := chosen[key]; ok {
			return limit
		}
		return usual
	})
	allowed := func(class Class, key string) (n int) {
		for n < 100 && l.Allow(class, key) == 0 {
			n++
		}
		return n
	}
	for key, want := range map[string]int{"bot": 5, "free": 100, "other": 2} {
		if n := allowed(Login, key); n != want {
			t.Errorf("%s is allowed %d requests, want %d", key, n, want)
		}
	}
	if n := allowed(Media, "bot"); n != 5 {
		t.Errorf("%d requests of a class without a limit", n)
	}
	chosen["bot"] = Limit{time.Second, 8}
	if n := allowed(Login, "bot"); n != 0 {
		t.Errorf("%d requests from a larger budget that nothing was earned for", n)
	}
	c.t = c.t.Add(10 * time.Second)
	if n := allowed(Login, "bot"); n != 8 {
		t.Errorf("%d requests after the budget has grown", n)
	}
	chosen["bot"] = Limit{time.Hour, 0}
	c.t = c.t.Add(10 * time.Hour)
	if n := allowed(Login, "bot"); n != 1 {
		t.Errorf("%d requests after the budget has shrunk", n)
	}
}

// Whoever has an IPv6 address has 2^64 of them.
func TestAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::9": "2001:db8:1:2::/64", "2001:db8:1:3::9": "2001:db8:1:3::/64",
		"fe80::1%eth0": "fe80::/64", "@": "@", "": "", "proxy.example": "proxy.example",
	} {
		if got := Address(address); got != want {
			t.Errorf("%q has the key %q, want %q", address, got, want)
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
