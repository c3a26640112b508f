package account

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

const (
	// maxCachedSessions is about 3 MB.
	maxCachedSessions = 10_000
	// lastSeenEvery is how old, in milliseconds, last_seen_ts may get before a
	// request renews it (SDEV-5).
	lastSeenEvery = 5 * 60 * 1000
)

// Identity is whom an access token belongs to.
type Identity struct {
	User      events.UserID
	Device    string
	Guest     bool
	Locked    bool
	Suspended bool
}

// Authenticate returns whom an access token belongs to, or M_UNKNOWN_TOKEN
// (AUTH-3), with soft_logout if the device is
// still there (AUTH-4, REFR-8). The owner
// of a locked account gets M_USER_LOCKED unless evenIfLocked (ADM-5). address
// and userAgent are of the request, for the device's last_seen_*.
func (s *Service) Authenticate(ctx context.Context, token, address, userAgent string, evenIfLocked bool) (Identity, error) {
	hash := hashToken(token)
	c := s.sessions.get(hash)
	if now := s.nowMillis(); c != nil && c.verified != 0 && c.verified <= now {
		s.sessions.drop(c.User)
		c = nil
	}
	if c == nil {
		var err error
		if verifier, ok := s.Provider.(uia.TokenVerifier); ok && !strings.HasPrefix(token, accessPrefix) {
			c, err = s.verifySession(ctx, verifier, token, hash)
		} else {
			c, err = s.loadSession(ctx, token, hash)
		}
		if err != nil {
			return Identity{}, err
		}
	}
	return s.use(ctx, c, address, userAgent, evenIfLocked)
}

// use lets a session be used once more, and notes when that was.
func (s *Service) use(ctx context.Context, c *cachedSession, address, userAgent string, evenIfLocked bool) (Identity, error) {
	now := s.nowMillis()
	switch {
	case c.expires != 0 && c.expires <= now:
		return Identity{}, mxerr.SoftLogout("the access token has expired")
	case c.Locked && !evenIfLocked:
		return Identity{}, mxerr.UserLocked("this account is locked")
	}
	if c.supersedes {
		if err := s.endSuperseded(ctx, c); err != nil {
			return Identity{}, err
		}
	}
	if seen := c.seen.Load(); c.Device != "" && now-seen >= lastSeenEvery && c.seen.CompareAndSwap(seen, now) {
		s.noteSeen(ctx, c.Identity, now, address, userAgent)
	}
	return c.Identity, nil
}

// loadSession reads a session from the store and keeps it in the cache.
func (s *Service) loadSession(ctx context.Context, presented string, hash store.TokenHash) (*cachedSession, error) {
	drops := s.sessions.drops.Load()
	c := new(cachedSession)
	err := s.Store.View(ctx, func(v store.View) error {
		token, err := v.Token(hash)
		if errors.Is(err, store.ErrNotFound) {
			return ended(v, presented)
		}
		if err != nil {
			return err
		}
		user, err := v.User(token.User)
		if err != nil {
			return err
		}
		if user.Deactivated {
			return store.ErrNotFound
		}
		device, err := v.Device(token.User, token.Device)
		if err != nil {
			return err
		}
		c.Identity = Identity{User: user.ID, Device: device.ID, Guest: user.Guest, Locked: user.Locked, Suspended: user.Suspended}
		c.expires = token.ExpiresTS
		c.seen.Store(device.LastSeenTS)
		c.supersedes, c.generation = token.Supersedes, token.Generation
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerr.UnknownToken("the token is not known")
	}
	if err != nil {
		return nil, err
	}
	s.sessions.put(hash, c, drops)
	return c, nil
}

// endSuperseded ends the tokens which the one that is used for the first time
// has replaced (REFR-4).
func (s *Service) endSuperseded(ctx context.Context, c *cachedSession) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		tx.OnCommit(func() { s.sessions.drop(c.User) })
		return tx.DeleteGenerations(c.User, c.Device, c.generation)
	})
}

// noteSeen renews a device's last_seen_*. The request goes on if that fails.
func (s *Service) noteSeen(ctx context.Context, id Identity, now int64, address, userAgent string) {
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		device, err := tx.Device(id.User, id.Device)
		if err != nil {
			return err
		}
		device.LastSeenTS, device.LastSeenIP, device.UserAgent = now, address, shortened(userAgent)
		return tx.PutDevice(device)
	})
	if err != nil && !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "store last use of device", "user_id", id.User, "device_id", id.Device, "error", err)
	}
}

// shortened returns what is kept of a user agent, as text.
func shortened(userAgent string) string {
	return strings.ToValidUTF8(userAgent[:min(len(userAgent), maxUserAgent)], "")
}

// cachedSession is what the store knows about a token. Only seen changes.
type cachedSession struct {
	Identity
	expires int64 // milliseconds; 0: never
	// verified is when, in milliseconds, the host is to be asked again about a
	// token of its own; 0: the token is ours.
	verified int64
	// supersedes says that tokens of generations before this one are to end.
	supersedes bool
	generation int64
	seen       atomic.Int64 // last_seen_ts as it is stored or about to be
}

// sessionCache keeps the sessions of recently used tokens. Whoever changes what
// Authenticate reads from the store drops the user's sessions while the change
// commits.
type sessionCache struct {
	limit int
	drops atomic.Uint64 // how often something was dropped

	mu     sync.RWMutex
	byHash map[store.TokenHash]*cachedSession
	byUser map[events.UserID][]store.TokenHash
}

func newSessionCache(limit int) *sessionCache {
	return &sessionCache{
		limit:  limit,
		byHash: make(map[store.TokenHash]*cachedSession),
		byUser: make(map[events.UserID][]store.TokenHash),
	}
}

func (c *sessionCache) get(hash store.TokenHash) *cachedSession {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byHash[hash]
}

// put keeps a session that was read after drops had the given value; if
// something was dropped since, what was read may be out of date.
func (c *sessionCache) put(hash store.TokenHash, s *cachedSession, drops uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drops.Load() != drops || c.byHash[hash] != nil {
		return
	}
	if len(c.byHash) >= c.limit {
		for user := range c.byUser { // any will do: the order of a map is random
			c.remove(user)
			break
		}
	}
	c.byHash[hash] = s
	c.byUser[s.User] = append(c.byUser[s.User], hash)
}

// drop forgets the sessions of a user.
func (c *sessionCache) drop(user events.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drops.Add(1)
	c.remove(user)
}

func (c *sessionCache) remove(user events.UserID) {
	for _, hash := range c.byUser[user] {
		delete(c.byHash, hash)
	}
	delete(c.byUser, user)
}
