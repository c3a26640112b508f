package sqlstore

import (
	"errors"

	"github.com/ca4c8834/homeserver/events"
	"github.com/ca4c8834/homeserver/store"
)

const selectMedium = `SELECT id, owner, type, name, blob, size, stored_ts, accessed_ts, expires_ts, quarantined, broken FROM hs_media `

func scanMedium(r row) store.Medium {
	return store.Medium{
		ID:          r.text(0),
		Owner:       events.UserID(r.text(1)),
		Type:        r.text(2),
		Name:        r.text(3),
		Blob:        r.text(4),
		Size:        r.int(5),
		StoredTS:    r.int(6),
		AccessedTS:  r.int(7),
		ExpiresTS:   r.int(8),
		Quarantined: r.bool(9),
		Broken:      r.bool(10),
	}
}

// Medium implements store.Media.
func (v *view) Medium(id string) (store.Medium, error) {
	return one(v, scanMedium, selectMedium+`WHERE id = ?`, id)
}

// MediaOf implements store.Media.
func (v *view) MediaOf(owner events.UserID, before store.Medium, limit int) ([]store.Medium, error) {
	if before.ID == "" {
		before.StoredTS = int64(store.MaxPos)
	}
	return all(v, scanMedium, selectMedium+`WHERE owner = ? AND blob IS NOT NULL AND (stored_ts, id) < (?, ?)
		ORDER BY stored_ts DESC, id DESC LIMIT ?`, string(owner), before.StoredTS, before.ID, int64(max(limit, 0)))
}

// MediaUsage implements store.Media.
func (v *view) MediaUsage(owner events.UserID) (store.MediaUsage, error) {
	usage, err := one(v, func(r row) store.MediaUsage { return store.MediaUsage{Files: r.int(0), Bytes: r.int(1)} },
		`SELECT files, bytes FROM hs_media_usage WHERE owner = ?`, string(owner))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return usage, err
	}
	usage.Pending, err = one(v, func(r row) int64 { return r.int(0) },
		`SELECT count(*) FROM hs_media WHERE owner = ? AND blob IS NULL`, string(owner))
	return usage, err
}

// IdleMedia implements store.Media.
func (v *view) IdleMedia(before int64, limit int) ([]store.Medium, error) {
	return all(v, scanMedium, selectMedium+`WHERE blob IS NOT NULL AND accessed_ts < ? ORDER BY accessed_ts LIMIT ?`,
		before, int64(max(limit, 0)))
}

// ExpiredMedia implements store.Media.
func (v *view) ExpiredMedia(before int64, limit int) ([]store.Medium, error) {
	return all(v, scanMedium, selectMedium+`WHERE blob IS NULL AND expires_ts < ? ORDER BY expires_ts LIMIT ?`,
		before, int64(max(limit, 0)))
}

// Thumbnails implements store.Media.
func (v *view) Thumbnails(id string) ([]store.Thumbnail, error) {
	return all(v, func(r row) store.Thumbnail {
		return store.Thumbnail{
			Media: id, Width: int(r.int(0)), Height: int(r.int(1)), Crop: r.bool(2), Animated: r.bool(3),
			Type: r.text(4), Size: r.int(5), Blob: r.text(6),
		}
	}, `SELECT width, height, crop, animated, type, size, blob FROM hs_media_thumbnails WHERE media = ?`, id)
}

// AddMedium implements store.MediaWriter.
func (t *tx) AddMedium(m store.Medium) error {
	if err := t.hasBlob(m.Blob); err != nil {
		return err
	}
	err := t.mustAdd(`INSERT INTO hs_media (id, owner, type, name, blob, size, stored_ts, accessed_ts, expires_ts, quarantined, broken)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		m.ID, string(m.Owner), m.Type, m.Name, orNull(m.Blob), m.Size, m.StoredTS, m.AccessedTS, m.ExpiresTS,
		integer(m.Quarantined), integer(m.Broken))
	if err != nil || m.Blob == "" {
		return err
	}
	return t.useBlob(m)
}

// UpdateMedium implements store.MediaWriter.
func (t *tx) UpdateMedium(m store.Medium) error {
	old, err := t.Medium(m.ID)
	if err != nil {
		return err
	}
	if err := t.hasBlob(m.Blob); err != nil {
		return err
	}
	m.Owner = old.Owner
	if old.Blob != m.Blob || old.Size != m.Size {
		if m.Blob != "" { // first, or the blob could lose its last reference in between
			if err := t.useBlob(m); err != nil {
				return err
			}
		}
		if old.Blob != "" {
			if _, err := t.leaveBlob(old); err != nil {
				return err
			}
		}
	}
	return t.mustChange(`UPDATE hs_media SET type = ?, name = ?, blob = ?, size = ?, stored_ts = ?, accessed_ts = ?, expires_ts = ?,
		quarantined = ?, broken = ? WHERE id = ?`,
		m.Type, m.Name, orNull(m.Blob), m.Size, m.StoredTS, m.AccessedTS, m.ExpiresTS,
		integer(m.Quarantined), integer(m.Broken), m.ID)
}

// DeleteMedium implements store.MediaWriter.
func (t *tx) DeleteMedium(id string) (unused []string, err error) {
	m, err := t.Medium(id)
	if err != nil {
		return nil, err
	}
	if m.Blob != "" {
		last, err := t.leaveBlob(m)
		if err != nil {
			return nil, err
		}
		if last {
			unused = append(unused, m.Blob)
		}
	}
	thumbnails, err := t.Thumbnails(id)
	if err != nil {
		return nil, err
	}
	for _, thumbnail := range thumbnails {
		last, err := t.release(thumbnail.Blob)
		if err != nil {
			return nil, err
		}
		if last {
			unused = append(unused, thumbnail.Blob)
		}
	}
	if _, err := t.exec(`DELETE FROM hs_media_thumbnails WHERE media = ?`, id); err != nil {
		return nil, err
	}
	return unused, t.mustChange(`DELETE FROM hs_media WHERE id = ?`, id)
}

// AddThumbnail implements store.MediaWriter.
func (t *tx) AddThumbnail(n store.Thumbnail) error {
	if _, err := t.Medium(n.Media); err != nil {
		return err
	}
	if err := t.hasBlob(n.Blob); err != nil {
		return err
	}
	err := t.mustAdd(`INSERT INTO hs_media_thumbnails (media, width, height, crop, animated, type, size, blob)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (media, width, height, crop, animated) DO NOTHING`,
		n.Media, int64(n.Width), int64(n.Height), integer(n.Crop), integer(n.Animated), n.Type, n.Size, n.Blob)
	if err != nil {
		return err
	}
	return t.refer(n.Blob)
}

// useBlob counts a medium's content, leaveBlob does no longer.
func (t *tx) useBlob(m store.Medium) error {
	if err := t.refer(m.Blob); err != nil {
		return err
	}
	_, err := t.exec(`INSERT INTO hs_media_usage (owner, files, bytes) VALUES (?, 1, ?)
		ON CONFLICT (owner) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes`, string(m.Owner), m.Size)
	return err
}

func (t *tx) leaveBlob(m store.Medium) (last bool, err error) {
	if _, err := t.exec(`UPDATE hs_media_usage SET files = files - 1, bytes = bytes - ? WHERE owner = ?`, m.Size, string(m.Owner)); err != nil {
		return false, err
	}
	return t.release(m.Blob)
}
