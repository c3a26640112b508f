package live

import "github.com/ca4c8834/homeserver/store"

// Watched is how many rooms somebody waits for.
func (m *Memory) Watched() int {
	m.users.mu.Lock()
	defer m.users.mu.Unlock()
	return len(m.users.watched)
}

// Changed is the position up to which those who wait with After have been woken.
func (u *User) Changed() store.Pos {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.changed
}
