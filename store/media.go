package store

import "github.com/ca4c8834/homeserver/events"

// Medium is one piece of content, or a media ID that waits for its content.
type Medium struct {
	ID          string        // what follows the server name in the mxc URI
	Owner       events.UserID // who uploads it; empty: the server itself
	Type        string        // the content type as it was sent
	Name        string        // the file name; empty: none
	Blob        string        // the key of the content; empty: not uploaded yet
	Size        int64         // in bytes
	StoredTS    int64         // milliseconds; when the content came; 0: not uploaded yet
	AccessedTS  int64         // milliseconds; of a recent download, or StoredTS
	ExpiresTS   int64         // milliseconds; until when content may come; 0: uploaded at once
	Quarantined bool
	Broken      bool // is an image that cannot be decoded
}

// Thumbnail is a smaller version of a medium, for one request.
type Thumbnail struct {
	Media         string // the ID of the medium
	Width, Height int    // as they are asked for, after rounding to what is prepared
	Crop          bool
	Animated      bool
	Type          string // content type
	Size          int64  // in bytes
	Blob          string // the key of the content
}

// MediaUsage is what somebody has uploaded and may upload.
type MediaUsage struct {
	Files   int64 // media with content
	Bytes   int64 // of their content, not counting thumbnails and not less for content that is stored once
	Pending int64 // media IDs without content, expired ones included until they are deleted
}

// Media reads what is known about content.
type Media interface {
	// Medium returns a medium. ErrNotFound.
	Medium(id string) (Medium, error)

	// MediaOf returns media with content of one owner, newest first: at most
	// limit of those that follow before in this order, which is the last of the
	// page before this one, or zero.
	MediaOf(owner events.UserID, before Medium, limit int) ([]Medium, error)

	// MediaUsage returns what an owner has; without anything it is zero.
	MediaUsage(owner events.UserID) (MediaUsage, error)

	// IdleMedia returns media with content that were accessed last before a
	// time in milliseconds, at most limit, longest ago first.
	IdleMedia(before int64, limit int) ([]Medium, error)

	// ExpiredMedia returns media without content whose ExpiresTS is before a
	// time in milliseconds, at most limit, oldest first.
	ExpiredMedia(before int64, limit int) ([]Medium, error)

	// Thumbnails returns all thumbnails of a medium, in no particular order.
	Thumbnails(id string) ([]Thumbnail, error)
}

// MediaWriter changes what is known about content. It counts how many media and
// thumbnails refer to a blob; see [BlobWriter].
type MediaWriter interface {
	// AddMedium adds a medium, with content or without. ErrExists if the ID is
	// taken; ErrNotFound if its blob does not exist.
	AddMedium(m Medium) error

	// UpdateMedium replaces everything but ID and owner. ErrNotFound if the
	// medium or its new blob does not exist.
	UpdateMedium(m Medium) error

	// DeleteMedium removes a medium with its thumbnails. It returns the keys of
	// the blobs that nothing refers to any more. ErrNotFound.
	DeleteMedium(id string) (unused []string, err error)

	// AddThumbnail adds a thumbnail. ErrExists if there is one for the same
	// request; ErrNotFound if its medium or its blob does not exist.
	AddThumbnail(t Thumbnail) error
}
