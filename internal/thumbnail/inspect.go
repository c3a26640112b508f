package thumbnail

import (
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// Info is what an image says about itself.
type Info struct {
	Type          string // the content type of what it is, not of what it was called
	Width, Height int    // in pixels, as it is to be shown
	Animated      bool

	format      *format
	orientation int   // as in EXIF: 1 to 8
	memory      int64 // bytes that decoding takes
	frames      int64 // pixels of all frames of a GIF
}

func (i Info) pixels() int64 { return int64(i.Width) * int64(i.Height) }

// The content types of the formats.
const (
	typeJPEG = "image/jpeg"
	typePNG  = "image/png"
	typeAPNG = "image/apng"
	typeGIF  = "image/gif"
	typeWebP = "image/webp"
)

// format is a kind of image.
type format struct {
	contentType string
	magic       string // '?' stands for any byte
	config      func(io.Reader) (image.Config, error)
	// describe looks for orientation and movement, and says how many bytes
	// decoding takes for each pixel. The image's size is known.
	describe func(r io.ReadSeeker, cfg image.Config, info *Info) (perPixel int64, err error)
	decode   decoder
}

func formats() []*format {
	return []*format{
		{typeJPEG, "\xff\xd8\xff", jpeg.DecodeConfig, describeJPEG, first(jpeg.Decode)},
		{typePNG, "\x89PNG\r\n\x1a\n", png.DecodeConfig, describePNG, first(png.Decode)},
		{typeGIF, "GIF8?a", gif.DecodeConfig, describeGIF, decodeGIF},
		{typeWebP, "RIFF????WEBP", webp.DecodeConfig, describeWebP, decodeWebP},
	}
}

func first(decode func(io.Reader) (image.Image, error)) decoder {
	return func(r *reading, _ Info) (image.Image, error) { return decode(r) }
}

// Inspect reads what an image says about itself, from its beginning, and decodes
// nothing. ErrFormat if it is none that can be read.
func Inspect(r io.ReadSeeker) (Info, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return Info{}, err
	}
	head := make([]byte, 12)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return Info{}, err
	}
	for _, f := range formats() {
		if f.matches(head[:n]) {
			return f.inspect(r)
		}
	}
	return Info{}, ErrFormat
}

// TypeOf returns the content type of an image by its first 12 bytes or more, and
// whether it is one that [Inspect] may know.
func TypeOf(head []byte) (contentType string, ok bool) {
	for _, f := range formats() {
		if f.matches(head) {
			return f.contentType, true
		}
	}
	return "", false
}

func (f *format) matches(head []byte) bool {
	if len(head) < len(f.magic) {
		return false
	}
	for i, c := range []byte(f.magic) {
		if c != '?' && c != head[i] {
			return false
		}
	}
	return true
}

func (f *format) inspect(r io.ReadSeeker) (info Info, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: the decoder panics: %v", ErrFormat, cause)
		}
	}()
	src := &sticky{r: r}
	cfg, err := f.config(src.from(0))
	if err == nil {
		info = Info{Type: f.contentType, Width: cfg.Width, Height: cfg.Height, format: f, orientation: 1}
		var perPixel int64
		if perPixel, err = f.describe(src.from(0), cfg, &info); err == nil {
			info.memory = perPixel * info.pixels()
			if info.orientation > 4 { // lies on its side
				info.Width, info.Height = info.Height, info.Width
			}
		}
	}
	switch {
	case src.err != nil:
		return Info{}, src.err
	case err != nil:
		return Info{}, fmt.Errorf("%w: %w", ErrFormat, err)
	case cfg.Width < 1 || cfg.Height < 1:
		return Info{}, fmt.Errorf("%w: it is empty", ErrFormat)
	}
	return info, nil
}

// sticky is a reader that remembers its own errors, which decoders rename.
type sticky struct {
	r   io.ReadSeeker
	err error
}

func (s *sticky) from(offset int64) *sticky {
	_, err := s.Seek(offset, io.SeekStart)
	if err != nil {
		s.err = err
	}
	return s
}

// Read implements io.Reader.
func (s *sticky) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Seek implements io.Seeker.
func (s *sticky) Seek(offset int64, whence int) (int64, error) { return s.r.Seek(offset, whence) }
