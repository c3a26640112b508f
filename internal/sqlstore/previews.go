package sqlstore

import "github.com/ca4c8834/homeserver/store"

const selectPreview = `SELECT url, fetched_ts, content, image FROM hs_previews `

func scanPreview(r row) store.Preview {
	return store.Preview{URL: r.text(0), FetchedTS: r.int(1), Content: r.blob(2), Image: r.text(3)}
}

// PreviewBefore implements store.Previews.
func (v *view) PreviewBefore(url string, ts int64) (store.Preview, error) {
	return one(v, scanPreview, selectPreview+`WHERE url = ? AND fetched_ts <= ? ORDER BY fetched_ts DESC LIMIT 1`, url, ts)
}

// PreviewAfter implements store.Previews.
func (v *view) PreviewAfter(url string, ts int64) (store.Preview, error) {
	return one(v, scanPreview, selectPreview+`WHERE url = ? AND fetched_ts > ? ORDER BY fetched_ts LIMIT 1`, url, ts)
}

// OldPreviews implements store.Previews.
func (v *view) OldPreviews(before int64, limit int) ([]store.Preview, error) {
	return all(v, scanPreview, selectPreview+`WHERE fetched_ts < ? ORDER BY fetched_ts LIMIT ?`, before, int64(max(limit, 0)))
}

// PutPreview implements store.PreviewWriter.
func (t *tx) PutPreview(p store.Preview) error {
	_, err := t.exec(`INSERT INTO hs_previews (url, fetched_ts, content, image) VALUES (?, ?, ?, ?)
		ON CONFLICT (url, fetched_ts) DO UPDATE SET content = excluded.content, image = excluded.image`,
		p.URL, p.FetchedTS, bytes(p.Content), p.Image)
	return err
}

// DeletePreview implements store.PreviewWriter.
func (t *tx) DeletePreview(url string, fetchedTS int64) error {
	_, err := t.exec(`DELETE FROM hs_previews WHERE url = ? AND fetched_ts = ?`, url, fetchedTS)
	return err
}
