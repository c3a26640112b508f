package content

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/preview"
	"github.com/ca4c8834/homeserver/internal/thumbnail"
	"github.com/ca4c8834/homeserver/store"
)

// Pages fetches web pages and their pictures, as *preview.Fetcher does.
//
// Called from: previews of URLs, at most maxAsking at once. Context: bounds the
// whole, the body of a picture included. Errors: preview.ErrURL; any other is
// the page's fault.
type Pages interface {
	Page(ctx context.Context, url string) (*preview.Page, error)
	Image(ctx context.Context, url string) (io.ReadCloser, error)
}

// The limits of previews (PREV-5, PREV-6).
const (
	maxAsking       = 8        // pages that are fetched at once
	maxPreviewImage = 10 << 20 // bytes
	// maxPreviewImages is what all pictures together may take: whoever writes
	// messages chooses them, and nobody deletes them.
	maxPreviewImages = 1 << 30 // bytes
	pagePatience     = 20 * time.Second

	freshFor  = time.Hour           // how long a page is as it was
	failedFor = 5 * time.Minute     // how long one that could not be fetched is left alone
	keptFor   = 30 * 24 * time.Hour // how long previews are there for messages of the past
)

// Preview returns what a page said about itself at about a time in milliseconds
// (0: now), as the OpenGraph object of PREV-1.
//
// M_UNRECOGNIZED where there are no previews (PREV-7), M_INVALID_PARAM for what is
// no URL of a page, 502 M_UNKNOWN if the page cannot be fetched, for whatever
// reason: the difference would tell what there is in the server's network.
func (s *Service) Preview(ctx context.Context, rawURL string, ts int64) (json.RawMessage, error) {
	if s.Previews == nil {
		return nil, mxerr.Unrecognized("this server does not make previews")
	}
	url, err := preview.Clean(rawURL)
	if err != nil {
		return nil, mxerr.InvalidParam("url", "must be the absolute URL of a web page").Because(err)
	}
	if now := s.nowMillis(); ts <= 0 || ts > now {
		ts = now
	}
	if p, ok, err := s.remembered(ctx, url, ts); err != nil || ok {
		return p.Content, errors.Join(err, unreachable(p, ok))
	}
	asked, err, _ := s.asking.Do(url, func() (any, error) {
		// Others wait for this one, so it does not end with its client.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pagePatience)
		defer cancel()
		p, ok, err := s.remembered(ctx, url, s.nowMillis())
		if err != nil || ok {
			return p, err
		}
		return s.ask(ctx, url)
	})
	if err != nil {
		return nil, err
	}
	p := asked.(store.Preview)
	return p.Content, unreachable(p, true)
}

// unreachable is the error for a page that could not be fetched.
func unreachable(p store.Preview, known bool) error {
	if known && len(p.Content) == 0 {
		return mxerr.New(http.StatusBadGateway, mxerr.MUnknown, "the page cannot be fetched")
	}
	return nil
}

// remembered returns the version of a page that is nearest to a time: one that
// was still fresh then, or else the first that is newer (PREV-6).
func (s *Service) remembered(ctx context.Context, url string, ts int64) (p store.Preview, ok bool, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		p, err = v.PreviewBefore(url, ts)
		if errors.Is(err, store.ErrNotFound) || err == nil && !s.current(p, ts) {
			p, err = v.PreviewAfter(url, ts)
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return p, false, nil
	}
	return p, err == nil && (len(p.Content) > 0 || s.current(p, s.nowMillis())), err
}

// current reports whether a page is at a time as it was when it was fetched.
func (s *Service) current(p store.Preview, ts int64) bool {
	lasts := freshFor
	if len(p.Content) == 0 {
		lasts = failedFor
	}
	return ts-p.FetchedTS <= lasts.Milliseconds()
}

// ask fetches a page and remembers what it says, or that it says nothing.
func (s *Service) ask(ctx context.Context, url string) (store.Preview, error) {
	if err := s.asked.Acquire(ctx, 1); err != nil {
		return store.Preview{}, mxerr.LimitExceeded(pagePatience).Because(err)
	}
	defer s.asked.Release(1)
	p := store.Preview{URL: url}
	page, err := s.Previews.Page(ctx, url)
	if err == nil {
		properties := make(map[string]any, len(page.Properties)+5)
		for name, value := range page.Properties {
			properties[name] = value
		}
		if err := s.makeRoom(ctx); err != nil {
			return p, err
		}
		p.Image = s.illustrate(ctx, page.Images, properties)
		if p.Content, err = json.Marshal(properties); err != nil {
			return p, err
		}
	} else {
		s.Logger.DebugContext(ctx, "fetch page for preview", slog.Any("error", err))
	}
	p.FetchedTS = s.nowMillis()
	// Also what has taken too long is worth remembering.
	err = s.Store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error { return tx.PutPreview(p) })
	return p, err
}

// illustrate keeps a copy of the first picture that is one, and describes it
// (PREV-2).
func (s *Service) illustrate(ctx context.Context, urls []string, properties map[string]any) (id string) {
	for _, url := range urls {
		m, info, err := s.copyImage(ctx, url)
		if err != nil {
			s.Logger.DebugContext(ctx, "fetch picture for preview", slog.Any("error", err))
			continue
		}
		properties["og:image"] = s.URI(m.ID)
		properties["og:image:type"] = m.Type
		properties["og:image:width"] = info.Width
		properties["og:image:height"] = info.Height
		properties["matrix:image:size"] = m.Size
		return m.ID
	}
	return ""
}

var errNoImage = errors.New("not an image")

// copyImage fetches a picture and keeps it as the server's own.
func (s *Service) copyImage(ctx context.Context, url string) (m store.Medium, info thumbnail.Info, err error) {
	body, err := s.Previews.Image(ctx, url)
	if err != nil {
		return m, info, err
	}
	defer body.Close() //nolint:errcheck // only read
	const enough = 64
	in := bufio.NewReaderSize(&limited{body, min(maxPreviewImage, s.MaxUpload)}, enough)
	head, err := in.Peek(enough)
	if err != nil && !errors.Is(err, io.EOF) {
		return m, info, err
	}
	contentType, ok := thumbnail.TypeOf(head)
	if !ok {
		return m, info, errNoImage
	}
	u := Upload{Type: contentType, Size: -1, Body: in}
	err = s.keep(ctx, u, Quota{}, func(tx store.Tx, kept store.Medium) error {
		m = kept
		m.ID = newID()
		return tx.AddMedium(m)
	})
	if err != nil {
		return m, info, err
	}
	f, info, err := s.inspect(ctx, m)
	if err != nil {
		return m, info, errors.Join(err, s.Delete(ctx, m.ID))
	}
	return m, info, f.Content.Close()
}

// limited is a body that must not be longer than it may be.
type limited struct {
	r    io.Reader
	left int64
}

var errTooLong = errors.New("the picture is too large")

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

// forgetPreviews forgets the oldest previews from before a time, with their
// pictures, and returns how many.
func (s *Service) forgetPreviews(ctx context.Context, before int64) (n int, err error) {
	err = s.remove(ctx, func(tx store.Tx) (images []Medium, err error) {
		old, err := tx.OldPreviews(before, batch)
		if err != nil {
			return nil, err
		}
		n = len(old)
		for _, p := range old {
			if err := tx.DeletePreview(p.URL, p.FetchedTS); err != nil {
				return nil, err
			}
			m, err := tx.Medium(p.Image)
			if err == nil {
				images = append(images, m)
			} else if !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
		}
		return images, nil
	})
	return n, err
}

// sweepPreviews forgets previews that are too old.
func (s *Service) sweepPreviews(ctx context.Context, now int64) error {
	for {
		n, err := s.forgetPreviews(ctx, now-keptFor.Milliseconds())
		if err != nil || n == 0 {
			return err
		}
	}
}

// makeRoom forgets previews until their pictures take no more than they may.
func (s *Service) makeRoom(ctx context.Context) error {
	for {
		usage, err := s.Usage(ctx, "")
		if err != nil || usage.Bytes <= maxPreviewImages {
			return err
		}
		n, err := s.forgetPreviews(ctx, s.nowMillis()+1)
		if err != nil || n == 0 {
			return err
		}
	}
}
