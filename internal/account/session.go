package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// maxDeviceBytes bounds the IDs that clients choose; any other rule would break
// ID-12.
const maxDeviceBytes = 255

// login is a session about to begin.
type login struct {
	service *Service
	client  Client
	session Session
	hash    store.TokenHash
	now     int64
}

// newLogin prepares a session; nothing of it exists until it is stored.
func (s *Service) newLogin(user events.UserID, c Client) (*login, error) {
	if len(c.Device) > maxDeviceBytes {
		return nil, mxerr.InvalidParam("device_id", "may have at most %d bytes", maxDeviceBytes)
	}
	device := c.Device
	if device == "" {
		device = newDeviceID()
	}
	token := newToken()
	return &login{s, c, Session{User: user, Device: device, Token: token}, hashToken(token), s.nowMillis()}, nil
}

// store makes the session real: it creates the device, or takes it over and ends
// its earlier tokens (SDEV-2, SDEV-3).
func (l *login) store(tx store.Tx) error {
	device, err := tx.Device(l.session.User, l.session.Device)
	switch {
	case errors.Is(err, store.ErrNotFound):
		device = store.Device{
			User: l.session.User, ID: l.session.Device, DisplayName: l.client.DeviceName, CreatedTS: l.now,
		}
	case err != nil:
		return err
	default:
		tx.OnCommit(func() { l.service.sessions.drop(l.session.User) })
		if err := tx.DeleteTokens(l.session.User, l.session.Device); err != nil {
			return err
		}
	}
	device.LastSeenTS, device.LastSeenIP, device.UserAgent = l.now, l.client.Address, l.client.UserAgent
	if err := tx.PutDevice(device); err != nil {
		return err
	}
	return tx.PutToken(store.Token{
		Hash: l.hash, User: l.session.User, Device: l.session.Device, CreatedTS: l.now,
	})
}

// tokenPrefix lets scanners for leaked secrets recognise access tokens.
const tokenPrefix = "hs_"

// newToken returns 256 random bits as an access token.
func newToken() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

func hashToken(token string) store.TokenHash { return sha256.Sum256([]byte(token)) }

// newDeviceID returns ten random upper-case letters.
func newDeviceID() string { return randomLetters('A', 10) }

// randomLetters returns n letters of the 26 that begin with first.
func randomLetters(first byte, n int) string {
	out := make([]byte, 0, n)
	var b [32]byte
	for {
		rand.Read(b[:])
		for _, x := range b {
			if x < 26*9 { // else the first letters would be more frequent
				out = append(out, first+x%26)
			}
			if len(out) == n {
				return string(out)
			}
		}
	}
}
