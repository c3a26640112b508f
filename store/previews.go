package store

// Preview is what a web page told about itself at one time.
type Preview struct {
	URL       string
	FetchedTS int64  // milliseconds
	Content   []byte // JSON object; empty: the page could not be fetched
	Image     string // the media ID of the picture; empty: none
}

// Previews reads the previews of web pages.
type Previews interface {
	// PreviewBefore returns the newest preview of a page that was fetched at a
	// time in milliseconds or before. ErrNotFound.
	PreviewBefore(url string, ts int64) (Preview, error)

	// PreviewAfter returns the oldest preview of a page that was fetched after
	// a time in milliseconds. ErrNotFound.
	PreviewAfter(url string, ts int64) (Preview, error)

	// OldPreviews returns previews of all pages that were fetched before a time
	// in milliseconds, at most limit, oldest first.
	OldPreviews(before int64, limit int) ([]Preview, error)
}

// PreviewWriter changes the previews of web pages.
type PreviewWriter interface {
	// PutPreview adds a preview, or replaces the one of the same page and time.
	PutPreview(p Preview) error

	// DeletePreview removes a preview; none is no error.
	DeletePreview(url string, fetchedTS int64) error
}
