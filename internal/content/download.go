package content

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/media"
	"github.com/ca4c8834/homeserver/store"
)

// File is content on its way out.
type File struct {
	Type string // content type
	Name string // file name; empty: none
	Size int64  // in bytes
	// Tag stands for exactly these bytes: content never changes.
	Tag string
	// Content is closed by the caller. It may be an *os.File.
	Content io.ReadSeekCloser
}

// Access is how somebody asks for content.
type Access struct {
	// Wait is how long they wait for content that is not uploaded yet; at most
	// MaxWait.
	Wait time.Duration
	// Anonymous is set for those who are not signed in, whom the endpoints that need
	// no token serve as well.
	Anonymous bool
}

// MaxWait is the longest that anybody waits for content (MEDIA-30).
const MaxWait = time.Minute

// accessedAfter is how exactly the time of the last access is known: a popular
// picture is not a write for every look at it.
const accessedAfter = 24 * time.Hour

// Download returns content (MEDIA-20).
//
// M_NOT_FOUND for what is unknown, deleted, quarantined, of another server, or
// not for who needs no token (MEDIA-29, MEDIA-32, MEDIA-36, MEDIA-42);
// M_NOT_YET_UPLOADED if it has not come after access.Wait (MEDIA-30);
// M_TOO_LARGE if the limit is lower than when it was uploaded (MEDIA-34).
func (s *Service) Download(ctx context.Context, ref Ref, access Access) (*File, error) {
	m, err := s.find(ctx, ref, access)
	if err != nil {
		return nil, err
	}
	if m.Size > s.MaxUpload {
		return nil, mxerr.New(http.StatusBadGateway, mxerr.MTooLarge, "the content has %d bytes, which is more than this server sends", m.Size)
	}
	s.touch(ctx, m)
	return s.open(ctx, m.Blob, File{Type: m.Type, Name: m.Name, Size: m.Size, Tag: m.ID})
}

// find returns a medium with its content, which it waits for.
func (s *Service) find(ctx context.Context, ref Ref, access Access) (store.Medium, error) {
	if ref.Server != string(s.Server) || !validID(ref.ID) {
		return store.Medium{}, notFound() // MEDIA-31, MEDIA-32
	}
	m, err := s.read(ctx, ref.ID, access)
	if err != nil || m.Blob != "" {
		return m, err
	}
	come, leave := s.arrivals.watch(ref.ID)
	defer leave()
	if m, err = s.read(ctx, ref.ID, access); err != nil || m.Blob != "" { // it may have come in between
		return m, err
	}
	timeout := time.NewTimer(max(min(access.Wait, MaxWait), 0))
	defer timeout.Stop()
	select {
	case <-come:
		return s.read(ctx, ref.ID, access)
	case <-timeout.C:
	case <-s.Stopping:
	case <-ctx.Done():
		return m, ctx.Err()
	}
	return m, mxerr.NotYetUploaded("the content is not there yet")
}

// read returns a medium that is there for this access, with content or waiting
// for it.
func (s *Service) read(ctx context.Context, id string, access Access) (m store.Medium, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		m, err = v.Medium(id)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return m, notFound()
	case err != nil:
		return m, err
	case m.Quarantined, access.Anonymous && s.frozen(m), m.Blob == "" && m.ExpiresTS <= s.nowMillis():
		return m, notFound()
	}
	return m, nil
}

// frozen reports whether a medium needs a token (MEDIA-42).
func (s *Service) frozen(m store.Medium) bool {
	stored := time.UnixMilli(m.StoredTS)
	if m.Blob == "" {
		stored = s.Now() // at the earliest
	}
	return !stored.Before(s.FrozenFrom) && !slices.Contains(s.Public, m.ID)
}

// touch notes that a medium is in use, which is not worth failing for.
func (s *Service) touch(ctx context.Context, m store.Medium) {
	now := s.nowMillis()
	if now-m.AccessedTS < accessedAfter.Milliseconds() {
		return
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		m, err := tx.Medium(m.ID)
		if err != nil {
			return err
		}
		m.AccessedTS = now
		return tx.UpdateMedium(m)
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrNotFound) {
		s.Logger.WarnContext(ctx, "note access to content", slog.String("media_id", m.ID), slog.Any("error", err))
	}
}

// open opens the blob of a file. A blob that is missing is a loss, but nothing
// that the client can do anything about.
func (s *Service) open(ctx context.Context, key string, f File) (*File, error) {
	blob, err := s.Blobs.Open(ctx, key)
	if errors.Is(err, media.ErrNotFound) {
		s.Logger.ErrorContext(ctx, "content is missing in the media store", slog.String("media_id", f.Tag), slog.String("key", key))
		return nil, notFound()
	}
	if err != nil {
		return nil, err
	}
	f.Content = blob
	return &f, nil
}
