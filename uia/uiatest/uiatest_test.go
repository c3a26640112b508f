package uiatest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/uia"
)

// host is what a host could bring: everything.
type host struct {
	mu       sync.Mutex
	password string
	revoked  bool
}

var (
	_ uia.PasswordSetter = (*host)(nil)
	_ uia.TokenRevoker   = (*host)(nil)
)

func (h *host) CheckPassword(ctx context.Context, user events.UserID, password string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case user != "@alice:example.org":
		return uia.ErrUnknownUser
	case password != h.password:
		return uia.ErrDenied
	}
	return nil
}

func (h *host) SetPassword(_ context.Context, _ events.UserID, password string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.password = password
	return nil
}

func (h *host) VerifyToken(_ context.Context, token string) (uia.Verified, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if token != "t0ken" || h.revoked {
		return uia.Verified{}, uia.ErrUnknownToken
	}
	return uia.Verified{User: "@alice:example.org", Device: "APP"}, nil
}

func (h *host) RevokeTokens(_ context.Context, user events.UserID, devices []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if user == "@alice:example.org" && (devices == nil || slices.Contains(devices, "APP")) {
		h.revoked = true
	}
	return nil
}

func TestRun(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) Accounts {
		return Accounts{Provider: &host{password: "secret"}, User: "@alice:example.org", Password: "secret", Token: "t0ken"}
	})
}
