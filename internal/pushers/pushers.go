package pushers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/bounded"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/internal/unread"
	"github.com/ca4c8834/homeserver/push"
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

// maxBadges bounds of how many pushers is remembered what they were told last.
const maxBadges = 50_000

// Rules knows the compiled push rules of users.
type Rules interface {
	// RulesOf returns the rules of users, in their order.
	RulesOf(v store.View, users []events.UserID) ([]*push.Ruleset, error)
}

// Config is what the service needs. All but the last field are required.
type Config struct {
	Store  store.Store
	Memory *live.Memory
	Reader *reader.Reader
	Rules  Rules
	Unread *unread.Service
	// Client is asked to connect to whatever users choose. Redirects are not
	// followed, whatever it says.
	Client *http.Client
	Logger *slog.Logger
	Now    func() time.Time
	// AllowHTTP permits gateways that are not asked over TLS (PUSH-7).
	AllowHTTP bool
}

// Service is the service for pushers.
type Service struct {
	Config
	client   *http.Client
	audience *audience
	ctx      context.Context // of all that is done in the background
	cancel   context.CancelFunc
	work     sync.WaitGroup

	mu         sync.Mutex
	planned    store.Pos // all events up to here were put into lanes
	saved      store.Pos // planned, as it is stored
	lanes      map[store.PusherKey]*lane
	caughtUp   map[store.PusherKey]store.Pos // lanes that are gone and stored as behind; all 0
	turns      []*lane                       // those that wait for a worker
	workers    int
	perGateway map[string]int                     // requests on their way
	badges     *bounded.Map[store.PusherKey, int] // what pushers were told last
	saver      *time.Timer                        // nil: there is nothing to store
	closed     bool
}

var _ live.Observer = (*Service)(nil)

// New makes the service, which begins with what was left over. It must be told of
// all events from now on ([live.Memory.Observe]), and Close must be called at the
// end.
func New(ctx context.Context, cfg Config) (*Service, error) {
	client := *cfg.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &Service{
		Config: cfg, client: &client, lanes: map[store.PusherKey]*lane{}, caughtUp: map[store.PusherKey]store.Pos{},
		perGateway: map[string]int{}, badges: bounded.New[store.PusherKey, int](maxBadges, nil),
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := s.load(ctx); err != nil {
		s.cancel()
		return nil, fmt.Errorf("load pushers: %w", err)
	}
	s.wake()
	return s, nil
}

// Close ends all requests, waits for what is going on and stores how far it has
// come, so that a later service goes on from there.
func (s *Service) Close() error {
	s.audience.close()
	s.mu.Lock()
	again := s.closed
	s.closed = true
	if s.saver != nil {
		s.saver.Stop()
	}
	for _, l := range s.lanes {
		if l.timer != nil {
			l.timer.Stop()
		}
	}
	s.mu.Unlock()
	s.cancel()
	s.work.Wait()
	if again {
		return nil
	}
	return s.save(context.WithoutCancel(s.ctx))
}

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
		switch _, err := tx.Pusher(c.PusherKey); {
		case errors.Is(err, store.ErrNotFound):
			if err := s.begin(tx, c.User); err != nil {
				return err
			}
		case err != nil:
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

// begin prepares for a user's new pusher. What happened before the first pusher of
// all is not pushed.
func (s *Service) begin(tx store.Tx, user events.UserID) error {
	have, err := tx.PushersOf([]events.UserID{user})
	if err != nil {
		return err
	}
	if len(have) >= maxPushers {
		return mxerr.Forbidden("a user has at most %d pushers", maxPushers)
	}
	pos := tx.Position()
	first := s.audience.empty()
	tx.OnCommit(func() {
		if first {
			s.mu.Lock()
			s.planned = max(s.planned, pos)
			s.mu.Unlock()
		}
		s.audience.add(user)
	})
	if !first {
		return nil
	}
	return tx.PutSetting(settingPushed, strconv.AppendInt(nil, int64(pos), 10))
}

// Delete removes a pusher, if it is there (PUSH-3).
func (s *Service) Delete(ctx context.Context, key store.PusherKey) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return s.drop(ctx, key)
}

// drop removes a pusher, if it is there. Its lane finds that out.
func (s *Service) drop(ctx context.Context, key store.PusherKey) error {
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
