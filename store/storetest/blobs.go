package storetest

import (
	"crypto/sha256"

	"github.com/ca4c8834/homeserver/store"
)

// contentHash is the hash of some content.
func contentHash(content string) store.ContentHash { return sha256.Sum256([]byte(content)) }

// blob adds a blob that nothing refers to.
func (f *fixture) blob(key string, createdTS int64) {
	f.Helper()
	f.update(func(tx store.Tx) error { return tx.AddBlob(key, createdTS) })
}

// hashed adds a medium with a blob that is known by its content.
func (f *fixture) hashed(id, key, content string) {
	f.Helper()
	f.update(func(tx store.Tx) error {
		if err := tx.AddBlob(key, 1); err != nil {
			return err
		}
		if err := tx.SetBlobHash(key, contentHash(content)); err != nil {
			return err
		}
		return tx.AddMedium(store.Medium{ID: id, Blob: key})
	})
}

// unused returns the blobs that nothing refers to.
func (f *fixture) unused(before int64, limit int) (keys []string) {
	f.Helper()
	f.view(func(v store.View) (err error) { keys, err = v.UnusedBlobs(before, limit); return err })
	return keys
}

func blobs() []rule {
	byHash := func(f *fixture, content, want string) {
		f.Helper()
		f.view(func(v store.View) error {
			key, err := v.BlobByHash(contentHash(content))
			equal(f, key, want)
			return err
		})
	}
	unknown := func(f *fixture, content string) {
		f.Helper()
		f.missing(func(v store.View) error { _, err := v.BlobByHash(contentHash(content)); return err })
	}
	return []rule{
		{"AddBlob adds a blob that nothing refers to. ErrExists", func(f *fixture) {
			f.blob("k1", 5)
			f.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddBlob("k1", 6) })
			equal(f, f.unused(10, 10), []string{"k1"})
		}},
		{"BlobByHash returns the key of the blob with this content that something refers to. ErrNotFound", func(f *fixture) {
			f.hashed("one", "k1", "hello")
			byHash(f, "hello", "k1")
			unknown(f, "other")

			f.blob("k2", 1)
			f.update(func(tx store.Tx) error { return tx.SetBlobHash("k2", contentHash("unused")) })
			unknown(f, "unused")
		}},
		{"SetBlobHash: ErrNotFound; ErrExists if another blob has this content", func(f *fixture) {
			f.hashed("one", "k1", "hello")
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.SetBlobHash("k9", contentHash("x")) })
			f.blob("k2", 1)
			f.refused(store.ErrExists, func(tx store.Tx) error { return tx.SetBlobHash("k2", contentHash("hello")) })
			f.update(func(tx store.Tx) error { return tx.SetBlobHash("k1", contentHash("hello")) })
			byHash(f, "hello", "k1")
		}},
		{"with the last reference the hash goes, so that new content gets a blob of its own", func(f *fixture) {
			f.hashed("one", "k1", "hello")
			f.update(func(tx store.Tx) error { return tx.AddMedium(store.Medium{ID: "two", Blob: "k1"}) })
			f.update(func(tx store.Tx) error { _, err := tx.DeleteMedium("one"); return err })
			byHash(f, "hello", "k1")
			f.update(func(tx store.Tx) error { _, err := tx.DeleteMedium("two"); return err })
			unknown(f, "hello")
			equal(f, f.unused(10, 10), []string{"k1"})

			f.hashed("three", "k3", "hello")
			byHash(f, "hello", "k3")
		}},
		{"UnusedBlobs returns blobs that nothing refers to and that were added before a time, at most limit, oldest first", func(f *fixture) {
			f.blob("c", 30)
			f.blob("a", 10)
			f.blob("b", 20)
			f.blob("used", 1)
			f.update(func(tx store.Tx) error { return tx.AddMedium(store.Medium{ID: "m", Blob: "used"}) })
			equal(f, f.unused(30, 10), []string{"a", "b"})
			equal(f, f.unused(31, 10), []string{"a", "b", "c"})
			equal(f, f.unused(31, 2), []string{"a", "b"})
			equal(f, len(f.unused(31, 0)), 0)
			equal(f, len(f.unused(10, 10)), 0)
		}},
		{"DeleteBlob removes a blob that nothing refers to. ErrNotFound, also if something does", func(f *fixture) {
			f.hashed("one", "k1", "hello")
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteBlob("k1") })
			byHash(f, "hello", "k1")
			f.blob("k2", 1)
			f.update(func(tx store.Tx) error { return tx.DeleteBlob("k2") })
			equal(f, len(f.unused(10, 10)), 0)
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteBlob("k2") })
		}},
	}
}
