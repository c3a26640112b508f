package thumbnail

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"
)

var (
	red    = color.RGBA{255, 0, 0, 255}
	green  = color.RGBA{0, 255, 0, 255}
	blue   = color.RGBA{0, 0, 255, 255}
	yellow = color.RGBA{255, 255, 0, 255}
)

// quadrants is an image of four colours: red and green above, blue and yellow below.
func quadrants(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, [...]color.RGBA{red, green, blue, yellow}[2*(2*y/h)+2*x/w])
		}
	}
	return img
}

// corners returns the colours a quarter away from the corners: above left and right, below left and right.
func corners(img image.Image) (seen [4]string) {
	b := img.Bounds()
	for i := range seen {
		x, y := b.Min.X+b.Dx()/4, b.Min.Y+b.Dy()/4
		if i%2 == 1 {
			x = b.Max.X - 1 - b.Dx()/4
		}
		if i >= 2 {
			y = b.Max.Y - 1 - b.Dy()/4
		}
		seen[i] = name(img.At(x, y))
	}
	return seen
}

// name tells the four colours apart, also after JPEG.
func name(c color.Color) string {
	r, g, b, a := c.RGBA()
	if a < 0x8000 {
		return "clear"
	}
	return map[[3]bool]string{
		{true, false, false}: "red", {false, true, false}: "green", {false, false, true}: "blue", {true, true, false}: "yellow",
		{false, false, false}: "black",
	}[[3]bool{r > 0x8000, g > 0x8000, b > 0x8000}]
}

func jpegOf(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, img, &jpeg.Options{Quality: 95}); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func pngOf(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// exif returns EXIF data with an orientation and, before it, another entry.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order.AppendUint16(nil, 1)[0] == 0 {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for _, entry := range [][2]uint16{{0x010f, 7}, {orientationTag, orientation}} {
		b = order.AppendUint16(b, entry[0])
		b = order.AppendUint16(b, 3)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, entry[1])
		b = order.AppendUint16(b, 0)
	}
	return b
}

// withJPEGSegment puts a segment behind the start of a JPEG.
func withJPEGSegment(file []byte, marker byte, data []byte) []byte {
	out := append([]byte{}, file[:2]...)
	out = append(out, 0xff, marker)
	out = binary.BigEndian.AppendUint16(out, uint16(len(data)+2))
	return append(append(out, data...), file[2:]...)
}

// withPNGChunk puts a chunk behind the header of a PNG.
func withPNGChunk(file []byte, id string, data []byte) []byte {
	const header = 8 + 25
	out := append([]byte{}, file[:header]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
	out = append(append(out, id...), data...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(append([]byte(id), data...)))
	return append(out, file[header:]...)
}

// gifOf is an animation of the images, each with the delay of its number.
func gifOf(tb testing.TB, frames ...*image.Paletted) []byte {
	tb.Helper()
	all := &gif.GIF{}
	for i, frame := range frames {
		all.Image = append(all.Image, frame)
		all.Delay = append(all.Delay, 10+i)
		all.Disposal = append(all.Disposal, gif.DisposalNone)
	}
	all.Config = image.Config{ColorModel: frames[0].Palette, Width: frames[0].Rect.Max.X, Height: frames[0].Rect.Max.Y}
	var buf bytes.Buffer
	if err := gif.EncodeAll(&buf, all); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

var palette = color.Palette{red, green, blue, yellow, color.RGBA{}}

// paletted is an image of the colours of palette.
func paletted(img image.Image) *image.Paletted {
	out := image.NewPaletted(img.Bounds(), palette)
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			out.Set(x, y, img.At(x, y))
		}
	}
	return out
}

// plain is a frame of one colour.
func plain(r image.Rectangle, index uint8) *image.Paletted {
	out := image.NewPaletted(r, palette)
	for i := range out.Pix {
		out.Pix[i] = index
	}
	return out
}

// vp8l is a lossless WebP bitstream, red in its left half and yellow in its right.
func vp8l(w, h int) []byte {
	var out []byte
	var bits uint64
	n := 0
	put := func(value uint64, size int) {
		bits |= value << n
		for n += size; n >= 8; n -= 8 {
			out = append(out, byte(bits))
			bits >>= 8
		}
	}
	put(0x2f, 8)
	put(uint64(w-1), 14)
	put(uint64(h-1), 14)
	put(0, 1+3)   // no alpha, version
	put(0, 1+1+1) // no transform, no colour cache, one set of codes
	code := func(symbols ...uint64) {
		put(1, 1)
		put(uint64(len(symbols)-1), 1)
		put(1, 1)
		for _, symbol := range symbols {
			put(symbol, 8)
		}
	}
	code(0, 255) // green
	code(255)    // red
	code(0)      // blue
	code(255)    // alpha
	code(0)      // distance
	for range h {
		for x := range w {
			put(uint64(2*x/w), 1)
		}
	}
	put(0, 8)
	return out
}

// webpOf is a WebP file of chunks, each an ID and its content.
func webpOf(chunks ...any) []byte {
	out := []byte("RIFF\x00\x00\x00\x00WEBP")
	for i := 0; i < len(chunks); i += 2 {
		out = append(out, webpChunk(chunks[i].(string), chunks[i+1].([]byte))...)
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

func webpChunk(id string, data []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(data)))
	out = append(out, data...)
	if len(data)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

// vp8x is the content of the chunk that says size and features.
func vp8x(flags byte, w, h int) []byte {
	return []byte{flags, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), 0, byte(h - 1), byte((h - 1) >> 8), 0}
}

// anmf is the content of the chunk of a frame.
func anmf(x, y, w, h int) []byte {
	head := []byte{byte(x / 2), 0, 0, byte(y / 2), 0, 0, byte(w - 1), byte((w - 1) >> 8), 0, byte(h - 1), byte((h - 1) >> 8), 0, 100, 0, 0, 0}
	return append(head, webpChunk("VP8L", vp8l(w, h))...)
}
