package thumbnail

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newMaker() *Maker { return NewMaker(50<<20, 256<<20, time.Minute) }

// thumb makes the thumbnail of a file and decodes it; nil if the original is the answer.
func thumb(t *testing.T, file []byte, r Request) (image.Image, string) {
	t.Helper()
	info, err := Inspect(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	plan, ok := info.Plan(r)
	if !ok {
		return nil, ""
	}
	small, err := newMaker().Make(t.Context(), bytes.NewReader(file), info, plan)
	if err != nil {
		t.Fatal(err)
	}
	img, kind, err := image.Decode(bytes.NewReader(small.Bytes))
	if err != nil || "image/"+kind != small.Type {
		t.Fatalf("%s is %q: %v", small.Type, kind, err)
	}
	return img, small.Type
}

// MEDIA-52, MEDIA-53, MEDIA-54, MEDIA-56: what is made of an image of a size for a request.
func TestPlan(t *testing.T) {
	t.Parallel()
	still := Info{Type: typePNG}
	moving := Info{Type: typeGIF, Animated: true}
	apng := Info{Type: typeAPNG, Animated: true}
	tests := []struct {
		name string
		info Info
		w, h int // of the image
		ask  Request
		want Request // zero: the original
		size [2]int  // of the thumbnail
	}{
		{"32x32, crop", still, 1000, 500, Request{32, 32, true, false}, Request{32, 32, true, false}, [2]int{32, 32}},
		{"96x96, crop", still, 1000, 500, Request{96, 96, true, false}, Request{96, 96, true, false}, [2]int{96, 96}},
		{"320x240, scale", still, 1000, 500, Request{320, 240, false, false}, Request{320, 240, false, false}, [2]int{480, 240}},
		{"640x480, scale", still, 1000, 750, Request{640, 480, false, false}, Request{640, 480, false, false}, [2]int{640, 480}},
		{"800x600, scale", still, 3000, 1000, Request{800, 600, false, false}, Request{800, 600, false, false}, [2]int{1800, 600}},
		{"the next larger prepared size", still, 4000, 3000, Request{700, 500, false, false}, Request{800, 600, false, false}, [2]int{800, 600}},
		{"one pixel more than a prepared size", still, 4000, 3000, Request{801, 600, false, false}, Request{1600, 1200, false, false}, [2]int{1600, 1200}},
		{"a dimension is rounded up, never down", still, 1001, 999, Request{32, 32, false, false}, Request{32, 32, false, false}, [2]int{33, 32}},
		{"crop keeps the ratio that is asked for", still, 4000, 3000, Request{100, 50, true, false}, Request{320, 160, true, false}, [2]int{320, 160}},
		{"crop to an odd ratio", still, 4000, 3000, Request{101, 57, true, false}, Request{404, 228, true, false}, [2]int{404, 228}},
		{"crop larger than any prepared size", still, 4000, 3000, Request{2000, 100, true, false}, Request{2000, 100, true, false}, [2]int{2000, 100}},
		{"crop where the prepared size would be larger than the image", still, 300, 300, Request{200, 200, true, false}, Request{200, 200, true, false}, [2]int{200, 200}},
		{"scale where the prepared size would be larger than the image", still, 750, 1000, Request{700, 500, false, false}, Request{}, [2]int{}},
		{"larger than any prepared size: the original", still, 4000, 3000, Request{2000, 1500, false, false}, Request{2000, 1500, false, false}, [2]int{2000, 1500}},
		{"never upscaled: smaller in both", still, 20, 20, Request{32, 32, true, false}, Request{}, [2]int{}},
		{"never upscaled: smaller in width", still, 20, 2000, Request{32, 32, false, false}, Request{}, [2]int{}},
		{"never upscaled: smaller in height", still, 2000, 20, Request{32, 32, true, false}, Request{}, [2]int{}},
		{"exactly as large", still, 96, 96, Request{96, 96, true, false}, Request{}, [2]int{}},
		{"nothing to gain", still, 3000, 600, Request{800, 600, false, false}, Request{}, [2]int{}},
		{"absurd request", still, 3000, 600, Request{1 << 40, 1 << 40, true, false}, Request{}, [2]int{}},
		{"animated=true of a still image", still, 1000, 500, Request{96, 96, true, true}, Request{96, 96, true, false}, [2]int{96, 96}},
		{"animated=true of a GIF", moving, 1000, 500, Request{96, 96, true, true}, Request{96, 96, true, true}, [2]int{96, 96}},
		{"animated=true of a small GIF", moving, 50, 50, Request{96, 96, true, true}, Request{}, [2]int{}},
		{"animated=true of what only the original shows", apng, 1000, 500, Request{96, 96, true, true}, Request{}, [2]int{}},
		{"animated=false of a GIF", moving, 1000, 500, Request{96, 96, true, false}, Request{96, 96, true, false}, [2]int{96, 96}},
		{"animated=false of a small GIF: still, and as large", moving, 50, 40, Request{96, 96, true, false}, Request{50, 40, false, false}, [2]int{50, 40}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.info.Width, tt.info.Height = tt.w, tt.h
			plan, ok := tt.info.Plan(tt.ask)
			if !ok {
				plan = Request{}
			}
			if diff := cmp.Diff(tt.want, plan); diff != "" {
				t.Fatal(diff)
			}
			if w, h := plan.size(tt.info); ok && [2]int{w, h} != tt.size {
				t.Errorf("%d by %d, want %v", w, h, tt.size)
			}
		})
	}
}

// MEDIA-53, CON-7, as a property: whatever is asked for, a thumbnail is never smaller, never larger than the image, and keeps
// the ratio it should.
func TestPlanIsNeverSmaller(t *testing.T) {
	t.Parallel()
	sizes := []int{1, 2, 31, 32, 33, 97, 240, 321, 600, 801, 1201, 1600, 1700, 5000}
	for _, w := range sizes {
		for _, h := range sizes {
			info := Info{Type: typePNG, Width: w, Height: h}
			for _, rw := range sizes {
				for _, rh := range sizes {
					for _, crop := range []bool{true, false} {
						plan, ok := info.Plan(Request{Width: rw, Height: rh, Crop: crop})
						if !ok {
							if crop && w >= rw && h >= rh && w*rh != h*rw {
								t.Fatalf("%dx%d is not cropped to %dx%d", w, h, rw, rh)
							}
							continue
						}
						tw, th := plan.size(info)
						switch {
						case tw < rw || th < rh || tw > w || th > h:
							t.Fatalf("%dx%d for %dx%d of %dx%d", tw, th, rw, rh, w, h)
						case crop && tw*rh != th*rw:
							t.Fatalf("%dx%d has not the ratio of %dx%d", tw, th, rw, rh)
						case !crop && (tw-1)*h >= (th+1)*w, !crop && (th-1)*w >= (tw+1)*h:
							t.Fatalf("%dx%d has not the ratio of the image, %dx%d", tw, th, w, h)
						}
					}
				}
			}
		}
	}
}

// MEDIA-55, MEDIA-57: JPEG, PNG, GIF and WebP become JPEG or, with transparent pixels, PNG.
func TestFormats(t *testing.T) {
	t.Parallel()
	clear := quadrants(200, 100)
	for x := range 100 {
		for y := range 50 {
			clear.Set(x, y, color.RGBA{})
		}
	}
	all := [4]string{"red", "green", "blue", "yellow"}
	halves := [4]string{"red", "yellow", "red", "yellow"}
	deep := image.NewNRGBA64(image.Rect(0, 0, 200, 100))
	draw.Draw(deep, deep.Rect, quadrants(200, 100), image.Point{}, draw.Src)
	for _, tt := range []struct {
		name    string
		file    []byte
		kind    string
		corners [4]string
	}{
		{"JPEG", jpegOf(t, quadrants(200, 100)), "image/jpeg", all},
		{"PNG", pngOf(t, quadrants(200, 100)), "image/jpeg", all},
		{"PNG of 16 bits", pngOf(t, deep), "image/jpeg", all},
		{"PNG with a palette", pngOf(t, paletted(quadrants(200, 100))), "image/jpeg", all},
		{"PNG with transparent pixels", pngOf(t, clear), "image/png", [4]string{"clear", "green", "blue", "yellow"}},
		{"GIF", gifOf(t, paletted(quadrants(200, 100))), "image/jpeg", all},
		{"WebP, lossless", webpOf("VP8L", vp8l(200, 100)), "image/jpeg", halves},
		{"WebP, extended", webpOf("VP8X", vp8x(0, 200, 100), "VP8L", vp8l(200, 100)), "image/jpeg", halves},
	} {
		for _, r := range []Request{{32, 16, true, false}, {96, 48, true, false}, {32, 16, false, false}} {
			t.Run(fmt.Sprint(tt.name, r), func(t *testing.T) {
				t.Parallel()
				img, kind := thumb(t, tt.file, r)
				if kind != tt.kind {
					t.Errorf("type %s, want %s", kind, tt.kind)
				}
				if diff := cmp.Diff(tt.corners, corners(img)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// MEDIA-53: crop takes the middle.
func TestCropTakesTheMiddle(t *testing.T) {
	t.Parallel()
	img := image.NewRGBA(image.Rect(0, 0, 300, 100)) // red, then four quadrants, then red
	draw.Draw(img, img.Rect, image.NewUniform(red), image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(100, 0, 200, 100), quadrants(100, 100), image.Point{}, draw.Src)
	for _, r := range []Request{{32, 32, true, false}, {96, 96, true, false}} {
		got, _ := thumb(t, pngOf(t, img), r)
		if got.Bounds().Size() != image.Pt(r.Width, r.Height) {
			t.Errorf("size %v", got.Bounds())
		}
		if diff := cmp.Diff([4]string{"red", "green", "blue", "yellow"}, corners(got)); diff != "" {
			t.Error(diff)
		}
	}
}

// MEDIA-57: EXIF orientation, in each of its eight values, both byte orders and every format that carries it.
func TestOrientation(t *testing.T) {
	t.Parallel()
	want := map[uint16][4]string{
		1: {"red", "green", "blue", "yellow"},
		2: {"green", "red", "yellow", "blue"},
		3: {"yellow", "blue", "green", "red"},
		4: {"blue", "yellow", "red", "green"},
		5: {"red", "blue", "green", "yellow"},
		6: {"blue", "red", "yellow", "green"},
		7: {"yellow", "green", "blue", "red"},
		8: {"green", "yellow", "red", "blue"},
		9: {"red", "green", "blue", "yellow"},
		0: {"red", "green", "blue", "yellow"},
	}
	for o, corner := range want {
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			data := exif(order, o)
			for name, file := range map[string][]byte{
				"JPEG": withJPEGSegment(withJPEGSegment(jpegOf(t, quadrants(400, 200)), 0xe1, append([]byte("Exif\x00\x00"), data...)), 0xe0, []byte("JFIF\x00")),
				"PNG":  withPNGChunk(pngOf(t, quadrants(400, 200)), "eXIf", data),
			} {
				t.Run(fmt.Sprint(name, o, order), func(t *testing.T) {
					t.Parallel()
					info, err := Inspect(bytes.NewReader(file))
					if err != nil {
						t.Fatal(err)
					}
					lying := o >= 5 && o <= 8
					if w, h := info.Width, info.Height; lying != (w == 200 && h == 400) || !lying != (w == 400 && h == 200) {
						t.Errorf("size %d by %d", w, h)
					}
					for _, r := range []Request{{96, 96, false, false}, {96, 96, true, false}} {
						img, _ := thumb(t, file, r)
						if size := img.Bounds().Size(); !r.Crop && (size.X < size.Y) != lying {
							t.Errorf("thumbnail of %v", size)
						}
						if diff := cmp.Diff(corner, corners(img)); diff != "" {
							t.Error(diff)
						}
					}
				})
			}
		}
	}
	file := webpOf("VP8X", vp8x(1<<3, 200, 100), "VP8L", vp8l(200, 100), "EXIF", exif(binary.LittleEndian, 6))
	img, _ := thumb(t, file, Request{32, 32, true, false})
	if diff := cmp.Diff([4]string{"red", "red", "yellow", "yellow"}, corners(img)); diff != "" {
		t.Errorf("WebP: %s", diff)
	}
}

// MEDIA-56: an animation stays one if that is asked for, with its frames, times and what each covers.
func TestAnimatedGIF(t *testing.T) {
	t.Parallel()
	file := gifOf(t,
		paletted(quadrants(200, 100)),
		plain(image.Rect(0, 0, 100, 50), 3),     // yellow above left
		plain(image.Rect(150, 70, 151, 71), 0),  // one pixel, which vanishes
		plain(image.Rect(100, 50, 200, 100), 2), // blue below right
		plain(image.Rect(100, 50, 200, 100), 4), // nothing
	)
	info, err := Inspect(bytes.NewReader(file))
	if err != nil || !info.Animated {
		t.Fatal(info, err)
	}
	small, err := newMaker().Make(t.Context(), bytes.NewReader(file), info, Request{64, 32, true, true})
	if err != nil || small.Type != "image/gif" {
		t.Fatal(small.Type, err)
	}
	all, err := gif.DecodeAll(bytes.NewReader(small.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	if all.Config.Width != 64 || all.Config.Height != 32 {
		t.Errorf("%d by %d", all.Config.Width, all.Config.Height)
	}
	if diff := cmp.Diff([]int{10, 11 + 12, 13, 14}, all.Delay); diff != "" {
		t.Error(diff)
	}
	var rects []string
	for _, frame := range all.Image {
		rects = append(rects, frame.Rect.String())
	}
	if diff := cmp.Diff([]string{"(0,0)-(64,32)", "(0,0)-(32,16)", "(32,16)-(64,32)", "(32,16)-(64,32)"}, rects); diff != "" {
		t.Fatal(diff)
	}
	for i, want := range [][4]string{
		{"red", "green", "blue", "yellow"}, {"yellow", "yellow", "yellow", "yellow"},
		{"blue", "blue", "blue", "blue"}, {"clear", "clear", "clear", "clear"},
	} {
		if diff := cmp.Diff(want, corners(all.Image[i])); diff != "" {
			t.Errorf("frame %d: %s", i, diff)
		}
	}

	img, kind := thumb(t, file, Request{32, 16, true, false})
	if kind != "image/jpeg" || corners(img) != [4]string{"red", "green", "blue", "yellow"} {
		t.Errorf("still image: %s %v", kind, corners(img))
	}
}

// A first frame that does not cover the image is put where it belongs.
func TestGIFWithSmallFirstFrame(t *testing.T) {
	t.Parallel()
	all := &gif.GIF{
		Image: []*image.Paletted{plain(image.Rect(100, 0, 200, 50), 0)}, Delay: []int{0},
		Config: image.Config{ColorModel: palette, Width: 200, Height: 100},
	}
	var buf bytes.Buffer
	if err := gif.EncodeAll(&buf, all); err != nil {
		t.Fatal(err)
	}
	img, _ := thumb(t, buf.Bytes(), Request{32, 16, true, false})
	if diff := cmp.Diff([4]string{"clear", "red", "clear", "clear"}, corners(img)); diff != "" {
		t.Error(diff)
	}
}

// A moving image of which some frame is broken is still good for a still one.
func TestBrokenAnimation(t *testing.T) {
	t.Parallel()
	file := gifOf(t, paletted(quadrants(200, 100)), paletted(quadrants(200, 100)), paletted(quadrants(200, 100)))
	file = file[:len(file)-20]
	img, kind := thumb(t, file, Request{32, 16, true, true})
	if kind != "image/jpeg" || corners(img) != [4]string{"red", "green", "blue", "yellow"} {
		t.Errorf("%s %v", kind, corners(img))
	}
}

// MEDIA-56, MEDIA-57: the first frame of an animated WebP or PNG.
func TestAnimatedWebPAndPNG(t *testing.T) {
	t.Parallel()
	const animation = 1 << 1
	file := webpOf("VP8X", vp8x(animation, 200, 100), "ANIM", make([]byte, 6), "ANMF", anmf(100, 50, 100, 50), "ANMF", anmf(0, 0, 200, 100))
	info, err := Inspect(bytes.NewReader(file))
	if err != nil || !info.Animated || info.Type != "image/webp" {
		t.Fatal(info, err)
	}
	img, _ := thumb(t, file, Request{96, 48, true, false})
	for x, want := range map[int]string{20: "clear", 60: "red", 90: "yellow"} {
		if got := name(img.At(x, 36)); got != want {
			t.Errorf("at %d: %s, want %s", x, got, want)
		}
	}

	apng := withPNGChunk(pngOf(t, quadrants(200, 100)), "acTL", []byte{0, 0, 0, 2, 0, 0, 0, 0})
	info, err = Inspect(bytes.NewReader(apng))
	if err != nil || !info.Animated || info.Type != "image/apng" {
		t.Fatal(info, err)
	}
	img, _ = thumb(t, apng, Request{32, 16, true, false})
	if diff := cmp.Diff([4]string{"red", "green", "blue", "yellow"}, corners(img)); diff != "" {
		t.Error(diff)
	}
}

// MEDIA-58: what is no image, or a broken one.
func TestNotAnImage(t *testing.T) {
	t.Parallel()
	whole := jpegOf(t, quadrants(200, 100))
	for name, file := range map[string][]byte{
		"empty": {}, "one byte": {0xff}, "text": []byte("hello, world"), "SVG": []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`),
		"HTML": []byte("<!DOCTYPE html><script>alert(1)</script>"), "zip": []byte("PK\x03\x04 and so on, for a while"),
		"JPEG without anything": []byte("\xff\xd8\xff"), "PNG without anything": []byte("\x89PNG\r\n\x1a\n"),
		"GIF without anything": []byte("GIF89a"), "WebP without anything": []byte("RIFF\x00\x00\x00\x00WEBP"),
		"JPEG without a frame": []byte("\xff\xd8\xff\xda\x00\x02"), "an AVI": []byte("RIFF\x00\x00\x00\x00AVI LIST"),
		"no pixels": append([]byte("GIF89a"), make([]byte, 20)...),
	} {
		if info, err := Inspect(bytes.NewReader(file)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	for n := 700; n < len(whole)-2; n += 97 {
		info, err := Inspect(bytes.NewReader(whole[:n]))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newMaker().Make(t.Context(), bytes.NewReader(whole[:n]), info, Request{32, 32, true, false}); !errors.Is(err, ErrFormat) {
			t.Errorf("truncated after %d bytes: %v", n, err)
		}
	}
}

// MEDIA-58, MEDIA-59: bombs are refused by what they say about themselves, before anything is decoded.
func TestBombs(t *testing.T) {
	t.Parallel()
	bigPNG := pngOf(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	binary.BigEndian.PutUint32(bigPNG[16:], 60_000)
	binary.BigEndian.PutUint32(bigPNG[20:], 60_000)
	binary.BigEndian.PutUint32(bigPNG[29:], checksum(bigPNG[12:29]))
	sof := func(marker byte, w, h uint16) []byte {
		b := []byte{0xff, 0xd8, 0xff, marker, 0, 17, 8}
		b = binary.BigEndian.AppendUint16(b, h)
		b = binary.BigEndian.AppendUint16(b, w)
		return append(b, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda, 0, 2)
	}
	bigGIF := gifOf(t, plain(image.Rect(0, 0, 1, 1), 0))
	binary.LittleEndian.PutUint32(bigGIF[6:], 0xffffffff)
	for name, file := range map[string][]byte{
		"PNG of 3600 megapixels":               bigPNG,
		"JPEG of 4295 megapixels":              sof(0xc0, 65535, 65535),
		"progressive JPEG with too much state": sof(0xc2, 5000, 5000),
		"GIF of 4295 megapixels":               bigGIF,
		"WebP of 268 megapixels":               webpOf("VP8L", vp8lHead(16384, 16384)),
		"WebP that says so in its extension":   webpOf("VP8X", []byte{0, 0, 0, 0, 0xff, 0x7f, 0, 0xff, 0x7f, 0}, "VP8L", vp8lHead(16384, 16384)),
	} {
		info, err := Inspect(bytes.NewReader(file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m := newMaker()
		if err := m.Check(info); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		unread := bytes.NewReader(file)
		if _, err := m.Make(t.Context(), unread, info, Request{32, 32, true, false}); !errors.Is(err, ErrTooLarge) || unread.Len() != len(file) {
			t.Errorf("%s: %v, and %d bytes were read", name, err, len(file)-unread.Len())
		}
	}
	if info, err := Inspect(bytes.NewReader(sof(0xc0, 5000, 5000))); err != nil || newMaker().Check(info) != nil {
		t.Errorf("an ordinary JPEG of 25 megapixels: %v %v", err, newMaker().Check(info))
	}
}

// An animated WebP whose frame says another size than the frame's header, or lies outside.
func TestLyingFrames(t *testing.T) {
	t.Parallel()
	const animation = 1 << 1
	lie := anmf(0, 0, 100, 50)
	copy(lie[16:], webpChunk("VP8L", vp8lHead(16384, 16384)))
	for name, frame := range map[string][]byte{"larger than its header": lie, "outside": anmf(150, 80, 100, 50), "half": anmf(0, 0, 100, 50)[:20]} {
		file := webpOf("VP8X", vp8x(animation, 200, 100), "ANMF", frame)
		info, err := Inspect(bytes.NewReader(file))
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := newMaker().Make(t.Context(), bytes.NewReader(file), info, Request{32, 16, true, false}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An animation of many frames becomes a still image where decoding them would take too much.
func TestTooManyFrames(t *testing.T) {
	t.Parallel()
	frames := make([]*image.Paletted, 30)
	for i := range frames {
		frames[i] = paletted(quadrants(200, 100))
	}
	file := gifOf(t, frames...)
	info, err := Inspect(bytes.NewReader(file))
	if err != nil || info.frames != 30*200*100 {
		t.Fatal(info.frames, err)
	}
	small, err := NewMaker(200*100*29, 256<<20, time.Minute).Make(t.Context(), bytes.NewReader(file), info, Request{32, 16, true, true})
	if err != nil || small.Type != "image/jpeg" {
		t.Error(small.Type, err)
	}
}

// MEDIA-59: bounded in time: the decoder is stopped when its context ends, and the error says so.
func TestMakeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	file := jpegOf(t, quadrants(2000, 1000))
	info, err := Inspect(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	slow := &cancelling{ReadSeeker: bytes.NewReader(file), cancel: cancel, after: 2}
	if _, err := newMaker().Make(ctx, slow, info, Request{32, 32, true, false}); !errors.Is(err, context.Canceled) || errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	hasty := NewMaker(50<<20, 256<<20, time.Nanosecond)
	if _, err := hasty.Make(t.Context(), bytes.NewReader(file), info, Request{32, 32, true, false}); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	broken := &failing{bytes.NewReader(file)}
	if _, err := newMaker().Make(t.Context(), broken, info, Request{32, 32, true, false}); !errors.Is(err, iotest.ErrTimeout) || errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, err := Inspect(broken); !errors.Is(err, iotest.ErrTimeout) || errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

// cancelling ends a context while it is read.
type cancelling struct {
	io.ReadSeeker
	cancel context.CancelFunc
	after  int
}

func (c *cancelling) Read(p []byte) (int, error) {
	if c.after--; c.after == 0 {
		c.cancel()
	}
	return c.ReadSeeker.Read(p)
}

// failing is a disk that does not answer.
type failing struct{ io.ReadSeeker }

func (failing) Read([]byte) (int, error) { return 0, iotest.ErrTimeout }

// MEDIA-59: bounded in concurrency: what does not fit waits, until it fits or its context ends.
func TestMakeWaitsForMemory(t *testing.T) {
	t.Parallel()
	file := jpegOf(t, quadrants(200, 100))
	info, err := Inspect(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	m := newMaker()
	if !m.gate.TryAcquire(m.memory) {
		t.Fatal("the gate is shut")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := m.Make(ctx, bytes.NewReader(file), info, Request{32, 16, true, false}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	m.gate.Release(m.memory)
	if _, err := m.Make(t.Context(), bytes.NewReader(file), info, Request{32, 16, true, false}); err != nil {
		t.Error(err)
	}
	if !m.gate.TryAcquire(m.memory) {
		t.Error("memory is not given back")
	}
}

// Decoders that panic are broken images.
func TestPanickingDecoder(t *testing.T) {
	t.Parallel()
	info := Info{Type: typePNG, Width: 100, Height: 100, orientation: 1, format: &format{
		decode: func(*reading, Info) (image.Image, error) { panic("index out of range") },
	}}
	_, err := newMaker().Make(t.Context(), strings.NewReader(""), info, Request{32, 32, true, false})
	if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "index out of range") {
		t.Error(err)
	}
}
