// Package thumbnail makes smaller versions of images that nobody has checked.
//
//	info, err := thumbnail.Inspect(file)            // reads the head only
//	plan, ok := info.Plan(thumbnail.Request{Width: 96, Height: 96, Crop: true})
//	if !ok { /* the original is the answer */ }
//	small, err := maker.Make(ctx, file, info, plan)
//
// It reads JPEG, PNG, GIF and WebP, whatever they are called, and writes JPEG,
// or PNG where something is transparent, or GIF where it moves (MEDIA-55,
// MEDIA-57). Images are turned as their EXIF data says; the data itself, with
// the place where a photo was taken, is not in a thumbnail.
//
// # Hostile images
//
// What an image says about itself is read before anything is decoded, and costs
// no memory. An image that has too many pixels, or whose decoder would need too
// much memory for them (a progressive JPEG needs five times that of an ordinary
// one), is refused as [ErrTooLarge]. A [Maker] decodes as much at once as fits
// into its budget of memory and lets the rest wait; it looks at the clock
// whenever a decoder reads on, so no image takes longer than it is given
// (MEDIA-59). A decoder that panics is an image that cannot be decoded.
//
// # Quality and speed
//
// A large image is first shrunk by a whole number, each pixel the mean of a
// square of pixels, and then scaled bilinearly by less than two. That touches
// every source pixel once and needs no memory for a second full-size image.
package thumbnail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"
	"time"

	"golang.org/x/sync/semaphore"
)

// The errors that say something about the image. Any other is of the reader or
// the context.
var (
	// ErrFormat says that it is no image of a format that can be read, or a
	// broken one.
	ErrFormat = errors.New("not an image that can be decoded")
	// ErrTooLarge says that decoding it would take too much.
	ErrTooLarge = errors.New("the image is too large to be decoded")
)

// Image is a finished thumbnail.
type Image struct {
	Type  string // image/jpeg, image/png or image/gif
	Bytes []byte
}

// jpegQuality is enough for what is looked at in a small size.
const jpegQuality = 82

// Maker makes thumbnails. It is safe for concurrent use.
type Maker struct {
	maxPixels int64
	memory    int64
	patience  time.Duration
	gate      *semaphore.Weighted
	least     int64 // what every image is charged
}

// NewMaker returns a Maker that decodes images of at most maxPixels pixels, each
// in at most the time that patience says, with at most memory bytes for all that
// are decoded at once, and no more of them than there are processors.
func NewMaker(maxPixels, memory int64, patience time.Duration) *Maker {
	return &Maker{
		maxPixels: maxPixels, memory: memory, patience: patience, gate: semaphore.NewWeighted(memory),
		least: memory / int64(runtime.GOMAXPROCS(0)),
	}
}

// Check says ErrTooLarge if Make would.
func (m *Maker) Check(info Info) error {
	if info.pixels() > m.maxPixels || info.memory > m.memory {
		return fmt.Errorf("%w: %d by %d pixels", ErrTooLarge, info.Width, info.Height)
	}
	return nil
}

// Make makes the thumbnail that [Info.Plan] has decided on, of the image that
// [Inspect] has described. It waits until there is memory for it. The reader is
// not used after Make has returned. ErrTooLarge also says that the image took too
// much time, which it will do again.
func (m *Maker) Make(ctx context.Context, r io.ReadSeeker, info Info, plan Request) (_ Image, err error) {
	if err := m.Check(info); err != nil {
		return Image{}, err
	}
	charge := max(info.memory, m.least)
	if plan.Animated {
		charge = m.memory // its frames are in memory twice
	}
	if err := m.gate.Acquire(ctx, charge); err != nil {
		return Image{}, err
	}
	defer m.gate.Release(charge)
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: the decoder panics: %v", ErrFormat, cause)
		}
	}()
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return Image{}, err
	}
	limited, cancel := context.WithTimeout(ctx, m.patience)
	defer cancel()
	src := &reading{ctx: limited, r: r}
	small, err := m.render(src, info, plan)
	switch {
	case errors.Is(src.err, context.DeadlineExceeded) && ctx.Err() == nil:
		return Image{}, fmt.Errorf("%w in %v", ErrTooLarge, m.patience)
	case src.err != nil: // the decoder may call it something else
		return Image{}, src.err
	case err != nil:
		return Image{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return small, nil
}

func (m *Maker) render(r *reading, info Info, plan Request) (Image, error) {
	if plan.Animated && info.frames <= m.maxPixels {
		small, err := resizeGIF(r, info, plan)
		if err == nil || r.err != nil {
			return small, err
		}
		// Some frame is broken, which need not be the first.
		if _, err := r.Seek(0, io.SeekStart); err != nil {
			return Image{}, err
		}
	}
	img, err := info.format.decode(r, info)
	if err != nil {
		return Image{}, err
	}
	small, err := render(img, info, plan)
	if err != nil {
		return Image{}, err
	}
	if err := r.ctx.Err(); err != nil {
		r.err = err
		return Image{}, err
	}
	var buf bytes.Buffer
	if small.Opaque() {
		err = jpeg.Encode(&buf, small, &jpeg.Options{Quality: jpegQuality})
		return Image{"image/jpeg", buf.Bytes()}, err
	}
	err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&buf, small)
	return Image{"image/png", buf.Bytes()}, err
}

// reading is a reader that ends with a context and remembers its own errors.
type reading struct {
	ctx context.Context
	r   io.ReadSeeker
	err error // of the context or r, but not io.EOF
}

// Read implements io.Reader.
func (r *reading) Read(p []byte) (int, error) {
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// Seek implements io.Seeker.
func (r *reading) Seek(offset int64, whence int) (int64, error) { return r.r.Seek(offset, whence) }

// decoder decodes the first frame of an image.
type decoder func(r *reading, info Info) (image.Image, error)
