package pushrules

import (
	"fmt"
	"sync"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/bounded"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
)

// entry is the rules of a user as of the position of their latest change.
type entry struct {
	rules *push.Ruleset
	pos   store.Pos
	size  int // of the changes, in bytes
}

// weight is roughly what an entry costs in memory, in bytes.
func (e entry) weight() int { return 200 + 8*e.size }

// maxCached bounds the memory of the rules that are kept, in bytes.
const maxCached = 32 << 20

// cache keeps rules of users as they are committed. Its lock is a leaf.
type cache struct {
	mu        sync.RWMutex
	byUser    *bounded.Map[events.UserID, entry]
	newest    store.Pos             // of the latest committed change
	suspended map[events.UserID]int // changes that are neither committed nor undone
}

func newCache(limit int) *cache {
	return &cache{byUser: bounded.New[events.UserID](limit, entry.weight), suspended: make(map[events.UserID]int)}
}

func (c *cache) get(user events.UserID) (entry, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byUser.Get(user)
}

// getAll fills in the entries of users and returns the indexes of those that are
// not there.
func (c *cache) getAll(users []events.UserID, entries []entry) (missing []int) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i, user := range users {
		e, ok := c.byUser.Get(user)
		if !ok {
			missing = append(missing, i)
		}
		entries[i] = e
	}
	return missing
}

// add keeps entries that were read at a position, unless they may be out of date:
// a later change has been committed, or one of their user is under way.
func (c *cache) add(users []events.UserID, entries []entry, at store.Pos) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at < c.newest {
		return
	}
	for i, user := range users {
		if c.suspended[user] == 0 {
			c.byUser.Put(user, entries[i])
		}
	}
}

// suspend takes a user out of the cache until resume has been called as often.
func (c *cache) suspend(user events.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byUser.Delete(user)
	c.suspended[user]++
}

func (c *cache) resume(user events.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.suspended[user]--; c.suspended[user] == 0 {
		delete(c.suspended, user)
	}
}

// commit keeps the entry that a change has made. Another change of the user may
// be under way.
func (c *cache) commit(user events.UserID, e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.newest = e.pos
	if c.suspended[user] == 0 {
		c.byUser.Put(user, e)
	}
}

// entries returns the rules of users, from memory or as of the snapshot.
func (s *Service) entries(v store.View, users []events.UserID) ([]entry, error) {
	entries := make([]entry, len(users))
	missing := s.cache.getAll(users, entries)
	if len(missing) == 0 {
		return entries, nil
	}
	unknown := make([]events.UserID, len(missing))
	for i, at := range missing {
		unknown[i] = users[at]
	}
	rows, err := v.PushRuleChanges(unknown)
	if err != nil {
		return nil, err
	}
	stored := make(map[events.UserID]store.PushRuleChanges, len(rows))
	for _, row := range rows {
		stored[row.User] = row
	}
	read := make([]entry, len(missing))
	for i, user := range unknown {
		row := stored[user]
		rules, err := s.Defaults.Ruleset(user, row.Changes)
		if err != nil {
			return nil, fmt.Errorf("push rules of %s: %w", user, err)
		}
		read[i] = entry{rules, row.Pos, len(row.Changes)}
		entries[missing[i]] = read[i]
	}
	s.cache.add(unknown, read, v.Position())
	return entries, nil
}
