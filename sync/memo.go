package sync

import "maps"

// memo is what is remembered of a user between their requests, until something of
// their own changes. It is immutable once given away.
type memo struct {
	settings *settings
	devices  map[string]deviceMemo // by device ID
}

// deviceMemo is what is remembered of a device.
type deviceMemo struct {
	counts []byte // rendered members with the counts of its keys
	quiet  bool   // no messages are stored for it
}

// remember takes over what is known from the user's requests before.
func (a *answer) remember() {
	a.own = a.user.Own()
	if m, ok := a.user.Memo().(*memo); ok {
		a.memo = *m
	}
}

// keep remembers something of the device.
func (m *memo) keep(device string, d deviceMemo) {
	m.devices = maps.Clone(m.devices)
	if m.devices == nil {
		m.devices = map[string]deviceMemo{}
	}
	m.devices[device] = d
}
