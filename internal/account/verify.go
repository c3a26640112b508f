package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// verifyEvery is how often, in milliseconds, the host is asked about a token.
const verifyEvery = 60 * 1000

// errEnded says that sessions have ended since the host was asked about a token, which
// may have been one of them.
var errEnded = errors.New("sessions have ended meanwhile")

// verifySession asks the host about a token, and keeps the answer in the cache.
func (s *Service) verifySession(ctx context.Context, by uia.TokenVerifier, token string, hash store.TokenHash) (*cachedSession, error) {
	for {
		c, err := s.verifyOnce(ctx, by, token, hash)
		if err != errEnded {
			return c, err
		}
	}
}

// verifyOnce is verifySession, or errEnded if the host has to be asked again.
func (s *Service) verifyOnce(ctx context.Context, by uia.TokenVerifier, token string, hash store.TokenHash) (*cachedSession, error) {
	drops := s.sessions.drops.Load()
	verified, err := by.VerifyToken(ctx, token)
	switch {
	case errors.Is(err, uia.ErrExpiredToken):
		return nil, mxerr.SoftLogout("the access token has expired")
	case errors.Is(err, uia.ErrUnknownToken):
		return nil, mxerr.UnknownToken("the token is not known")
	case err != nil:
		return nil, err
	}
	if err := s.isLocal(verified.User); err != nil {
		return nil, fmt.Errorf("verify token of %s: %v", verified.User, err) // no refusal: the host is at fault
	}
	c := &cachedSession{verified: s.nowMillis() + verifyEvery}
	if !verified.Until.IsZero() {
		c.verified = verified.Until.UnixMilli()
	}
	err = s.Store.View(ctx, func(v store.View) error { return c.identify(v, verified) })
	if errors.Is(err, store.ErrNotFound) {
		err = s.Store.Update(ctx, func(tx store.Tx) error {
			if s.sessions.drops.Load() != drops {
				return errEnded // or the device that has just signed out would come back
			}
			if err := s.prepare(tx, verified); err != nil {
				return err
			}
			return c.identify(tx, verified)
		})
	}
	if err != nil {
		return nil, err
	}
	s.sessions.put(hash, c, drops)
	return c, nil
}

// revoke has the host end its tokens of a user for devices that are gone, or all of
// them if devices is nil (SDEV-12). remove is what has removed the devices: their last
// requests may have brought them back before the host knew.
func (s *Service) revoke(ctx context.Context, user events.UserID, devices []string, remove func(store.Tx) error) error {
	by, ok := s.Provider.(uia.TokenRevoker)
	if !ok {
		return nil
	}
	err := by.RevokeTokens(ctx, user, devices)
	s.sessions.drop(user) // what was verified in between
	if err != nil {
		return fmt.Errorf("revoke tokens of the host: %w", err)
	}
	return s.Store.Update(ctx, remove)
}

// identify fills in what the store knows about the owner of a verified token.
// store.ErrNotFound if this is the first token of the user or the device.
func (c *cachedSession) identify(v store.View, verified uia.Verified) error {
	user, err := v.UserFold(verified.User)
	if err != nil {
		return err
	}
	if user.Deactivated {
		return mxerr.UnknownToken("this account is deactivated")
	}
	c.Identity = Identity{User: user.ID, Device: verified.Device, Guest: user.Guest, Locked: user.Locked, Suspended: user.Suspended}
	if verified.Device == "" {
		return nil
	}
	device, err := v.Device(user.ID, verified.Device)
	c.seen.Store(device.LastSeenTS)
	return err
}

// prepare makes the account and the device of a verified token.
func (s *Service) prepare(tx store.Tx, verified uia.Verified) error {
	user, err := s.ensureUser(tx, verified.User)
	if err != nil || verified.Device == "" {
		return err
	}
	if _, err = tx.Device(user, verified.Device); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := checkDeviceID(verified.Device); err != nil {
		return err
	}
	if err := freeDevice(tx, user, verified.Device); err != nil {
		return err
	}
	if err := tx.PutDevice(store.Device{User: user, ID: verified.Device, CreatedTS: s.nowMillis()}); err != nil {
		return err
	}
	return s.devicesChanged(tx, user) // SDEV-14
}
