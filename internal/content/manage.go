package content

import (
	"context"
	"errors"
	"slices"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

// Medium is what is known about content.
type Medium = store.Medium

// Usage is what somebody has uploaded.
type Usage = store.MediaUsage

// batch is how many rows a transaction deletes at most.
const batch = 100

// Medium returns what is known about content, quarantined or not. M_NOT_FOUND.
func (s *Service) Medium(ctx context.Context, id string) (m Medium, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		m, err = v.Medium(id)
		return err
	})
	return m, orNotFound(err)
}

// List returns content of one owner, newest first: at most limit of what follows
// before, the last of the page before this one, or zero.
func (s *Service) List(ctx context.Context, owner events.UserID, before Medium, limit int) (page []Medium, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		page, err = v.MediaOf(owner, before, limit)
		return err
	})
	return page, err
}

// Usage returns what an owner has uploaded.
func (s *Service) Usage(ctx context.Context, owner events.UserID) (usage Usage, err error) {
	err = s.Store.View(ctx, func(v store.View) (err error) {
		usage, err = v.MediaUsage(owner)
		return err
	})
	return usage, err
}

// Quarantine hides content from everybody, or shows it again. It is kept
// (MEDIA-36). M_NOT_FOUND.
func (s *Service) Quarantine(ctx context.Context, id string, hidden bool) error {
	return orNotFound(s.Store.Update(ctx, func(tx store.Tx) error {
		m, err := tx.Medium(id)
		if err != nil {
			return err
		}
		m.Quarantined = hidden
		return tx.UpdateMedium(m)
	}))
}

// Delete deletes content with its thumbnails, for good: its ID is not used again
// (MEDIA-36). M_NOT_FOUND.
func (s *Service) Delete(ctx context.Context, id string) error {
	return orNotFound(s.remove(ctx, func(tx store.Tx) ([]Medium, error) {
		m, err := tx.Medium(id)
		return []Medium{m}, err
	}))
}

// DeleteOf deletes all content of one owner. What is uploaded meanwhile may stay.
func (s *Service) DeleteOf(ctx context.Context, owner events.UserID) error {
	return s.removeAll(ctx, func(tx store.Tx) ([]Medium, error) { return tx.MediaOf(owner, Medium{}, batch) })
}

// Sweep deletes what nobody needs any more: IDs whose content did not come in
// time, content that nobody has downloaded for longer than the retention, old
// previews with their pictures, and blobs that a crash or a fault of the media store has left. It is to be called
// now and then, every hour for example, and goes on where it ended if it is
// interrupted.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.nowMillis()
	err := s.removeAll(ctx, func(tx store.Tx) ([]Medium, error) { return tx.ExpiredMedia(now, batch) })
	if err == nil && s.Retention > 0 {
		err = s.sweepIdle(ctx, now)
	}
	if err == nil {
		err = s.sweepPreviews(ctx, now)
	}
	for err == nil {
		// Uploads that have begun are given a day.
		var keys []string
		err = s.Store.View(ctx, func(v store.View) (err error) {
			keys, err = v.UnusedBlobs(now-pendingFor.Milliseconds(), batch)
			return err
		})
		if err != nil || len(keys) == 0 {
			break
		}
		err = s.deleteBlobs(ctx, keys)
	}
	return err
}

func (s *Service) sweepIdle(ctx context.Context, now int64) error {
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		for _, id := range s.Public {
			m, err := tx.Medium(id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			m.AccessedTS = now
			if err := tx.UpdateMedium(m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.removeAll(ctx, func(tx store.Tx) ([]Medium, error) {
		return tx.IdleMedia(now-s.Retention.Milliseconds(), batch)
	})
}

// removeAll removes what next returns until that is nothing.
func (s *Service) removeAll(ctx context.Context, next func(store.Tx) ([]Medium, error)) error {
	for {
		n := 0
		err := s.remove(ctx, func(tx store.Tx) ([]Medium, error) {
			media, err := next(tx)
			n = len(media)
			return media, err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// remove deletes media in one transaction, and then the blobs that only they
// referred to.
func (s *Service) remove(ctx context.Context, which func(store.Tx) ([]Medium, error)) error {
	var unused []string
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		unused = nil
		media, err := which(tx)
		if err != nil {
			return err
		}
		for _, m := range media {
			keys, err := tx.DeleteMedium(m.ID)
			if err != nil {
				return err
			}
			unused = slices.Concat(unused, keys)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.discard(ctx, unused...)
	return nil
}

// deleteExpired removes some IDs whose content has not come in time.
func deleteExpired(tx store.Tx, now int64) error {
	expired, err := tx.ExpiredMedia(now, batch)
	if err != nil {
		return err
	}
	for _, m := range expired {
		if _, err := tx.DeleteMedium(m.ID); err != nil {
			return err
		}
	}
	return nil
}

func orNotFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return notFound()
	}
	return err
}
