package keys

import (
	"container/list"
	"sync"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// memoryLimit bounds, in bytes, what is kept of users' keys: those of two
// thousand users with three devices each.
const memoryLimit = 8 << 20

// published is what everybody may know of a user's keys. It is immutable.
type published struct {
	user        events.UserID
	pos         store.Pos // of the user's latest change
	devices     []publishedDevice
	master      object // nil: none
	masterKey   string // the key in it
	selfSigning object // nil: none
	size        int    // about, in bytes
}

type publishedDevice struct {
	id   string
	json []byte // as it is served
}

// memory keeps what was published by users who were asked for lately: after a
// change of somebody in a large room, all of its members ask for the same keys.
//
// Nothing has to be dropped from it. Whatever changes a user's published keys
// takes a new position for the user's device list in the same transaction, so
// what was read at the position that a View shows is what the View would show.
type memory struct {
	limit int

	mu     sync.Mutex
	byUser map[events.UserID]*list.Element // of *published
	order  list.List                       // the most recently used in front
	size   int
}

// published returns what the given users have published as of a View. Users
// whom the View does not know are left out.
func (m *memory) published(v store.View, users []events.UserID) (map[events.UserID]*published, error) {
	positions, err := v.DeviceListPositions(users)
	if err != nil {
		return nil, err
	}
	all := make(map[events.UserID]*published, len(users))
	var missing, silent []events.UserID
	m.mu.Lock()
	for _, user := range users {
		pos, ok := positions[user]
		if !ok {
			silent = append(silent, user)
			continue
		}
		if el := m.byUser[user]; el != nil && el.Value.(*published).pos == pos {
			m.order.MoveToFront(el)
			all[user] = el.Value.(*published)
			continue
		}
		missing = append(missing, user)
	}
	m.mu.Unlock()
	known, err := v.ExistingUsers(silent) // they never had a device
	if err != nil {
		return nil, err
	}
	for _, user := range known {
		all[user] = &published{user: user}
	}
	if len(missing) == 0 {
		return all, nil
	}
	if err := load(v, missing, positions, all); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, user := range missing {
		m.keep(all[user])
	}
	return all, nil
}

// keep adds what a user has published, instead of something older. m.mu is held.
func (m *memory) keep(p *published) {
	if el := m.byUser[p.user]; el != nil {
		if el.Value.(*published).pos >= p.pos {
			return
		}
		m.drop(el)
	}
	m.byUser[p.user] = m.order.PushFront(p)
	for m.size += p.size; m.size > m.limit; {
		m.drop(m.order.Back())
	}
}

func (m *memory) drop(el *list.Element) {
	p := m.order.Remove(el).(*published)
	delete(m.byUser, p.user)
	m.size -= p.size
}

// load reads what users have published.
func load(v store.View, users []events.UserID, positions map[events.UserID]store.Pos, to map[events.UserID]*published) error {
	for _, user := range users {
		to[user] = &published{user: user, pos: positions[user], size: 200 + len(user)}
	}
	devices, err := v.DeviceKeys(users)
	if err != nil {
		return err
	}
	for _, k := range devices {
		p := to[k.User]
		d := publishedDevice{k.Device, withName(k.JSON, k.Name)}
		p.devices = append(p.devices, d)
		p.size += len(d.id) + len(d.json) + 100
	}
	keys, err := v.CrossSigningKeys(users)
	for _, k := range keys {
		p := to[k.User]
		switch k.Usage {
		case master:
			p.master, p.masterKey = k.JSON, k.Public
		case selfSigning:
			p.selfSigning = k.JSON
		default:
			continue
		}
		p.size += len(k.JSON)
	}
	return err
}

// withName returns the keys of a device, an object that is not empty, with what
// the server adds to it (KEYS-35).
func withName(key []byte, name string) []byte {
	out := make([]byte, 0, len(key)+len(name)+48)
	out = append(append(out, key[:len(key)-1]...), `,"unsigned":{`...)
	if name != "" {
		out = events.AppendString(append(out, `"device_display_name":`...), name)
	}
	return append(out, "}}"...)
}
