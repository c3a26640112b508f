package live

import "github.com/ca4c8834/homeserver/store"

// Changed is the position up to which those who wait with After have been woken.
func (u *User) Changed() store.Pos {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.changed
}
