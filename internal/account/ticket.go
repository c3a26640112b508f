package account

import (
	"context"
	"errors"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/uia"
)

// What tickets are for. One never serves for the other (OPENID-2).
const (
	ticketLogin  = "login"
	ticketOpenID = "openid"
)

// The prefixes by which tickets can be told from other tokens.
const (
	loginPrefix  = "hsl_"
	openIDPrefix = "hso_"
)

// The lifetimes of tickets.
const (
	loginTokenLifetime = 2 * time.Minute // LOGIN-18
	openIDLifetime     = time.Hour
)

// LoginToken gives the caller a token to sign in with on another device, once
// and soon (LOGIN-18). M_UNRECOGNIZED where that is not offered.
func (s *Service) LoginToken(ctx context.Context, user events.UserID, auth []byte) (token string, lifetime time.Duration, err error) {
	if !s.LoginTokens {
		return "", 0, mxerr.Unrecognized("login tokens are not offered here")
	}
	op, err := s.Operation(ctx, uia.OpLoginToken, "", user)
	if err != nil {
		return "", 0, err
	}
	op.Once = true // UIA-16
	token, err = uia.Do(ctx, s.engine, op, auth, func(ctx context.Context, _ uia.Proof) (string, error) {
		return s.CreateLoginToken(ctx, user, loginTokenLifetime)
	})
	return token, loginTokenLifetime, err
}

// CreateLoginToken makes a token for the host with which a client can sign the
// user in once. The account need not exist until then.
func (s *Service) CreateLoginToken(ctx context.Context, user events.UserID, lifetime time.Duration) (string, error) {
	if err := s.isLocal(user); err != nil {
		return "", err
	}
	if lifetime <= 0 {
		return "", mxerr.InvalidParam("lifetime", "must be positive")
	}
	return s.putTicket(ctx, loginPrefix, ticketLogin, user, lifetime)
}

// OpenIDToken gives a user a token that shows others who they are, and says
// nothing else to anybody (OPENID-1, OPENID-2).
func (s *Service) OpenIDToken(ctx context.Context, user events.UserID) (token string, lifetime time.Duration, err error) {
	token, err = s.putTicket(ctx, openIDPrefix, ticketOpenID, user, openIDLifetime)
	return token, openIDLifetime, err
}

// OpenIDUser returns whose OpenID token this is. M_UNKNOWN_TOKEN (OPENID-3).
func (s *Service) OpenIDUser(ctx context.Context, token string) (user events.UserID, err error) {
	err = s.Store.View(ctx, func(v store.View) error {
		ticket, err := s.ticket(v, hashToken(token), ticketOpenID)
		user = ticket.User
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", mxerr.UnknownToken("the token is not known or has expired")
	}
	return user, err
}

func (s *Service) putTicket(ctx context.Context, prefix, purpose string, user events.UserID, lifetime time.Duration) (string, error) {
	token := newToken(prefix)
	now := s.nowMillis()
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		return tx.PutTicket(store.Ticket{
			Hash: hashToken(token), Purpose: purpose, User: user, ExpiresTS: now + lifetime.Milliseconds(),
		}, now)
	})
	return token, err
}

// ticket returns a ticket that is good for a purpose. store.ErrNotFound.
func (s *Service) ticket(v store.View, hash store.TokenHash, purpose string) (store.Ticket, error) {
	ticket, err := v.Ticket(hash)
	if err == nil && (ticket.Purpose != purpose || ticket.ExpiresTS <= s.nowMillis()) {
		err = store.ErrNotFound
	}
	return ticket, err
}
