package account

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/ca4c8834/homeserver/events"
)

// TURN is a relay for calls between people who cannot reach each other.
type TURN struct {
	URIs []string // "turn:…" and "turns:…"; none: there is no relay
	// Secret is shared with the relay, which lets in whoever has a password made
	// with it (TURN-3).
	Secret string
	// Username and Password are for a relay without a shared secret.
	Username, Password string
	// Lifetime is how long credentials are valid; zero: a day.
	Lifetime time.Duration
}

const turnLifetime = 24 * time.Hour

// RelayCredentials let a user's calls through a relay.
type RelayCredentials struct {
	Username, Password string
	URIs               []string
	Lifetime           time.Duration
}

// Relay returns credentials for the relay, or nothing if there is none (TURN-1,
// TURN-2).
func (s *Service) Relay(user events.UserID) (RelayCredentials, bool) {
	t := s.TURN
	c := RelayCredentials{t.Username, t.Password, t.URIs, cmp.Or(t.Lifetime, turnLifetime)}
	if t.Secret != "" {
		c.Username = fmt.Sprintf("%d:%s", s.Now().Add(c.Lifetime).Unix(), user)
		mac := hmac.New(sha1.New, []byte(t.Secret))
		mac.Write([]byte(c.Username))
		c.Password = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return c, len(t.URIs) > 0
}
