// Package content is the service for the content repository: uploads, downloads,
// thumbnails, previews of web pages, and what the host does with them.
//
// Its methods are called by the HTTP handlers and by the host's Go code alike.
// They return *mxerr.Error for what the specification wants refused; any other
// error is a fault. All of them may be called at once and from any goroutine.
//
// # Rows and blobs
//
// What is known about content is in the database (store.Media), the bytes are in
// the media store (package media), and neither is changed in the other's
// transaction. So the order is fixed. An upload announces a blob's key in the
// database, writes the blob, and then, in one transaction, makes the medium that
// refers to it: what breaks off in between leaves nothing that anybody can see
// (MEDIA-5, MEDIA-13). A deletion removes the medium in one transaction and the
// blob after it. What a crash leaves is a key that nothing refers to; [Service.Sweep]
// deletes its blob.
//
// Content is hashed while it is written. If the database knows the hash, the
// medium refers to the earlier blob and the new one is deleted: everything is
// stored once, whoever uploads it, and deleted with its last medium.
//
// # Bounds
//
// Nothing is held in memory but buffers of fixed size and, one at a time within a
// budget, images that are decoded. The number of media IDs that wait for their
// content is limited for each user, as are, if the host wants it, number and size
// of their files; the check is repeated in the transaction that adds the medium,
// so that many uploads at once do not get past it.
package content

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/thumbnail"
	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/store"
)

// The limits of a host that sets none.
const (
	DefaultMaxUpload  = 100 << 20
	DefaultMaxPixels  = 50_000_000
	DefaultMaxPending = 32
)

// imageMemory is what all images that are decoded at once may take, in bytes,
// and imagePatience how long each may.
const (
	imageMemory   = 256 << 20
	imagePatience = 10 * time.Second
)

// Config is what the service needs. Fields that are not marked as required may
// be left out.
type Config struct {
	Store  store.Store       // required
	Blobs  media.Store       // required
	Server events.ServerName // required
	Now    func() time.Time  // the clock; required

	Rules

	// Public holds the IDs of media that are served without a token whatever
	// FrozenFrom says and are never deleted by Sweep: the icons of identity
	// providers (SSO-5).
	Public []string
	// Previews fetches the pages that previews are made of; nil: there are none
	// (PREV-7).
	Previews Pages
	// Stopping is closed when nobody shall wait any longer; nil: never.
	Stopping <-chan struct{}
	// Logger gets what happens beside a request; nil discards it.
	Logger *slog.Logger
}

// Rules are what the host decides about content. The zero value is what holds by
// default.
type Rules struct {
	// MaxUpload is the size of the largest content in bytes, which clients are
	// told (MEDIA-35); 0: 100 MiB. Larger content that is there already is not
	// served any more (MEDIA-34).
	MaxUpload int64
	// MaxPixels is the size of the largest image that thumbnails are made of; 0:
	// 50 million.
	MaxPixels int64
	// MaxPending is how many media IDs a user may have that wait for content; 0:
	// 32.
	MaxPending int64
	// Quota says how much a user may upload; nil: as much as they like. It is
	// called before every upload.
	Quota func(ctx context.Context, user events.UserID) (Quota, error)
	// CheckUpload may refuse an upload, by its content type for example, before
	// its body is read; nil refuses none. An *mxerr.Error is sent as it is. It
	// must not read the body.
	CheckUpload func(ctx context.Context, u Upload) error
	// FrozenFrom is from when on content is served only to those who are signed
	// in. Content from before is still served to everybody who knows its ID, by
	// the endpoints that the specification had before version 1.11 (MEDIA-42). The
	// zero time closes those to all who send no token; one in the far future
	// leaves them open, for old clients.
	FrozenFrom time.Time
	// Retention is how long content is kept that nobody downloads; 0: for ever.
	// Messages and profiles that show it are not changed.
	Retention time.Duration
}

// Quota is how much a user may have uploaded. Zero is no limit.
type Quota struct {
	Files int64
	Bytes int64
	// InfoURI tells users more about their limit. With it the refusal is
	// M_USER_LIMIT_EXCEEDED, which not all clients know, instead of M_FORBIDDEN.
	InfoURI string
}

// Service is the service for content.
type Service struct {
	Config
	maker    *thumbnail.Maker
	making   singleflight.Group // of thumbnails
	asking   singleflight.Group // for pages
	asked    *semaphore.Weighted
	arrivals arrivals

	mu        sync.Mutex
	filling   map[string]bool         // media IDs whose content is on its way
	uploading map[events.UserID]int64 // how many uploads are on their way
}

// New makes the service. It starts nothing that would have to be stopped.
func New(cfg Config) *Service {
	if cfg.MaxUpload == 0 {
		cfg.MaxUpload = DefaultMaxUpload
	}
	if cfg.MaxPixels == 0 {
		cfg.MaxPixels = DefaultMaxPixels
	}
	if cfg.MaxPending == 0 {
		cfg.MaxPending = DefaultMaxPending
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		Config: cfg, maker: thumbnail.NewMaker(cfg.MaxPixels, imageMemory, imagePatience),
		asked:   semaphore.NewWeighted(maxAsking),
		filling: make(map[string]bool), uploading: make(map[events.UserID]int64),
	}
}

// Ref names content, as clients do. Nothing in it has been checked.
type Ref struct {
	Server string
	ID     string
}

// URI returns the mxc URI of content of this server.
func (s *Service) URI(id string) string { return "mxc://" + string(s.Server) + "/" + id }

// ParseURI returns the ID in an mxc URI of this server. M_NOT_FOUND for everything
// else: there is no such content.
func (s *Service) ParseURI(uri string) (id string, err error) {
	id, ok := strings.CutPrefix(uri, s.URI(""))
	if !ok || !validID(id) {
		return "", notFound()
	}
	return id, nil
}

// newID returns 130 random bits as 26 letters and digits (MEDIA-4): a media ID,
// or the key of a blob.
func newID() string { return rand.Text() }

// validID reports whether a media ID has the characters that one may have
// (MEDIA-31).
func validID(id string) bool {
	return id != "" && len(id) <= events.MaxIDBytes && strings.IndexFunc(id, func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-'
	}) < 0
}

func (s *Service) nowMillis() int64 { return s.Now().UnixMilli() }

// notFound is the answer for everything that is not there, or not for this
// client to know.
func notFound() *mxerr.Error { return mxerr.NotFound("no such content") }

// discard deletes blobs that nothing refers to. What fails is left to Sweep.
func (s *Service) discard(ctx context.Context, keys ...string) {
	if len(keys) == 0 {
		return
	}
	if err := s.deleteBlobs(context.WithoutCancel(ctx), keys); err != nil {
		s.Logger.WarnContext(ctx, "delete unused content", slog.Any("error", err))
	}
}

func (s *Service) deleteBlobs(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := s.Blobs.Delete(ctx, key); err != nil {
			return err
		}
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		for _, key := range keys {
			if err := tx.DeleteBlob(key); err != nil {
				return err
			}
		}
		return nil
	})
}
