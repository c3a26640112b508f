package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// maxDeviceBytes bounds the IDs that clients choose; any other rule would break
// ID-12.
const maxDeviceBytes = 255

const (
	// maxDeviceName bounds the display names of devices in bytes, which everybody
	// downloads who sends to the device.
	maxDeviceName = 512
	// maxUserAgent bounds what is kept of a program's description of itself.
	maxUserAgent = 512
)

// Client is what is known about the program that signs in.
type Client struct {
	Device     string // chosen by the client; empty: the server chooses (SDEV-2)
	DeviceName string // initial_device_display_name; only for new devices (SDEV-4)
	Refresh    bool   // it can renew its session, and wants to (REFR-3)
	Address    string // network address
	UserAgent  string
}

// Session is what a client gets when it has signed in.
type Session struct {
	User    events.UserID
	Device  string        // empty without a session (REG-8)
	Token   string        // likewise
	Refresh string        // the refresh token; empty if the session cannot be renewed
	Expires time.Duration // the lifetime of Token; 0: it does not end (REFR-7)
}

// login is a session about to begin.
type login struct {
	service *Service
	client  Client
	session Session // complete once it is stored
}

// newLogin prepares a session; nothing of it exists until it is stored.
func (s *Service) newLogin(c Client) (*login, error) {
	if len(c.Device) > maxDeviceBytes {
		return nil, mxerr.InvalidParam("device_id", "may have at most %d bytes", maxDeviceBytes)
	}
	if err := checkDeviceName("initial_device_display_name", c.DeviceName); err != nil {
		return nil, err
	}
	if c.Device == "" {
		c.Device = newDeviceID()
	}
	return &login{service: s, client: c}, nil
}

// store makes it a session of a user: it creates the device, or takes it over and ends
// its earlier tokens (SDEV-2, SDEV-3).
func (l *login) store(tx store.Tx, user events.UserID) error {
	now := l.service.nowMillis()
	device, err := tx.Device(user, l.client.Device)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if err := freeDevice(tx, user, l.client.Device); err != nil {
			return err
		}
		device = store.Device{
			User: user, ID: l.client.Device, DisplayName: l.client.DeviceName, CreatedTS: now,
		}
	case err != nil:
		return err
	default:
		tx.OnCommit(func() { l.service.sessions.drop(user) })
		if err := tx.DeleteTokens(user, l.client.Device); err != nil {
			return err
		}
	}
	if device.Tag == "" {
		device.Tag = randomLetters('a', 12)
	}
	device.LastSeenTS, device.LastSeenIP, device.UserAgent = now, l.client.Address, shortened(l.client.UserAgent)
	if err := tx.PutDevice(device); err != nil {
		return err
	}
	if err := l.service.devicesChanged(tx, user); err != nil {
		return err
	}
	l.session, err = l.service.issue(tx, device, 0, l.client.Refresh)
	return err
}

// issue gives a device the tokens of a generation of its session.
func (s *Service) issue(tx store.Tx, device store.Device, generation int64, renewable bool) (Session, error) {
	now := s.nowMillis()
	session := Session{User: device.User, Device: device.ID, Token: newToken(accessPrefix + device.Tag + "_"), Expires: s.SessionLifetime}
	if renewable {
		session.Refresh, session.Expires = newToken(refreshPrefix+device.Tag+"_"), s.TokenLifetime
		err := tx.PutRefreshToken(store.RefreshToken{
			Hash: hashToken(session.Refresh), User: device.User, Device: device.ID, Generation: generation, CreatedTS: now,
		})
		if err != nil {
			return Session{}, err
		}
	}
	token := store.Token{
		Hash: hashToken(session.Token), User: device.User, Device: device.ID, Generation: generation, CreatedTS: now,
	}
	if session.Expires > 0 {
		token.ExpiresTS = now + session.Expires.Milliseconds()
	}
	return session, tx.PutToken(token)
}

// The prefixes let scanners for leaked secrets recognise tokens. What follows
// is the tag of the device and 256 random bits.
const (
	accessPrefix  = "hs_"
	refreshPrefix = "hsr_"
)

// newToken returns 256 random bits as a token.
func newToken(prefix string) string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// tagOf returns the tag of the device that a token was issued to, or is said to
// have been; empty if it has none.
func tagOf(token string) string {
	parts := strings.SplitN(token, "_", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
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
