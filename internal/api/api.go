package api

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/ca4c8834/homeserver/internal/account"
	"github.com/ca4c8834/homeserver/internal/appservice"
	"github.com/ca4c8834/homeserver/internal/backup"
	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/keys"
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
	"github.com/ca4c8834/homeserver/sync"
)

// Config is what the handlers need. The zero value of every field that is not marked as required is usable.
type Config struct {
	// Authenticator turns tokens into callers. Required.
	Authenticator Authenticator
	// Accounts is the service for users and what belongs to them alone.
	Accounts *account.Service
	// Rooms is the service for what is done in rooms, Reader what its events are rendered with.
	Rooms  *room.Service
	Reader *reader.Reader
	// Presence is the service for who is there.
	Presence *presence.Service
	// Typing and Receipts are the services for who types and who has read what.
	Typing   *typing.Service
	Receipts *receipts.Service
	// Unread counts what users have not read.
	Unread *unread.Service
	// Sync is the service that tells what is new.
	Sync *sync.Service
	// PushRules is the service for push rules, Pushers the one for where users are notified.
	PushRules *pushrules.Service
	Pushers   *pushers.Service
	// Keys, Backups and ToDevice are the services for end-to-end encryption.
	Keys     *keys.Service
	Backups  *backup.Service
	ToDevice *todevice.Service
	// Content is the service for the content repository.
	Content *content.Service
	// Services are the application services, nil for none, ServiceClient calls them, and Networks is what they know of
	// other networks.
	Services      *appservice.Registry
	ServiceClient *appservice.Client
	Networks      *appservice.Networks
	// Limiter holds the rate limits; nil means none.
	Limiter Limiter
	// Logger gets one line for every internal error; nil discards them.
	Logger *slog.Logger
	// Now is the clock. Required.
	Now func() time.Time
	// ClientAddress tells the network address of the client, which is what anonymous requests are limited by; nil takes
	// the peer of the connection, which is right unless a proxy stands in front.
	ClientAddress func(*http.Request) string

	// UnstableFeatures is sent by GET /versions (DISC-10).
	UnstableFeatures map[string]bool
	// Discovery is what the /.well-known endpoints tell.
	Discovery Discovery
	// Capabilities tells what a user may do (CAP-1); nil means that nothing is restricted and nothing optional offered.
	Capabilities func(ctx context.Context, c *Caller) (account.Capabilities, error)
}

// Limiter is a budget for requests, such as *ratelimit.Limiter. Allow takes one request of the class from the key's
// budget and returns 0, or says how long to wait. It is called from any number of goroutines at once.
type Limiter interface {
	Allow(class ratelimit.Class, key string) (wait time.Duration)
}

// API serves the client-server API. It is safe for concurrent use and holds no state of its own.
type API struct {
	Config
	index *index
	table []RouteInfo

	uploadPatience time.Duration // for tests; 0: the constant of that name
}

// New builds the route table. It panics if a row contradicts its request type or another row, which is a fault of the
// program and not of the configuration.
func New(cfg Config) *API {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.ClientAddress == nil {
		cfg.ClientAddress = peerAddress
	}
	a := &API{Config: cfg}
	a.build(a.routes())
	return a
}

// routes lists every endpoint, one table for each module of the specification.
func (a *API) routes() []route {
	return slices.Concat(
		a.versions(),
		a.wellKnown(),
		a.login(),
		a.logout(),
		a.register(),
		a.password(),
		a.openID(),
		a.fallback(),
		a.threePID(),
		a.validation(),
		a.voip(),
		a.admin(),
		a.sso(),
		a.profile(),
		a.accountData(),
		a.filter(),
		a.tags(),
		a.pushRules(),
		a.pushers(),
		a.media(),
		a.preview(),
		a.device(),
		a.keys(),
		a.crossSigning(),
		a.backup(),
		a.toDevice(),
		a.dehydrated(),
		a.send(),
		a.redact(),
		a.state(),
		a.messages(),
		a.search(),
		a.event(),
		a.context(),
		a.relations(),
		a.threads(),
		a.members(),
		a.timestamp(),
		a.createRoom(),
		a.membership(),
		a.typing(),
		a.presence(),
		a.receipts(),
		a.notifications(),
		a.sync(),
		a.slidingSync(),
		a.initialSync(),
		a.events(),
		a.alias(),
		a.directory(),
		a.userDirectory(),
		a.summary(),
		a.hierarchy(),
		a.upgrade(),
		a.report(),
		a.thirdParty(),
		a.appService(),
	)
}

func (a *API) build(rows []route) {
	a.index, a.table = newIndex(rows), nil
	for _, row := range rows {
		for _, template := range row.templates() {
			a.table = append(a.table, RouteInfo{row.method, template, row.whom(), row.class})
		}
	}
}

// RouteInfo is one endpoint as it is served: a row has one for each of its versions.
type RouteInfo struct {
	Method   string
	Template string // the absolute path with its variables in braces
	Who      string // who may call it: "anyone", "user", "own user or guest", "service"
	Class    ratelimit.Class
}

// Table returns every endpoint that is served, in the order of the tables.
func (a *API) Table() []RouteInfo { return slices.Clone(a.table) }

// peerAddress returns the address of the connection's other end without its port.
func peerAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
