package sqlstore

import "github.com/ca4c8834/homeserver/store"

// BlobByHash implements store.Blobs.
func (v *view) BlobByHash(hash store.ContentHash) (string, error) {
	return one(v, text[string], `SELECT key FROM hs_media_blobs WHERE hash = ? AND refs > 0`, hash[:])
}

// UnusedBlobs implements store.Blobs.
func (v *view) UnusedBlobs(before int64, limit int) ([]string, error) {
	return all(v, text[string], `SELECT key FROM hs_media_blobs WHERE refs = 0 AND created_ts < ? ORDER BY created_ts LIMIT ?`,
		before, int64(max(limit, 0)))
}

// AddBlob implements store.BlobWriter.
func (t *tx) AddBlob(key string, createdTS int64) error {
	return t.mustAdd(`INSERT INTO hs_media_blobs (key, created_ts, refs) VALUES (?, ?, 0) ON CONFLICT (key) DO NOTHING`,
		key, createdTS)
}

// SetBlobHash implements store.BlobWriter.
func (t *tx) SetBlobHash(key string, hash store.ContentHash) error {
	other, err := one(&t.view, text[string], `SELECT key FROM hs_media_blobs WHERE hash = ?`, hash[:])
	if err == nil && other != key {
		return store.ErrExists
	}
	return t.mustChange(`UPDATE hs_media_blobs SET hash = ? WHERE key = ?`, hash[:], key)
}

// DeleteBlob implements store.BlobWriter.
func (t *tx) DeleteBlob(key string) error {
	return t.mustChange(`DELETE FROM hs_media_blobs WHERE key = ? AND refs = 0`, key)
}

// hasBlob says ErrNotFound before anything is written. No blob is always there.
func (t *tx) hasBlob(key string) error {
	if key == "" {
		return nil
	}
	_, err := one(&t.view, text[string], `SELECT key FROM hs_media_blobs WHERE key = ?`, key)
	return err
}

// refer counts one more reference to a blob, which is there.
func (t *tx) refer(key string) error {
	return t.mustChange(`UPDATE hs_media_blobs SET refs = refs + 1 WHERE key = ?`, key)
}

// release counts one reference less and reports whether it was the last. Then
// nobody finds the blob by its hash any more: its content may go at any time.
func (t *tx) release(key string) (last bool, err error) {
	err = t.mustChange(`UPDATE hs_media_blobs SET refs = refs - 1, hash = CASE refs WHEN 1 THEN NULL ELSE hash END WHERE key = ?`, key)
	if err != nil {
		return false, err
	}
	return one(&t.view, func(r row) bool { return r.int(0) == 0 }, `SELECT refs FROM hs_media_blobs WHERE key = ?`, key)
}
