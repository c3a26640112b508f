package homeserver

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/outbound"
	"github.com/ca4c8834/homeserver/internal/preview"
	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/store"
)

// MediaRules are what users may upload and how long it is kept. The zero value is
// what holds by default. The functions are called for any number of requests at once.
type MediaRules struct {
	// MaxUpload is the size of the largest content in bytes, which clients are told;
	// 0: 100 MiB. Larger content that is there already is not served any more.
	MaxUpload int64
	// MaxPixels is the size of the largest image that thumbnails are made of; 0:
	// 50 million.
	MaxPixels int64
	// MaxPending is how many media IDs a user may have that wait for content; 0: 32.
	MaxPending int64
	// Quota says how much a user may upload; nil: as much as they like. It is called
	// before every upload.
	Quota func(ctx context.Context, user events.UserID) (MediaQuota, error)
	// CheckUpload may refuse an upload, by its content type for example, before its
	// body is read, which it must not do; nil refuses none. An [*Error] is sent as
	// it is.
	CheckUpload func(ctx context.Context, u MediaUpload) error
	// FrozenFrom is from when on content is served only to those who are signed in.
	// Content from before is still served to everybody who knows its ID, by the
	// endpoints that the specification had before version 1.11. The zero time closes
	// those to all who send no token; one in the far future leaves them open, for old
	// clients.
	FrozenFrom time.Time
	// Retention is how long content is kept that nobody downloads; 0: for ever.
	// Messages and profiles that show it are not changed.
	Retention time.Duration
}

// MediaQuota is how much a user may have uploaded; see [MediaRules]. Zero is no limit.
type MediaQuota struct {
	Files int64
	Bytes int64
	// InfoURI tells users more about their limit. With it the refusal is
	// M_USER_LIMIT_EXCEEDED, which not all clients know, instead of M_FORBIDDEN.
	InfoURI string
}

// MediaUpload is content on its way in.
type MediaUpload struct {
	Owner events.UserID
	Type  string // content type; empty: application/octet-stream
	Name  string // file name; empty: none
	Size  int64  // as announced, in bytes; -1: unknown
	Body  io.Reader
}

// MediaFile is content on its way out.
type MediaFile struct {
	Type string // content type
	Name string // file name; empty: none
	Size int64  // in bytes
	Tag  string // stands for exactly these bytes: content never changes
	// Content is closed by the caller. It may be an *os.File.
	Content io.ReadSeekCloser
}

// Medium is what is known about content.
type Medium = store.Medium

// MediaUsage is what a user has uploaded.
type MediaUsage = store.MediaUsage

// WithMediaStore keeps the bytes of what users upload in ms, such as
// media.Dir("media"). It is the host's and outlives the server.
//
// Default: in memory, which is for tests.
func WithMediaStore(ms media.Store) Option {
	return func(c *config) {
		if c.media.Blobs = ms; ms == nil {
			c.fault("WithMediaStore: the store is nil")
		}
	}
}

// WithMediaRules sets what users may upload and how long it is kept.
func WithMediaRules(rules MediaRules) Option {
	return func(c *config) {
		if c.media.Rules = rules.rules(); rules.MaxUpload < 0 || rules.MaxPixels < 0 || rules.MaxPending < 0 || rules.Retention < 0 {
			c.fault("WithMediaRules: a limit is negative")
		}
	}
}

func (r MediaRules) rules() content.Rules {
	rules := content.Rules{
		MaxUpload:  r.MaxUpload,
		MaxPixels:  r.MaxPixels,
		MaxPending: r.MaxPending,
		FrozenFrom: r.FrozenFrom,
		Retention:  r.Retention,
	}
	if r.Quota != nil {
		rules.Quota = func(ctx context.Context, user events.UserID) (content.Quota, error) {
			q, err := r.Quota(ctx, user)
			return content.Quota(q), err
		}
	}
	if r.CheckUpload != nil {
		rules.CheckUpload = func(ctx context.Context, u content.Upload) error { return r.CheckUpload(ctx, MediaUpload(u)) }
	}
	return rules
}

// PreviewAddresses says which addresses the server may connect to for the sake of
// previews. By default these are all that are public. Denied ones are denied even if
// they are allowed as well.
type PreviewAddresses struct {
	Allow []netip.Prefix // in spite of being private, for example
	Deny  []netip.Prefix // in spite of being public
}

// permits decides on an address that a name has been resolved to.
func (p PreviewAddresses) permits(ip netip.Addr) bool {
	contains := func(prefix netip.Prefix) bool { return prefix.Contains(ip) }
	return !slices.ContainsFunc(p.Deny, contains) && (outbound.Public(ip) || slices.ContainsFunc(p.Allow, contains))
}

// WithURLPreviews lets users ask what web pages are about. The server visits the
// pages, which tells their owners its address, and that somebody is interested. What
// it visits is chosen by whoever writes messages, so it does not connect to
// addresses that are not public, whatever name or redirect leads there, unless they
// are allowed.
//
// Default: no previews.
func WithURLPreviews(addresses PreviewAddresses) Option {
	return func(c *config) {
		for _, prefix := range slices.Concat(addresses.Allow, addresses.Deny) {
			if !prefix.IsValid() {
				c.fault("WithURLPreviews: %v is not a range of addresses", prefix)
			}
		}
		c.previews = &addresses
	}
}

// newContent makes the service for content and what it fetches pages with.
func (s *Server) newContent(cfg *config) *content.Service {
	c := cfg.media
	c.Store, c.Server, c.Now, c.Logger, c.Stopping = cfg.store, cfg.name, cfg.now, cfg.logger, s.life.stopping.Done()
	if c.Blobs == nil {
		c.Blobs = media.Memory()
	}
	if cfg.previews != nil {
		s.visits = outbound.New(cfg.previews.permits)
		c.Previews = preview.New(s.visits)
	}
	service := content.New(c)
	for _, p := range cfg.accounts.SSO.Providers {
		if id, err := service.ParseURI(p.About().Icon); err == nil {
			service.Public = append(service.Public, id)
		}
	}
	return service
}

// Media is what a host does with content: see [Server.Media]. Content is named by
// its mxc URI; M_NOT_FOUND if there is none of that name here.
type Media struct{ service *content.Service }

// Media returns what a host can do with what users upload.
func (s *Server) Media() *Media { return &Media{s.content} }

// Upload stores content for a user, who need not have an account, by the rules that
// hold for everybody, and returns its URI. It reads the body to its end and does not
// close it.
//
// Errors that are an [*Error]: M_TOO_LARGE, M_INVALID_PARAM for a name or a type that
// is too long, M_LIMIT_EXCEEDED while too many other uploads of the user are in
// progress, M_FORBIDDEN or M_USER_LIMIT_EXCEEDED at the user's quota, and that of
// CheckUpload in [MediaRules].
func (m *Media) Upload(ctx context.Context, u MediaUpload) (uri string, err error) {
	id, err := m.service.Upload(ctx, content.Upload(u))
	if err != nil {
		return "", err
	}
	return m.service.URI(id), nil
}

// Open returns content. The caller closes it.
func (m *Media) Open(ctx context.Context, uri string) (*MediaFile, error) {
	ref := content.Ref{Server: string(m.service.Server)}
	var err error
	if ref.ID, err = m.service.ParseURI(uri); err != nil {
		return nil, err
	}
	file, err := m.service.Download(ctx, ref, content.Access{})
	return (*MediaFile)(file), err
}

// About returns what is known about content, hidden or not.
func (m *Media) About(ctx context.Context, uri string) (Medium, error) {
	id, err := m.service.ParseURI(uri)
	if err != nil {
		return Medium{}, err
	}
	return m.service.Medium(ctx, id)
}

// List returns content of one user, newest first: at most limit of what follows
// before, which is the last of the page before this one, or zero.
func (m *Media) List(ctx context.Context, owner events.UserID, before Medium, limit int) ([]Medium, error) {
	return m.service.List(ctx, owner, before, limit)
}

// Usage returns how much a user has uploaded.
func (m *Media) Usage(ctx context.Context, owner events.UserID) (MediaUsage, error) {
	return m.service.Usage(ctx, owner)
}

// Quarantine hides content from everybody, or shows it again.
func (m *Media) Quarantine(ctx context.Context, uri string, hidden bool) error {
	id, err := m.service.ParseURI(uri)
	if err != nil {
		return err
	}
	return m.service.Quarantine(ctx, id, hidden)
}

// Delete deletes content for good. Messages that show it stay.
func (m *Media) Delete(ctx context.Context, uri string) error {
	id, err := m.service.ParseURI(uri)
	if err != nil {
		return err
	}
	return m.service.Delete(ctx, id)
}

// DeleteOf deletes all that a user has uploaded. What is uploaded meanwhile may
// stay.
func (m *Media) DeleteOf(ctx context.Context, owner events.UserID) error {
	return m.service.DeleteOf(ctx, owner)
}
