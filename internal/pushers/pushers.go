// Package pushers is the service for pushers: where and how users want to be
// notified while none of their clients is connected.
//
// Its methods are called by the HTTP handlers and by the host's Go code alike.
// They return *mxerr.Error for what the specification wants refused; any other
// error is a fault. All of them may be called at once and from any goroutine.
package pushers

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/store"
)

// Limits of what a user may set (PUSH-5).
const (
	maxAppID   = 64 // characters
	maxKey     = 512
	maxPushers = 100 // of one user: each of them makes every notification a request
)

// notifyPath is the path of every push gateway (PUSH-6).
const notifyPath = "/_matrix/push/v1/notify"

// kindHTTP is the one kind of pushers there is (PUSH-9).
const kindHTTP = "http"

// Config is what the service needs.
type Config struct {
	Store store.Store      // required
	Now   func() time.Time // required
	// AllowHTTP permits gateways that are not asked over TLS (PUSH-7).
	AllowHTTP bool
}

// Service is the service for pushers.
type Service struct {
	Config
}

// New makes the service.
func New(cfg Config) *Service { return &Service{Config: cfg} }

// Pusher is a way to notify a user.
type Pusher = store.Pusher

// Pushers returns a user's pushers (PUSH-1).
func (s *Service) Pushers(ctx context.Context, user events.UserID) (list []Pusher, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		list, err = v.PushersOf([]events.UserID{user})
		return err
	})
	return list, err
}

// Change is a request to set up a pusher. What is nil was not given.
type Change struct {
	store.PusherKey
	Device     string // the caller's
	Kind       string
	AppName    *string
	DeviceName *string
	ProfileTag string
	Lang       *string
	Data       json.RawMessage
	Disabled   bool // stays silent (PUSH-14)
	Append     bool // leaves the pushers of others with the same app and key alone
}

// Set adds a pusher or replaces the one of the same user, app and key (PUSH-2,
// PUSH-10, PUSH-12). M_MISSING_PARAM, M_INVALID_PARAM (PUSH-4 to PUSH-9).
func (s *Service) Set(ctx context.Context, c Change) error {
	if err := s.check(c); err != nil {
		return err
	}
	p := Pusher{
		PusherKey: c.PusherKey, Device: c.Device, Kind: c.Kind, AppName: *c.AppName, DeviceName: *c.DeviceName,
		ProfileTag: c.ProfileTag, Lang: *c.Lang, Data: c.Data, Enabled: !c.Disabled, KeyTS: s.Now().UnixMilli(),
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		have, err := tx.PushersOf([]events.UserID{c.User})
		if err != nil {
			return err
		}
		if _, err = tx.Pusher(c.PusherKey); errors.Is(err, store.ErrNotFound) && len(have) >= maxPushers {
			return mxerr.Forbidden("a user has at most %d pushers", maxPushers)
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if !c.Append {
			if err := tx.DeletePushersOfOthers(c.PusherKey); err != nil {
				return err
			}
		}
		return tx.PutPusher(p)
	})
}

// Delete removes a pusher, if it is there (PUSH-3).
func (s *Service) Delete(ctx context.Context, key store.PusherKey) error {
	if err := checkKey(key); err != nil {
		return err
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error { return tx.DeletePusher(key) })
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func checkKey(key store.PusherKey) error {
	if utf8.RuneCountInString(key.AppID) > maxAppID {
		return mxerr.InvalidParam("app_id", "may have at most %d characters", maxAppID)
	}
	if len(key.Key) > maxKey {
		return mxerr.InvalidParam("pushkey", "may have at most %d bytes", maxKey)
	}
	return nil
}

func (s *Service) check(c Change) error {
	if err := checkKey(c.PusherKey); err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"app_display_name", c.AppName != nil},
		{"device_display_name", c.DeviceName != nil},
		{"lang", c.Lang != nil},
		{"data", gjson.ParseBytes(c.Data).Type != gjson.Null},
	} {
		if !f.given {
			return mxerr.MissingParam(f.name)
		}
	}
	if c.Kind != kindHTTP {
		return mxerr.InvalidParam("kind", "must be %s", kindHTTP)
	}
	return s.checkData(c.Data)
}

// checkData refuses data that does not lead to a gateway.
func (s *Service) checkData(data []byte) error {
	object := gjson.ParseBytes(data)
	if !object.IsObject() {
		return mxerr.BadJSON("data must be an object")
	}
	at := object.Get("url")
	if at.Type == gjson.Null {
		return mxerr.MissingParam("data.url")
	}
	u, err := url.Parse(at.Str)
	switch {
	case at.Type != gjson.String || err != nil || u.Host == "" || u.EscapedPath() != notifyPath:
		return mxerr.InvalidParam("data.url", "must be a URL with the path %s", notifyPath)
	case u.Scheme != "https" && (u.Scheme != "http" || !s.AllowHTTP):
		return mxerr.InvalidParam("data.url", "must begin with https")
	}
	return nil
}
