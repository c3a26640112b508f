package sync

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/devicelist"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Keys knows what keys devices have left.
type Keys interface {
	// Counts returns how many one-time keys of each algorithm a device has, the
	// algorithms whose fallback key is unused, and the position of the latest
	// claim.
	Counts(v store.View, user events.UserID, device string) (oneTime map[string]int64, unused []string, claimed store.Pos, err error)
}

// ToDevice keeps messages from device to device.
type ToDevice interface {
	// Pending returns the oldest messages for a device after a position, up to
	// where the device has everything with them, and whether earlier ones are
	// still stored. The limit is only ever lowered.
	Pending(v store.View, user events.UserID, device string, after, until store.Pos, limit int) (messages []json.RawMessage, upTo store.Pos, stale bool, err error)
	// Acknowledge removes the messages for a device up to a position.
	Acknowledge(ctx context.Context, user events.UserID, device string, until store.Pos) error
}

// maxMessages is how many messages to a device an answer has at most.
const maxMessages = 100

// deviceData is what an answer tells a device alone.
type deviceData struct {
	messages    []json.RawMessage
	counts      []byte
	acknowledge bool // messages up to since have arrived
	lists       devicelist.Changes
}

// readDevice reads what is for the device alone. If there are more messages than
// fit, the answer ends where they do (SYNC-52). M_UNKNOWN_TOKEN if the device was
// deleted while it waited.
func (a *answer) readDevice(ctx context.Context) error {
	if a.Device == "" {
		return nil
	}
	known, ok := a.memo.devices[a.Device]
	if ok && known.quiet && a.own <= a.since {
		a.device.counts = known.counts
		return nil
	}
	err := a.Memory.View(ctx, func(v store.View) (err error) {
		if _, err := v.Device(a.User, a.Device); errors.Is(err, store.ErrNotFound) { // DEV-20
			return mxerr.UnknownToken("the device has been deleted")
		} else if err != nil {
			return err
		}
		oneTime, unused, claimed, err := a.Keys.Counts(v, a.User, a.Device)
		if err != nil {
			return err
		}
		a.device.counts = renderCounts(oneTime, unused, unusedTypes, legacyUnusedTypes)
		var upTo store.Pos
		a.device.messages, upTo, a.device.acknowledge, err = a.ToDevice.Pending(v, a.User, a.Device, a.since, a.until, maxMessages)
		a.until = min(a.until, upTo)
		a.empty = a.empty && (claimed <= a.since || claimed > a.until) // KEYS-57
		return err
	})
	a.device.acknowledge = a.device.acknowledge && !a.first
	if err == nil {
		quiet := a.device.messages == nil && !a.device.acknowledge
		a.memo.keep(a.Device, deviceMemo{counts: a.device.counts, quiet: quiet})
	}
	return err
}

// What the algorithms of unused fallback keys are told as; /sync tells them by the name
// that they had before they were specified, too (DL-19).
const (
	unusedTypes       = "device_unused_fallback_key_types"
	legacyUnusedTypes = "org.matrix.msc2732.device_unused_fallback_key_types"
)

// renderCounts renders the members that every answer to a device has (DL-17, DL-18), the
// unused algorithms by each of the names.
func renderCounts(oneTime map[string]int64, unused []string, names ...string) []byte {
	w := writer{}
	w.key("device_one_time_keys_count")
	w.open('{')
	for _, algorithm := range slices.Sorted(maps.Keys(oneTime)) {
		w.key(algorithm)
		w.int(int(oneTime[algorithm]))
	}
	w.close('}')
	for _, name := range names {
		w.key(name)
		w.open('[')
		for _, algorithm := range unused {
			w.string(algorithm)
		}
		w.close(']')
	}
	return w.buf
}

// readDeviceLists reads whose devices have to be fetched anew (SYNC-54, DL-1). Rooms
// that a filter hides count too (SYNC-55).
func (a *answer) readDeviceLists(ctx context.Context) (err error) {
	if !a.first {
		a.device.lists, err = a.deviceLists(ctx, a.user, a.own, a.since)
	}
	return err
}

// deviceLists returns whose devices a user has to fetch anew since a position, and
// whose not any more. own is when something of the user's own has last changed.
func (s *Service) deviceLists(ctx context.Context, u *live.User, own, since store.Pos) (lists devicelist.Changes, err error) {
	var rooms []store.RoomNum
	for _, c := range u.RoomsSince(since) {
		room, err := s.Memory.Room(ctx, c.ID)
		switch {
		case errors.Is(err, store.ErrNotFound): // deleted by now
		case err != nil:
			return lists, err
		case room.MembersChanged() > since:
			rooms = append(rooms, c.Num)
		}
	}
	if rooms == nil && u.Devices() <= since && own <= since {
		return lists, nil
	}
	err = s.Memory.View(ctx, func(v store.View) (err error) {
		lists, err = devicelist.Since(v, u.ID, since, rooms)
		return err
	})
	return lists, err
}

func (a *answer) writeDevice() {
	w := &a.out
	if a.device.messages != nil {
		a.empty = false
		w.openEvents("to_device")
		for _, m := range a.device.messages {
			w.raw(m)
		}
		w.closeEvents()
	}
	if w.deviceLists(a.device.lists) {
		a.empty = false
	}
	if a.device.counts != nil {
		w.raw(a.device.counts)
	}
}

// deviceLists writes changes of device lists, if there are any.
func (w *writer) deviceLists(lists devicelist.Changes) bool {
	if lists.Changed == nil && lists.Left == nil {
		return false
	}
	w.key("device_lists")
	w.open('{')
	w.users("changed", lists.Changed)
	w.users("left", lists.Left)
	w.close('}')
	return true
}

func (w *writer) users(name string, list []events.UserID) {
	w.key(name)
	w.open('[')
	for _, u := range list {
		w.string(string(u))
	}
	w.close(']')
}
