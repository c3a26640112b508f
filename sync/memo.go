package sync

import (
	"maps"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/store"
)

// memo is what is remembered of a user between their requests, until something of
// their own changes. It is immutable once given away.
type memo struct {
	settings *settings
	direct   map[events.RoomID]bool // direct chats; nil: not read
	devices  map[string]deviceMemo  // by device ID
}

// deviceMemo is what is remembered of a device.
type deviceMemo struct {
	counts []byte // rendered members with the counts of its keys
	quiet  bool   // no messages are stored for it
}

// recall returns what is known from the user's requests before, and as of which
// change of their own.
func recall(u *live.User) (memo, store.Pos) {
	own := u.Own()
	if m, ok := u.Memo().(*memo); ok {
		return *m, own
	}
	return memo{}, own
}

// keep remembers something of the device.
func (m *memo) keep(device string, d deviceMemo) {
	m.devices = maps.Clone(m.devices)
	if m.devices == nil {
		m.devices = map[string]deviceMemo{}
	}
	m.devices[device] = d
}
