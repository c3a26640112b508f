package thumbnail

import (
	"bytes"
	"image"
	"image/color"
	"testing"
)

// photo is an image with as much detail as a camera's: gradients and noise.
func photo(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	seed := uint32(1)
	for y := range h {
		for x := range w {
			seed = seed*1664525 + 1013904223
			noise := uint8(seed>>24) / 16
			img.SetRGBA(x, y, color.RGBA{uint8(x*120/w) + noise, uint8(y*120/h) + noise, uint8((x+y)/64) + noise, 255})
		}
	}
	return img
}

// BenchmarkMake: a thumbnail of a 12-megapixel photo takes at most 400 ms.
func BenchmarkMake(b *testing.B) {
	file := jpegOf(b, photo(4000, 3000))
	for _, bb := range []struct {
		name string
		r    Request
	}{{"800x600", Request{800, 600, false, false}}, {"96x96", Request{96, 96, true, false}}, {"1600x1200", Request{1600, 1200, false, false}}} {
		b.Run(bb.name, func(b *testing.B) {
			m := newMaker()
			b.ReportAllocs()
			for b.Loop() {
				info, err := Inspect(bytes.NewReader(file))
				if err != nil {
					b.Fatal(err)
				}
				plan, _ := info.Plan(bb.r)
				if _, err := m.Make(b.Context(), bytes.NewReader(file), info, plan); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
