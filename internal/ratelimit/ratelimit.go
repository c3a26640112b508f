// Package ratelimit decides how long a client must wait before the server spends work on it.
//
// Every endpoint belongs to a [Class]; every caller has a key, its user ID if it is signed in and its network address
// if not. Each pair of the two has a token bucket: Burst requests at once, then one every Every. The buckets of different
// classes are independent, so that uploading pictures doesn't stop anybody from chatting.
//
//	limiter := ratelimit.New(ratelimit.Defaults(), clock)
//	if wait := limiter.Allow(ratelimit.Login, address); wait > 0 {
//		return mxerr.LimitExceeded(wait)
//	}
//
// Memory is bounded: at most 16,384 buckets are kept and the one that was used longest ago goes first. A bucket that
// has not been used for Burst × Every is full, and forgetting a full bucket changes nothing; a flood from more
// addresses than that only resets the buckets of those who have been silent longest.
//
// [Limiter.Override] gives some keys budgets of their own, and [Address] makes one key of the addresses that one client has.
//
// A refused request costs nothing from the bucket, so a client that keeps asking is let through as soon as its time
// has come.
package ratelimit

import (
	"container/list"
	"maps"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Class groups the endpoints that share a budget.
type Class uint8

// The classes. None is never limited: sync, reads of rooms and everything that answers from memory.
const (
	None     Class = iota
	Messages       // sending events, state, receipts, typing, to-device messages
	Rooms          // creating, joining, knocking, inviting, upgrading: work for many others
	Login          // login, refresh
	Register       // registration and the requests for validation tokens
	Probe          // login tokens and the validity of registration tokens: guessing is the only reason to be fast (RATE-5)
	Guess          // passwords tried for one account, from wherever: the key is the account
	Account        // the other account endpoints of RATE-4: password, profile, whoami, capabilities, OpenID, reports
	Search         // user directory, room search, public rooms, URL previews
	Media          // uploads and downloads
)

// Limit is one class's budget for one key.
type Limit struct {
	Every time.Duration // time in which one request is earned; 0 or less means no limit
	Burst int           // requests that may come at once, at least 1
}

// Defaults returns the limits of a server whose host sets none. They are meant to stop loops and guessing, and to be
// out of reach of a person and of an ordinary bot.
func Defaults() map[Class]Limit {
	return map[Class]Limit{
		Messages: {Every: time.Second / 20, Burst: 200},
		Rooms:    {Every: time.Second / 2, Burst: 50},
		Login:    {Every: 2 * time.Second, Burst: 20},
		Register: {Every: 5 * time.Second, Burst: 10},
		Probe:    {Every: 30 * time.Second, Burst: 5},
		Guess:    {Every: 5 * time.Second, Burst: 20},
		Account:  {Every: time.Second / 10, Burst: 100},
		Search:   {Every: time.Second / 5, Burst: 50},
		Media:    {Every: time.Second / 20, Burst: 200},
	}
}

// maxBuckets bounds the memory to about 4 MB.
const maxBuckets = 16384

// Limiter holds the buckets. It is safe for concurrent use. A nil *Limiter allows everything.
type Limiter struct {
	limits   map[Class]Limit
	override func(class Class, key string, usual Limit) Limit // nil: nobody's is
	now      func() time.Time
	max      int

	mu      sync.Mutex
	buckets map[bucketKey]*list.Element
	order   *list.List // of *bucket, most recently used first
}

type bucketKey struct {
	class Class
	key   string
}

type bucket struct {
	bucketKey
	limit  Limit
	tokens *rate.Limiter
}

// New returns a limiter with the given limits, which it copies; a class that is absent is not limited. now is the clock.
func New(limits map[Class]Limit, now func() time.Time) *Limiter {
	return &Limiter{
		limits:  maps.Clone(limits),
		now:     now,
		max:     maxBuckets,
		buckets: make(map[bucketKey]*list.Element),
		order:   list.New(),
	}
}

// Override lets limit choose the limit of each key; usual is that of its class, zero if there is none. It is called for
// every request, from any goroutine, and what it returns holds from then on. Override must be called before Allow.
func (l *Limiter) Override(limit func(class Class, key string, usual Limit) Limit) {
	l.override = limit
}

// Address returns the key of a network address: an IPv6 network of 64 bits is one client's, who has all the addresses in it
// to try. What is no address stays as it is.
func Address(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip.WithZone(""), 64).Masked().String()
}

// Allow takes one request of the class from the key's budget and returns 0, or returns how long to wait before the
// next one will be allowed and takes nothing (RATE-1).
func (l *Limiter) Allow(class Class, key string) (wait time.Duration) {
	if l == nil || class == None {
		return 0
	}
	limit := l.limits[class]
	if l.override != nil {
		limit = l.override(class, key, limit)
	}
	if limit.Every <= 0 {
		return 0
	}
	limit.Burst = max(limit.Burst, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	reservation := l.bucket(bucketKey{class, key}, limit, now).ReserveN(now, 1)
	wait = reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// bucket returns the key's bucket as the most recently used one, making it and dropping the oldest if need be.
func (l *Limiter) bucket(k bucketKey, limit Limit, now time.Time) *rate.Limiter {
	if e, ok := l.buckets[k]; ok {
		l.order.MoveToFront(e)
		b := e.Value.(*bucket)
		if b.limit != limit {
			b.limit = limit
			b.tokens.SetLimitAt(now, rate.Every(limit.Every))
			b.tokens.SetBurstAt(now, limit.Burst)
		}
		return b.tokens
	}
	if l.order.Len() >= l.max {
		oldest := l.order.Back()
		l.order.Remove(oldest)
		delete(l.buckets, oldest.Value.(*bucket).bucketKey)
	}
	b := &bucket{k, limit, rate.NewLimiter(rate.Every(limit.Every), limit.Burst)}
	l.buckets[k] = l.order.PushFront(b)
	return b.tokens
}
