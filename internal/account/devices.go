package account

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
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

// PutDevice sets the display name of one of a user's devices, or leaves it as it
// is if name is nil (SDEV-7). A device that does not exist is made if create is
// set (DEV-5), or else M_NOT_FOUND.
func (s *Service) PutDevice(ctx context.Context, user events.UserID, id string, name *string, create bool) (created bool, err error) {
	if name != nil {
		if err := checkDeviceName("display_name", *name); err != nil {
			return false, err
		}
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		device, err := tx.Device(user, id)
		created = false
		switch {
		case create && errors.Is(err, store.ErrNotFound):
			if err := checkDeviceID(id); err != nil {
				return err
			}
			if err := freeDevice(tx, user, id); err != nil {
				return err
			}
			device, created = Device{User: user, ID: id, CreatedTS: s.nowMillis()}, true
		case err != nil || name == nil || *name == device.DisplayName:
			return err
		}
		if name != nil {
			device.DisplayName = *name
		}
		if err := tx.PutDevice(device); err != nil {
			return err
		}
		return s.devicesChanged(tx, user) // DEV-6
	})
	return created, noDevice(err)
}

// DeleteDevices removes devices of a user, with their sessions and all that is
// theirs, once the user has proved to be there (DEV-7 to DEV-12, DEV-15 to
// DEV-19). Unknown ones are no error.
func (s *Service) DeleteDevices(ctx context.Context, user events.UserID, ids []string, auth json.RawMessage) error {
	target, err := json.Marshal(ids) // proof for one device is none for another
	if err != nil {
		return err
	}
	op, err := s.Operation(ctx, uia.OpDeleteDevices, string(target), user)
	if err != nil {
		return err
	}
	_, err = uia.Do(ctx, s.engine, op, auth, func(ctx context.Context, _ uia.Proof) (struct{}, error) {
		return struct{}{}, s.RemoveDevices(ctx, user, ids)
	})
	return err
}

// RemoveDevices is DeleteDevices for the host and for application services, who
// need no proof (DEV-13).
func (s *Service) RemoveDevices(ctx context.Context, user events.UserID, ids []string) error {
	remove := func(tx store.Tx) error { return s.dropDevices(tx, user, ids...) }
	if err := s.Store.Update(ctx, remove); err != nil {
		return err
	}
	return s.revoke(ctx, user, ids, remove)
}

// typeDeviceSettings is, with the ID of a device behind it, the account data that says
// how the device notifies (MSC3890).
const typeDeviceSettings = "org.matrix.msc3890.local_notification_settings."

// dropDevices removes devices of a user and ends their sessions.
func (s *Service) dropDevices(tx store.Tx, user events.UserID, ids ...string) error {
	tx.OnCommit(func() { s.sessions.drop(user) })
	removed := false
	for _, id := range ids {
		err := tx.DeleteDevice(user, id)
		if errors.Is(err, store.ErrNotFound) { // DEV-11
			continue
		}
		if err == nil {
			err = tx.DeleteAccountDatum(user, "", typeDeviceSettings+id) // DEV-31
		}
		if err != nil {
			return err
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return s.devicesChanged(tx, user) // DEV-17
}

func (s *Service) devicesChanged(tx store.Tx, user events.UserID) error {
	if s.DeviceLists == nil {
		return nil
	}
	return s.DeviceLists.Changed(tx, user)
}

func checkDeviceID(id string) error {
	if id == "" || len(id) > maxDeviceBytes {
		return mxerr.InvalidParam("device_id", "must have 1 to %d bytes", maxDeviceBytes)
	}
	return nil
}

func checkDeviceName(field, name string) error {
	if len(name) > maxDeviceName {
		return mxerr.InvalidParam(field, "may have at most %d bytes", maxDeviceName)
	}
	return nil
}

// freeDevice refuses a new device that is called like one of its user's
// cross-signing keys: signatures name both in the same place (DEV-25).
func freeDevice(v store.View, user events.UserID, id string) error {
	keys, err := v.CrossSigningKeys([]events.UserID{user})
	for _, k := range keys {
		if k.Public == id {
			return mxerr.Forbidden("a cross-signing key of this user is called like the device")
		}
	}
	return err
}

func noDevice(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return mxerr.NotFound("no such device")
	}
	return err
}
