package thumbnail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"io"

	"golang.org/x/image/webp"
)

// maxChunks is how many chunks of a file are looked at: real ones have a
// handful before what matters.
const maxChunks = 1000

// maxEXIF is the most EXIF data that is read.
const maxEXIF = 64 << 10

// describePNG reads the chunks before the pixels.
func describePNG(r io.ReadSeeker, cfg image.Config, info *Info) (perPixel int64, err error) {
	perPixel = 4
	switch cfg.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model:
		perPixel = 8
	}
	if _, err := r.Seek(8, io.SeekStart); err != nil {
		return 0, err
	}
	for range maxChunks {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return 0, err
		}
		size := int64(binary.BigEndian.Uint32(head[:]))
		next, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return 0, err
		}
		next += size + 4
		data := make([]byte, min(size, maxEXIF))
		switch string(head[4:]) {
		case "IDAT":
			return perPixel, nil
		case "IHDR", "acTL", "eXIf":
			if _, err := io.ReadFull(r, data); err != nil {
				return 0, err
			}
		}
		switch string(head[4:]) {
		case "IHDR":
			if size == 13 && data[12] != 0 {
				perPixel *= 2 // interlaced: decoded in parts, which are put together
			}
		case "acTL":
			info.Animated = size == 8 && binary.BigEndian.Uint32(data) > 1
			if info.Animated {
				info.Type = typeAPNG
			}
		case "eXIf":
			info.orientation = orientation(data)
		}
		if _, err := r.Seek(next, io.SeekStart); err != nil {
			return 0, err
		}
	}
	return perPixel, nil
}

var errTooManyChunks = errors.New("too many chunks")

// webpChunks calls each for the chunks of a WebP file until it returns false.
// The reader stands at the content of the chunk.
func webpChunks(r io.ReadSeeker, each func(id string, size int64) (bool, error)) error {
	at := int64(12)
	for range maxChunks {
		if _, err := r.Seek(at, io.SeekStart); err != nil {
			return err
		}
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		if more, err := each(string(head[:4]), size); err != nil || !more {
			return err
		}
		at += 8 + size + size&1
	}
	return errTooManyChunks
}

// webpPerPixel is what the lossless form takes, which also carries the
// transparency of the lossy one.
const webpPerPixel = 8

// describeWebP looks for EXIF data, which comes last, and for movement.
func describeWebP(r io.ReadSeeker, _ image.Config, info *Info) (perPixel int64, err error) {
	err = webpChunks(r, func(id string, size int64) (bool, error) {
		switch id {
		case "VP8X":
			var flags [1]byte
			_, err := io.ReadFull(r, flags[:])
			const animation = 1 << 1
			info.Animated = flags[0]&animation != 0
			return true, err
		case "EXIF":
			data := make([]byte, min(size, maxEXIF))
			_, err := io.ReadFull(r, data)
			info.orientation = orientation(data)
			return false, err
		}
		return true, nil
	})
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, errTooManyChunks) {
		err = nil // the image itself may be whole
	}
	return webpPerPixel, err
}

var errNoFrame = errors.New("an animation without a frame")

// decodeWebP decodes an image, or the first frame of an animation, which the
// decoder does not know: it gets to see the frame as a file of its own.
func decodeWebP(r *reading, info Info) (image.Image, error) {
	if !info.Animated {
		return webp.Decode(r)
	}
	var canvas *image.RGBA
	err := webpChunks(r, func(id string, size int64) (bool, error) {
		if id != "ANMF" || size < 16 {
			return true, nil
		}
		var head [16]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return false, err
		}
		width, height := 1+uint24(head[6:]), 1+uint24(head[9:])
		at := image.Pt(2*uint24(head[0:]), 2*uint24(head[3:]))
		place := image.Rectangle{at, at.Add(image.Pt(width, height))}
		whole := image.Rect(0, 0, info.Width, info.Height)
		if info.orientation > 4 {
			whole = image.Rect(0, 0, info.Height, info.Width)
		}
		if !place.In(whole) {
			return false, errNoFrame
		}
		frame, err := webp.Decode(webpFrame(width, height, io.LimitReader(r, size-16), size-16))
		if err != nil {
			return false, err
		}
		canvas = image.NewRGBA(whole)
		draw.Draw(canvas, place, frame, frame.Bounds().Min, draw.Src)
		return false, nil
	})
	if err == nil && canvas == nil {
		err = errNoFrame
	}
	return canvas, err
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// webpFrame makes a file of the chunks of a frame. The extended header makes the
// decoder insist on the size.
func webpFrame(width, height int, chunks io.Reader, size int64) io.Reader {
	var alpha [4]byte
	n, _ := io.ReadFull(chunks, alpha[:])
	const hasAlpha = 1 << 4
	var flags byte
	if string(alpha[:n]) == "ALPH" {
		flags = hasAlpha
	}
	head := []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00")
	binary.LittleEndian.PutUint32(head[4:], uint32(4+18+size)) //nolint:gosec // the size comes from 32 bits
	head = append(head, flags, 0, 0, 0)
	for _, n := range [...]int{width - 1, height - 1} {
		head = append(head, byte(n), byte(n>>8), byte(n>>16)) //nolint:gosec // its parts
	}
	return io.MultiReader(bytes.NewReader(head), bytes.NewReader(alpha[:n]), chunks)
}
