package account

import (
	"context"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Device is one login of a user.
type Device = store.Device

// Devices returns a user's devices in the order of their IDs (SDEV-5).
func (s *Service) Devices(ctx context.Context, user events.UserID) (devices []Device, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		devices, err = v.Devices(user)
		return err
	})
	return devices, err
}

// Device returns one of a user's devices. M_NOT_FOUND (SDEV-6).
func (s *Service) Device(ctx context.Context, user events.UserID, id string) (device Device, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		device, err = v.Device(user, id)
		return err
	})
	return device, noDevice(err)
}

// RenameDevice sets the display name of one of a user's devices, or leaves it as
// it is if name is nil. M_NOT_FOUND (SDEV-7).
func (s *Service) RenameDevice(ctx context.Context, user events.UserID, id string, name *string) error {
	return noDevice(s.Store.Update(ctx, func(tx store.Tx) error {
		device, err := tx.Device(user, id)
		if err != nil || name == nil {
			return err
		}
		device.DisplayName = *name
		return tx.PutDevice(device)
	}))
}

func noDevice(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return mxerr.NotFound("no such device")
	}
	return err
}
