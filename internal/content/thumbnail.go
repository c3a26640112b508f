package content

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ca4c8834/homeserver/internal/mxerr"
	"github.com/ca4c8834/homeserver/internal/thumbnail"
	"github.com/ca4c8834/homeserver/store"
)

// maxThumbnails is how many thumbnails a medium may have. Those of prepared sizes
// are fewer; others are asked for by who wants to fill the disk.
const maxThumbnails = 48

// thumbnailPatience is how long a thumbnail may take, waiting for others
// included.
const thumbnailPatience = 30 * time.Second

// ThumbnailRequest is what a client asks for; Width and Height are at least 1.
type ThumbnailRequest = thumbnail.Request

// Thumbnail returns a smaller version of an image that is at least as large as
// asked for, or the original if that is not larger (MEDIA-50 to MEDIA-57). Each
// is made once, however many ask for it at the same time, and kept.
//
// The errors of Download; 400 M_UNKNOWN for what is no image or a broken one, 413
// M_TOO_LARGE for one with too many pixels (MEDIA-58).
func (s *Service) Thumbnail(ctx context.Context, ref Ref, access Access, r ThumbnailRequest) (*File, error) {
	m, err := s.find(ctx, ref, access)
	if err != nil {
		return nil, err
	}
	if m.Broken {
		return nil, noImage()
	}
	s.touch(ctx, m)
	all, err := s.thumbnails(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	if t, ok := pick(all, r.Prepared()); ok {
		return s.openThumbnail(ctx, t)
	}
	original, info, err := s.inspect(ctx, m)
	if err != nil {
		return nil, err
	}
	plan, ok := info.Plan(r)
	if !ok {
		original.Type, original.Name = info.Type, thumbnailName(info.Type)
		return original, nil
	}
	if err := original.Content.Close(); err != nil {
		return nil, err
	}
	made, err, _ := s.making.Do(fmt.Sprint(m.ID, plan), func() (any, error) {
		// Others wait for this one, so it does not end with its client.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), thumbnailPatience)
		defer cancel()
		return s.makeOnce(ctx, m, plan)
	})
	if err != nil {
		return nil, err
	}
	return s.openThumbnail(ctx, made.(store.Thumbnail))
}

func noImage() *mxerr.Error {
	return mxerr.New(http.StatusBadRequest, mxerr.MUnknown, "there are no thumbnails of such content")
}

// thumbnails returns those that are there.
func (s *Service) thumbnails(ctx context.Context, id string) (all []store.Thumbnail, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		all, err = v.Thumbnails(id)
		return err
	})
	return all, err
}

// pick returns the thumbnail that was made for a request.
func pick(all []store.Thumbnail, r thumbnail.Request) (store.Thumbnail, bool) {
	i := slices.IndexFunc(all, func(t store.Thumbnail) bool {
		return thumbnail.Request{Width: t.Width, Height: t.Height, Crop: t.Crop, Animated: t.Animated} == r
	})
	if i < 0 {
		return store.Thumbnail{}, false
	}
	return all[i], true
}

func (s *Service) openThumbnail(ctx context.Context, t store.Thumbnail) (*File, error) {
	return s.open(ctx, t.Blob, File{Type: t.Type, Name: thumbnailName(t.Type), Size: t.Size, Tag: t.Blob})
}

func thumbnailName(contentType string) string {
	_, extension, _ := strings.Cut(contentType, "/")
	return "thumbnail." + extension
}

// makeOnce makes a thumbnail unless somebody else just has, or there are enough.
func (s *Service) makeOnce(ctx context.Context, m store.Medium, plan thumbnail.Request) (store.Thumbnail, error) {
	all, err := s.thumbnails(ctx, m.ID)
	if err != nil {
		return store.Thumbnail{}, err
	}
	if t, ok := pick(all, plan); ok {
		return t, nil
	}
	if len(all) >= maxThumbnails {
		return store.Thumbnail{}, mxerr.New(http.StatusBadRequest, mxerr.MUnknown, "this image has too many thumbnails already")
	}
	return s.make(ctx, m, plan)
}

// inspect opens an original and reads what it says about itself.
func (s *Service) inspect(ctx context.Context, m store.Medium) (*File, thumbnail.Info, error) {
	f, err := s.open(ctx, m.Blob, File{Size: m.Size, Tag: m.ID})
	if err != nil {
		return nil, thumbnail.Info{}, err
	}
	info, err := thumbnail.Inspect(f.Content)
	if err == nil {
		err = s.maker.Check(info)
	}
	if err != nil {
		return nil, info, errors.Join(refuseImage(err), f.Content.Close())
	}
	return f, info, nil
}

// refuseImage tells the client what is wrong with an image.
func refuseImage(err error) error {
	switch {
	case errors.Is(err, thumbnail.ErrFormat):
		return noImage().Because(err)
	case errors.Is(err, thumbnail.ErrTooLarge):
		return mxerr.TooLarge("the image is too large to make a thumbnail of").Because(err)
	}
	return err
}

// make makes a thumbnail and keeps it.
func (s *Service) make(ctx context.Context, m store.Medium, plan thumbnail.Request) (t store.Thumbnail, err error) {
	original, info, err := s.inspect(ctx, m)
	if err != nil {
		return t, err
	}
	small, err := s.maker.Make(ctx, original.Content, info, plan)
	err = errors.Join(err, original.Content.Close())
	switch {
	case errors.Is(err, thumbnail.ErrFormat), errors.Is(err, thumbnail.ErrTooLarge): // it will not become any better
		return t, errors.Join(refuseImage(err), s.markBroken(ctx, m.ID))
	case errors.Is(err, context.DeadlineExceeded):
		return t, mxerr.LimitExceeded(imagePatience).Because(err)
	case err != nil:
		return t, err
	}
	t = store.Thumbnail{
		Media: m.ID, Width: plan.Width, Height: plan.Height, Crop: plan.Crop, Animated: plan.Animated,
		Type: small.Type, Size: int64(len(small.Bytes)), Blob: newID(),
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error { return tx.AddBlob(t.Blob, s.nowMillis()) })
	if err != nil {
		return t, err
	}
	if err = s.Blobs.Put(ctx, t.Blob, bytes.NewReader(small.Bytes)); err == nil {
		err = s.Store.Update(ctx, func(tx store.Tx) error { return tx.AddThumbnail(t) })
	}
	if err != nil {
		s.discard(ctx, t.Blob)
	}
	if errors.Is(err, store.ErrNotFound) { // the medium was deleted meanwhile
		return t, notFound()
	}
	return t, err
}

// markBroken spares the server the next attempt.
func (s *Service) markBroken(ctx context.Context, id string) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		m, err := tx.Medium(id)
		if err != nil {
			return err
		}
		m.Broken = true
		return tx.UpdateMedium(m)
	})
}
