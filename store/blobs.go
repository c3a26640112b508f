package store

// ContentHash is the SHA-256 of a blob.
type ContentHash [32]byte

// Blobs reads which blobs the media store holds or may hold; see package media.
type Blobs interface {
	// BlobByHash returns the key of the blob with this content that something
	// refers to. ErrNotFound.
	BlobByHash(hash ContentHash) (key string, err error)

	// UnusedBlobs returns the keys of blobs that nothing refers to and that were
	// added before a time in milliseconds, at most limit, oldest first.
	UnusedBlobs(before int64, limit int) ([]string, error)
}

// BlobWriter changes which blobs are known. A blob is added before its content
// is written, used when media or thumbnails refer to it, and removed when its
// content is gone, so that nothing in the media store is ever unknown.
type BlobWriter interface {
	// AddBlob adds a blob that nothing refers to. ErrExists if the key is taken.
	AddBlob(key string, createdTS int64) error

	// SetBlobHash makes a blob known by its content, for as long as something
	// refers to it: with the last reference the hash goes. ErrNotFound;
	// ErrExists if another blob has this content.
	SetBlobHash(key string, hash ContentHash) error

	// DeleteBlob removes a blob that nothing refers to. ErrNotFound, also if
	// something does.
	DeleteBlob(key string) error
}
