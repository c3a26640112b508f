package homeserver

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/api"
	"github.com/ca4c8834/homeserver/internal/appservice"
	"github.com/ca4c8834/homeserver/internal/backup"
	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/devicelist"
	"github.com/ca4c8834/homeserver/internal/identity"
	"github.com/ca4c8834/homeserver/internal/keys"
	"github.com/ca4c8834/homeserver/internal/live"
	"github.com/ca4c8834/homeserver/internal/outbound"
	"github.com/ca4c8834/homeserver/internal/presence"
	"github.com/ca4c8834/homeserver/internal/pushers"
	"github.com/ca4c8834/homeserver/internal/pushrules"
	"github.com/ca4c8834/homeserver/internal/ratelimit"
	"github.com/ca4c8834/homeserver/internal/reader"
	"github.com/ca4c8834/homeserver/internal/receipts"
	"github.com/ca4c8834/homeserver/internal/room"
	"github.com/ca4c8834/homeserver/internal/todevice"
	"github.com/ca4c8834/homeserver/internal/typing"
	"github.com/ca4c8834/homeserver/internal/unread"
	"github.com/ca4c8834/homeserver/push"
	"github.com/ca4c8834/homeserver/store"
	"github.com/ca4c8834/homeserver/store/sqlite"
	"github.com/ca4c8834/homeserver/sync"
)

// Server is a Matrix homeserver. It is an http.Handler; make one with [New].
// All its methods may be called at once and from any goroutine.
type Server struct {
	name     events.ServerName
	store    store.Store
	life     *lifetime
	typing   *typing.Service
	presence *presence.Service
	outbound *http.Client // for addresses that users have chosen
	gateways *http.Client // to push gateways
	pushers  *pushers.Service
	accounts *account.Service
	rooms    *room.Service
	content  *content.Service
	visits   *http.Client // to pages, nil without previews
	calls    *http.Client // to application services
	chores   *chores
	api      *api.API
}

var _ http.Handler = (*Server)(nil)

// New makes a server that serves: there is no second call to start it. The name
// is what follows the colon in its users' IDs ("example.org"), a host name or
// address with an optional port. It belongs to the data: a store that was used
// under another name is refused.
//
// Without [WithStore] everything is kept in memory and lost with Close.
//
// The error joins every fault of the options. After an error a store given with
// WithStore is still open and still the caller's; otherwise it is the server's,
// and Close closes it.
func New(name string, options ...Option) (*Server, error) {
	cfg, err := configure(name, options)
	if err != nil {
		return nil, fmt.Errorf("make homeserver: %w", err)
	}
	if cfg.store != nil && cfg.media.Blobs == nil {
		cfg.logger.Warn("uploads are lost when the server stops: there is a store and no media store")
	}
	own := cfg.store == nil
	if own {
		if cfg.store, err = sqlite.Memory(); err != nil {
			return nil, fmt.Errorf("make homeserver: %w", err)
		}
	}
	s, err := build(cfg)
	if err != nil {
		if own {
			err = errors.Join(err, cfg.store.Close())
		}
		return nil, fmt.Errorf("make homeserver: %w", err)
	}
	return s, nil
}

// build makes the services, from the lowest to the highest, and the handlers
// on top of them.
func build(cfg *config) (*Server, error) {
	signer, err := claim(cfg.store, cfg.name)
	if err != nil {
		return nil, err
	}
	s := &Server{name: cfg.name, store: cfg.store, life: newLifetime(), outbound: outbound.New(nil)}
	s.calls = outbound.New(func(netip.Addr) bool { return true }) // where the host says
	limiter := ratelimit.New(cfg.limits, cfg.now)
	if cfg.userLimits != nil {
		limiter.Override(cfg.userLimits)
	}
	memory := live.New(cfg.store, cfg.roomMemory, cfg.now)
	read := &reader.Reader{Memory: memory, Signer: signer, Now: cfg.now}
	if s.typing, err = typing.New(context.Background(), memory, cfg.now, cfg.logger); err != nil {
		return nil, err
	}
	rules := pushrules.New(pushrules.Config{
		Store: cfg.store, Defaults: push.NewDefaults(cfg.pushRules), Waker: memory,
	})
	s.rooms = room.New(room.Config{
		Memory: memory, Reader: read, Server: cfg.name, Now: cfg.now, DefaultVersion: cfg.roomVersion,
		Typing:    s.typing,
		RoomRules: rules,
		Reports:   func(ctx context.Context, r room.Report) error { return cfg.reports(ctx, Report(r)) },
		Notices:   cfg.noticesUser, NoticesName: cfg.noticesName,
		Forgetting: cfg.forgetting,
		InviteKeys: identity.Keys{Client: s.outbound},
		Services:   cfg.services,
	})
	lists := devicelist.New(memory)
	s.presence = presence.New(presence.Config{Memory: memory, Now: cfg.now, Logger: cfg.logger, Disabled: cfg.noPresence})
	accounts := cfg.accountConfig()
	accounts.Limiter, accounts.Waker, accounts.DeviceLists = limiter, memory, lists
	accounts.Rooms, accounts.Presence, accounts.PushRules = s.rooms, s.presence, rules
	if len(cfg.identityServers) > 0 {
		accounts.IdentityServers = identity.Bindings{Client: s.outbound, Trusted: cfg.identityServers, Signer: signer}
	}
	s.accounts = account.New(accounts)
	if err := s.accounts.LoadErased(context.Background()); err != nil {
		return nil, err
	}
	read.Erased = s.accounts.ErasedAt
	deviceKeys := keys.New(keys.Config{
		Store: cfg.store, Server: cfg.name, Now: cfg.now, Lists: lists, Waker: memory, Accounts: s.accounts,
	})
	counts := unread.New(memory, read, rules)
	messages := todevice.New(todevice.Config{Store: cfg.store, Now: cfg.now, Waker: memory})
	services := &appservice.Client{HTTP: s.calls, Now: cfg.now}
	s.content = s.newContent(cfg)
	s.gateways = outbound.New(cfg.pushGateways.permits)
	if s.pushers, err = pushers.New(context.Background(), pushers.Config{
		Store: cfg.store, Memory: memory, Reader: read, Rules: rules, Unread: counts, Client: s.gateways,
		Logger: cfg.logger, Now: cfg.now, AllowHTTP: cfg.pushGateways.Insecure,
	}); err != nil {
		return nil, err
	}
	memory.Observe(s.pushers)
	s.api = api.New(api.Config{
		Authenticator: api.Accounts{Service: s.accounts},
		Accounts:      s.accounts,
		Content:       s.content,
		Rooms:         s.rooms,
		Reader:        read,
		Presence:      s.presence,
		Unread:        counts,
		Typing:        s.typing,
		Receipts:      &receipts.Service{Memory: memory, Now: cfg.now, Moved: s.pushers.ReceiptSet},
		Sync: sync.New(sync.Config{
			Memory: memory, Reader: read, Stopping: s.life.stopping, Typing: s.typing, PushRules: rules,
			Unread: counts, Keys: deviceKeys, ToDevice: messages, Presence: s.presence,
		}),
		PushRules:     rules,
		Pushers:       s.pushers,
		Keys:          deviceKeys,
		Backups:       backup.New(cfg.store),
		ToDevice:      messages,
		Services:      cfg.services,
		ServiceClient: services,
		Networks:      &appservice.Networks{Services: cfg.services, Client: services, Logger: cfg.logger},
		Limiter:       limiter,
		Logger:        cfg.logger,
		Now:           cfg.now,
		ClientAddress: cfg.clientAddress,
		Discovery:     cfg.discovery,
		Capabilities: func(ctx context.Context, c *api.Caller) (account.Capabilities, error) {
			is, err := s.accounts.Capabilities(ctx, c.User)
			is.DefaultRoomVersion = cfg.roomVersion.ID
			is.ForgetUponLeave = cfg.forgetting.UponLeave
			return is, err
		},
		UnstableFeatures: map[string]bool{
			"org.matrix.simplified_msc3575":           true, // SLIDE-1, CLIENT-18
			"org.matrix.msc3881":                      true, // PUSH-14
			"uk.half-shot.msc2666.query_mutual_rooms": true, // CLIENT-16
		},
	})
	if err := s.makeUsers(cfg); err != nil {
		return nil, errors.Join(err, s.pushers.Close())
	}
	s.chores = startChores(cfg.logger,
		chore{name: "spread changed profiles", do: s.accounts.SpreadProfiles, atOnce: true},
		chore{name: "delete forgotten rooms", do: s.rooms.DeleteForgotten},
		chore{name: "sweep content", do: s.content.Sweep})
	return s, nil
}

// The settings that tell whose the data is.
const (
	settingName = "server_name"
	settingKey  = "signing_key" // seed of the ed25519 key that signs events
)

// claim makes the data the server's, or refuses another server's. It returns
// what the server signs events with.
func claim(st store.Store, name events.ServerName) (*events.Signer, error) {
	// Opening bounds its own waiting, and so does this one small transaction.
	ctx := context.Background()
	var owner, seed []byte
	read := func(v store.View) (err error) {
		if owner, err = v.Setting(settingName); err == nil {
			seed, err = v.Setting(settingKey)
		}
		return err
	}
	err := st.View(ctx, read)
	if errors.Is(err, store.ErrNotFound) && owner == nil {
		owner, seed = []byte(name), make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(seed) // never fails
		err = st.Update(ctx, func(tx store.Tx) error {
			return errors.Join(tx.PutSetting(settingName, owner), tx.PutSetting(settingKey, seed))
		})
	}
	switch {
	case err != nil:
		return nil, err
	case string(owner) != string(name):
		return nil, fmt.Errorf("the data belongs to the server %s, not to %s", owner, name)
	case len(seed) != ed25519.SeedSize:
		return nil, fmt.Errorf("the signing key in the data has %d bytes", len(seed))
	}
	return &events.Signer{Server: name, KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(seed)}, nil
}

// Name returns the server's name as it was given to [New].
func (s *Server) Name() string { return string(s.name) }

// ServeHTTP answers a request of the client-server API, wherever the server is
// mounted: what stands before "/_matrix/" or "/.well-known/matrix/" in the path
// is not looked at. Other paths get 404 M_UNRECOGNIZED. Once the server is
// stopping, everything gets 503.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, leave, ok := s.life.enter(r.Context())
	if !ok {
		s.api.Refuse(w, r, errStopping())
		return
	}
	defer leave()
	s.api.ServeHTTP(w, unmount(r.WithContext(ctx)))
}

// Shutdown stops the server gently: new requests get 503, long polls are
// answered with what there is, and requests in progress are waited for until
// ctx ends; those that are left then are cut off, get 503 where they can, and
// Shutdown returns an error that wraps ctx's. Then the store is closed, in any
// case.
//
// Nothing of the server is left afterwards: no goroutine, no open file, and all
// that was answered with success is on disk. Call it before the Shutdown of the
// http.Server that it is served by, which would wait for the long polls:
//
//	err := errors.Join(srv.Shutdown(ctx), web.Shutdown(ctx))
//
// Stopping again is harmless, so that a deferred Close may stay.
func (s *Server) Shutdown(ctx context.Context) error {
	return errors.Join(s.life.end(ctx), s.close())
}

// Close stops the server at once: it is [Server.Shutdown] without any waiting
// for requests in progress. Even so nothing is half done: each of their changes
// is either on disk or was never made.
func (s *Server) Close() error {
	s.life.cutOff()
	return s.close()
}

// close ends what the server does beside requests, and then the store.
func (s *Server) close() error {
	s.chores.close()
	s.typing.Close()
	s.presence.Close()
	s.outbound.CloseIdleConnections()
	s.calls.CloseIdleConnections()
	err := s.pushers.Close()
	s.gateways.CloseIdleConnections()
	if s.visits != nil {
		s.visits.CloseIdleConnections()
	}
	return errors.Join(err, s.store.Close())
}
