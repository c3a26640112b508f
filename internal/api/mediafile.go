package api

import (
	"errors"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

// What is sent with all content, so that a browser shows it without letting it do anything (MEDIA-26, MEDIA-27).
const (
	contentPolicy = "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';"
	// contentCache lets a client keep what never changes, but not for so long that deleted content stays in view.
	contentCache = "private, max-age=86400, immutable"
)

// inlineTypes is the content that browsers may show in place; everything else is for downloading (MEDIA-25).
func inlineTypes() []string {
	return []string{
		"text/css", "text/plain", "text/csv", "application/json", "application/ld+json",
		"image/jpeg", "image/gif", "image/png", "image/apng", "image/webp", "image/avif",
		"video/mp4", "video/webm", "video/ogg", "video/quicktime",
		"audio/mp4", "audio/webm", "audio/aac", "audio/mpeg", "audio/ogg", "audio/wave", "audio/wav",
		"audio/x-wav", "audio/x-pn-wav", "audio/flac", "audio/x-flac",
	}
}

// sendFile sends content and closes it. Ranges and conditions are up to net/http (MEDIA-28).
func sendFile(w http.ResponseWriter, r *http.Request, f *content.File) (err error) {
	defer func() { err = errors.Join(err, f.Content.Close()) }()
	tag := strconv.Quote(f.Tag)
	if err := checkRange(r, tag, f.Size); err != nil {
		w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(f.Size, 10))
		return err
	}
	contentType, disposition := contentHeaders(f)
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", contentCache)
	h.Set("ETag", tag)
	startWriteTimeout(w, r, f.Size)
	http.ServeContent(w, r, "", time.Time{}, f.Content)
	return nil
}

// contentHeaders returns the content type as it was uploaded, unless it is none (MEDIA-22), and the disposition that
// goes with it (MEDIA-23 to MEDIA-25).
func contentHeaders(f *content.File) (contentType, disposition string) {
	contentType = f.Type
	kind, _, err := mime.ParseMediaType(f.Type)
	switch {
	case strings.ContainsFunc(f.Type, unicode.IsControl), err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter), !strings.Contains(kind, "/"):
		contentType, kind = "application/octet-stream", ""
	case err != nil:
		contentType = kind
	}
	disposition = "attachment"
	if slices.Contains(inlineTypes(), kind) {
		disposition = "inline"
	}
	if name := safeName(f.Name); name != "" {
		disposition = mime.FormatMediaType(disposition, map[string]string{"filename": name})
	}
	return contentType, disposition
}

// safeName takes from a file name what could end the header, lead into another directory or make the name read
// otherwise than it is (MEDIA-24).
func safeName(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '/' || c == '\\':
			return '_'
		case unicode.IsControl(c), unicode.Is(unicode.Bidi_Control, c), c == unicode.ReplacementChar:
			return -1
		}
		return c
	}, name)
}

// checkRange refuses a range that does not exist, which net/http would do in plain text, and makes it ignore one that
// is malformed or that is for a version the client does not have.
func checkRange(r *http.Request, tag string, size int64) error {
	header := r.Header.Get("Range")
	if header == "" || r.Header.Get("If-None-Match") != "" {
		return nil
	}
	if condition := r.Header.Get("If-Range"); condition != "" && condition != tag {
		r.Header.Del("Range")
		return nil
	}
	list, ok := strings.CutPrefix(header, "bytes=")
	exists := false
	for spec := range strings.SplitSeq(list, ",") {
		first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
		from, err := strconv.ParseInt(first, 10, 64)
		to, err2 := strconv.ParseInt(last, 10, 64)
		switch {
		case !dash, first == "" && (err2 != nil || to < 0), first != "" && (err != nil || from < 0), first != "" && last != "" && (err2 != nil || to < from):
			ok = false
		case first == "" && to > 0 && size > 0, first != "" && from < size:
			exists = true
		}
	}
	switch {
	case !ok:
		r.Header.Del("Range")
	case !exists:
		return mxerr.New(http.StatusRequestedRangeNotSatisfiable, mxerr.MUnknown, "the content has only %d bytes", size)
	}
	return nil
}
