package keys

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Dehydrated is a device that a user leaves behind on the server, to collect
// keys while no other device is there (MSC3814).
type Dehydrated struct {
	Device string
	Name   string          // display name
	Data   json.RawMessage // with an algorithm; for the client to come
	Keys   Upload          // identity keys are required
}

// dehydratedPage is how many messages are fetched at once.
const dehydratedPage = 100

// PutDehydrated makes a user's dehydrated device and removes the former one with
// its keys and messages (DEHY-2, DEHY-3).
func (s *Service) PutDehydrated(ctx context.Context, user events.UserID, in Dehydrated) error {
	if in.Device == "" || len(in.Device) > events.MaxIDBytes {
		return mxerr.InvalidParam("device_id", "must have 1 to %d bytes", events.MaxIDBytes)
	}
	if gjson.GetBytes(in.Data, "algorithm").Type != gjson.String {
		return mxerr.BadJSON("device_data must be an object with an algorithm")
	}
	u, err := newUpload(user, in.Device, in.Keys)
	if err != nil {
		return err
	}
	if u.identity == nil {
		return mxerr.MissingParam("device_keys")
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		former, err := tx.DehydratedDevice(user)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if former.Device != in.Device {
			if err := newDevice(tx, user, in.Device); err != nil {
				return err
			}
		}
		if former.Device != "" {
			if err := tx.DeleteDevice(user, former.Device); err != nil {
				return err
			}
		}
		device := store.Device{User: user, ID: in.Device, DisplayName: in.Name, CreatedTS: s.Now().UnixMilli()}
		if err := tx.PutDevice(device); err != nil {
			return err
		}
		if err := tx.PutDehydratedDevice(store.DehydratedDevice{User: user, Device: in.Device, Data: in.Data}); err != nil {
			return err
		}
		return s.store(tx, u) // notes the change
	})
}

// newDevice refuses a name that a device or a cross-signing key of the user has
// (DEV-25).
func newDevice(v store.View, user events.UserID, id string) error {
	switch _, err := v.Device(user, id); {
	case err == nil:
		return mxerr.InvalidParam("device_id", "is that of another device")
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	keys, err := v.CrossSigningKeys([]events.UserID{user})
	for _, k := range keys {
		if k.Public == id {
			return mxerr.Forbidden("a cross-signing key of this user is called like the device")
		}
	}
	return err
}

// Dehydrated returns a user's dehydrated device and its data. M_NOT_FOUND
// (DEHY-4).
func (s *Service) Dehydrated(ctx context.Context, user events.UserID) (device string, data json.RawMessage, err error) {
	var d store.DehydratedDevice
	err = s.Store.View(ctx, func(v store.View) (err error) {
		d, err = dehydrated(v, user)
		return err
	})
	return d.Device, d.Data, err
}

// DeleteDehydrated removes a user's dehydrated device and returns its ID.
// M_NOT_FOUND (DEHY-4).
func (s *Service) DeleteDehydrated(ctx context.Context, user events.UserID) (device string, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		d, err := dehydrated(tx, user)
		if err != nil {
			return err
		}
		device = d.Device
		if err := tx.DeleteDevice(user, d.Device); err != nil {
			return err
		}
		return s.Lists.Changed(tx, user)
	})
	return device, err
}

// DehydratedEvents returns a page of the messages that wait for a user's
// dehydrated device, after a token, and the token for the next; nothing is
// deleted, and an empty page is the end (DEHY-5). M_FORBIDDEN for another
// device.
func (s *Service) DehydratedEvents(ctx context.Context, user events.UserID, device, from string) (events []json.RawMessage, next string, err error) {
	var after int64
	if from != "" {
		if after, err = strconv.ParseInt(from, 10, 64); err != nil || after < 0 {
			return nil, "", mxerr.InvalidParam("next_batch", "is not a token of this endpoint")
		}
	}
	events = []json.RawMessage{}
	err = s.Store.View(ctx, func(v store.View) error {
		d, err := dehydrated(v, user)
		if err != nil {
			return err
		}
		if d.Device != device {
			return mxerr.Forbidden("this is not the user's dehydrated device")
		}
		messages, err := v.ToDevice(user, device, store.Pos(after), store.MaxPos, dehydratedPage)
		for _, m := range messages {
			events = append(events, m.JSON)
			after = int64(m.Pos)
		}
		return err
	})
	return events, strconv.FormatInt(after, 10), err
}

func dehydrated(v store.View, user events.UserID) (store.DehydratedDevice, error) {
	d, err := v.DehydratedDevice(user)
	if errors.Is(err, store.ErrNotFound) {
		err = mxerr.NotFound("there is no dehydrated device")
	}
	return d, err
}
