package thumbnail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"testing"
	"time"
)

func checksum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// vp8lHead is the beginning of a lossless WebP bitstream.
func vp8lHead(w, h int) []byte {
	head := vp8l(1, 1)
	binary.LittleEndian.PutUint32(head[1:], uint32(w-1)|uint32(h-1)<<14)
	return head
}

func FuzzMake(f *testing.F) {
	f.Add(jpegOf(f, quadrants(40, 40)))
	f.Add(withJPEGSegment(jpegOf(f, quadrants(40, 40)), 0xe1, append([]byte("Exif\x00\x00"), exif(binary.BigEndian, 6)...)))
	f.Add(withPNGChunk(pngOf(f, quadrants(40, 40)), "eXIf", exif(binary.LittleEndian, 3)))
	f.Add(gifOf(f, paletted(quadrants(40, 40)), plain(image.Rect(3, 3, 9, 9), 1)))
	f.Add(webpOf("VP8X", vp8x(2, 40, 40), "ANMF", anmf(2, 2, 38, 38), "EXIF", exif(binary.LittleEndian, 8)))
	m := NewMaker(1<<20, 32<<20, time.Minute)
	f.Fuzz(func(t *testing.T, file []byte) {
		info, err := Inspect(bytes.NewReader(file))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		for _, r := range []Request{{32, 32, true, false}, {32, 32, false, true}} {
			plan, ok := info.Plan(r)
			if !ok {
				continue
			}
			small, err := m.Make(t.Context(), bytes.NewReader(file), info, plan)
			if err != nil {
				if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) {
					t.Fatal(err)
				}
				continue
			}
			if _, err := Inspect(bytes.NewReader(small.Bytes)); err != nil {
				t.Fatalf("the thumbnail is no image: %v", err)
			}
		}
	})
}
