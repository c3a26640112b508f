package api

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	_ "golang.org/x/image/webp"

	"github.com/ca4c8834/homeserver/internal/content"
	"github.com/ca4c8834/homeserver/internal/mxerr"
)

const thumbnails = "/_matrix/client/v1/media/thumbnail/example.org/"

// halves is an image that is red above and blue below.
func halves(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{255, 0, 0, 255}), image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(0, h/2, w, h), image.NewUniform(color.RGBA{0, 0, 255, 255}), image.Point{}, draw.Src)
	return img
}

func pngFile(t *testing.T, w, h int) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, halves(w, h)); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// jpegFile is a photo that was taken with the camera on its side.
func jpegFile(t *testing.T, w, h int, orientation byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, halves(w, h), nil); err != nil {
		t.Fatal(err)
	}
	exif := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(orientation) + "\x00\x00\x00\x00\x00\x00"
	return append([]byte("\xff\xd8\xff\xe1\x00"+string(rune(len(exif)+2))+exif), buf.Bytes()[2:]...)
}

// gifFile is an animation of three frames.
func gifFile(t *testing.T, w, h int) []byte {
	t.Helper()
	all := &gif.GIF{}
	for i := range 3 {
		frame := image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.Black, color.White, color.RGBA{255, 0, 0, 255}})
		for j := range frame.Pix {
			frame.Pix[j] = uint8(i)
		}
		all.Image, all.Delay = append(all.Image, frame), append(all.Delay, 10)
	}
	var buf bytes.Buffer
	if err := gif.EncodeAll(&buf, all); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// webpFile is a lossless WebP of 64 by 64 red pixels.
func webpFile(t *testing.T) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvP8APAChA/wvQ/wIAAA==")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// picture decodes an answer.
func picture(t *testing.T, w *httptest.ResponseRecorder) (img image.Image, contentType string) {
	t.Helper()
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	img, kind, err := image.Decode(bytes.NewReader(w.Body.Bytes()))
	contentType = w.Header().Get("Content-Type")
	if err != nil || contentType != "image/"+kind {
		t.Fatalf("%s that is %q: %v", contentType, kind, err)
	}
	wantSafe(t, w.Header())
	return img, contentType
}

// MEDIA-50 to MEDIA-55, MEDIA-57: sizes, types and dispositions, on both endpoints.
func TestThumbnails(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	photo, lying := jpegFile(t, 1000, 500, 1), jpegFile(t, 1000, 500, 6)
	files := map[string]string{
		"photo": s.upload("image/jpeg", "?filename=photo.jpg", string(photo)),
		"lying": s.upload("image/jpeg", "", string(lying)),
		"png":   s.upload("img/png", "", string(pngFile(t, 1000, 500))),
		"gif":   s.upload("image/gif", "", string(gifFile(t, 1000, 500))),
		"webp":  s.upload("text/html", "", string(webpFile(t))), // by what it is, not by what it is called
	}
	for _, tt := range []struct {
		file, query string
		size        image.Point
	}{
		{"photo", "width=32&height=32&method=crop", image.Pt(32, 32)},
		{"photo", "width=96&height=96&method=crop", image.Pt(96, 96)},
		{"photo", "width=320&height=240&method=scale", image.Pt(480, 240)},
		{"photo", "width=300&height=200", image.Pt(480, 240)}, // scale is the default
		{"photo", "width=640&height=480&method=scale", image.Pt(960, 480)},
		{"photo", "width=100&height=50&method=crop", image.Pt(320, 160)},
		{"photo", "width=5000&height=5000", image.Pt(1000, 500)},
		{"photo", "width=1001&height=1&method=crop", image.Pt(1000, 500)},
		{"lying", "width=96&height=96&method=scale", image.Pt(96, 192)},
		{"lying", "width=96&height=96&method=crop", image.Pt(96, 96)},
		{"png", "width=32&height=32&method=crop", image.Pt(32, 32)},
		{"gif", "width=32&height=32&method=crop", image.Pt(32, 32)},
		{"webp", "width=32&height=32&method=crop", image.Pt(32, 32)},
		{"webp", "width=64&height=65&method=crop", image.Pt(64, 64)},
	} {
		for _, path := range []string{thumbnails, "/_matrix/media/v3/thumbnail/example.org/", "/_matrix/media/r0/thumbnail/example.org/"} {
			w := do(s, "GET", path+files[tt.file]+"?"+tt.query, "alice", "")
			img, contentType := picture(t, w)
			if got := img.Bounds().Size(); got != tt.size {
				t.Errorf("%s %s: %v", tt.file, tt.query, got)
			}
			if got := w.Header().Get("Content-Disposition"); got != "inline; filename=thumbnail."+strings.TrimPrefix(contentType, "image/") { // MEDIA-55
				t.Errorf("%s %s: %q", tt.file, tt.query, got)
			}
		}
	}
	img, _ := picture(t, do(s, "GET", thumbnails+files["lying"]+"?width=96&height=96&method=scale", "alice", ""))
	left, right := color.RGBAModel.Convert(img.At(10, 90)).(color.RGBA), color.RGBAModel.Convert(img.At(85, 90)).(color.RGBA)
	if left.B < 200 || left.R > 60 || right.R < 200 || right.B > 60 {
		t.Errorf("MEDIA-57: left %v, right %v", left, right)
	}
	w := do(s, "GET", thumbnails+files["photo"]+"?width=1001&height=1001", "alice", "")
	if !bytes.Equal(w.Body.Bytes(), photo) { // MEDIA-52
		t.Error("not the original")
	}
}

// MEDIA-56: moving if asked for, still if not.
func TestAnimatedThumbnails(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	large, small := s.upload("image/gif", "", string(gifFile(t, 400, 400))), s.upload("image/gif", "", string(gifFile(t, 40, 40)))
	for query, frames := range map[string]int{"": 0, "&animated=false": 0, "&animated=true": 3} {
		for _, id := range []string{large, small} {
			w := do(s, "GET", thumbnails+id+"?width=96&height=96&method=crop"+query, "alice", "")
			img, contentType := picture(t, w)
			if frames == 0 {
				if contentType == "image/gif" {
					t.Errorf("%q moves", query)
				}
				continue
			}
			all, err := gif.DecodeAll(bytes.NewReader(w.Body.Bytes()))
			if err != nil || len(all.Image) != frames || all.Image[0].Bounds() != img.Bounds() {
				t.Errorf("%q: %d frames, %v", query, len(all.Image), err)
			}
		}
	}
	photo := s.upload("image/png", "", string(pngFile(t, 400, 400)))
	if _, contentType := picture(t, do(s, "GET", thumbnails+photo+"?width=96&height=96&animated=true", "alice", "")); contentType != "image/jpeg" {
		t.Error(contentType)
	}
}

// MEDIA-51, MEDIA-58: what a request must say and what cannot be thumbnailed.
func TestThumbnailRefusals(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id, text := s.upload("image/png", "", string(pngFile(t, 100, 100))), s.upload("image/png", "", "no image at all")
	svg := s.upload("image/svg+xml", "", `<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>`)
	whole := jpegFile(t, 600, 600, 1)
	broken := s.upload("image/jpeg", "", string(whole[:len(whole)/2]))
	const size = "?width=32&height=32"
	for _, tt := range []struct {
		id, query string
		status    int
		code      mxerr.Code
	}{
		{id, "", 400, mxerr.MMissingParam},
		{id, "?width=32", 400, mxerr.MMissingParam},
		{id, "?height=32", 400, mxerr.MMissingParam},
		{id, "?width=0&height=32", 400, mxerr.MInvalidParam},
		{id, "?width=32&height=-1", 400, mxerr.MInvalidParam},
		{id, "?width=1.5&height=32", 400, mxerr.MInvalidParam},
		{id, "?width=x&height=32", 400, mxerr.MInvalidParam},
		{id, size + "&method=stretch", 400, mxerr.MInvalidParam},
		{id, size + "&animated=maybe", 400, mxerr.MInvalidParam},
		{text, size, 400, mxerr.MUnknown},
		{svg, size, 400, mxerr.MUnknown},
		{broken, size, 400, mxerr.MUnknown},
		{broken, size, 400, mxerr.MUnknown},
		{"UNKNOWNUNKNOWNUNKNOWN", size, 404, mxerr.MNotFound},
	} {
		for _, path := range []string{thumbnails, "/_matrix/media/v3/thumbnail/example.org/"} {
			want(t, do(s, "GET", path+tt.id+tt.query, "alice", ""), tt.status, tt.code)
		}
	}
	if m, err := s.API.Content.Medium(t.Context(), broken); err != nil || !m.Broken {
		t.Errorf("a broken image is not remembered: %v %v", m, err)
	}
	w := do(s, "GET", downloads+broken, "alice", "")
	if w.Code != 200 || w.Body.Len() != len(whole)/2 {
		t.Errorf("the content itself: %d", w.Code)
	}
	s.wantNoGarbage()
}

// MEDIA-58, MEDIA-59: a bomb is refused by its head: 413, and its content is still there.
func TestImageBombs(t *testing.T) {
	t.Parallel()
	bomb := pngFile(t, 1, 1)
	binary.BigEndian.PutUint32(bomb[16:], 50_000)
	binary.BigEndian.PutUint32(bomb[20:], 50_000)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
	s := newRepository(t, nil)
	id := s.upload("image/png", "", string(bomb))
	for range 2 {
		want(t, do(s, "GET", thumbnails+id+"?width=32&height=32", "alice", ""), 413, mxerr.MTooLarge)
	}
	s.wantContent(id, string(bomb))

	small := newRepository(t, func(c *content.Config) { c.MaxPixels = 99 * 100 })
	id = small.upload("image/png", "", string(pngFile(t, 100, 100)))
	want(t, do(small, "GET", thumbnails+id+"?width=32&height=32", "alice", ""), 413, mxerr.MTooLarge)
	id = small.upload("image/png", "", string(pngFile(t, 100, 99)))
	picture(t, do(small, "GET", thumbnails+id+"?width=32&height=32", "alice", ""))
}

// A thumbnail is made once, however many ask for it, kept, and rounded to what is prepared.
func TestThumbnailsAreMadeOnce(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.upload("image/jpeg", "", string(jpegFile(t, 2000, 1500, 1)))
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			w := do(s, "GET", fmt.Sprintf("%s%s?width=%d&height=%d&method=scale", thumbnails, id, 700+i, 500+i), "alice", "")
			if w.Code != 200 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	if n := s.blobs.count(); n != 2 {
		t.Errorf("%d blobs for one image and one thumbnail", n)
	}
	s.wantNoGarbage()
}

// Nobody fills the disk with sizes: an image has so many thumbnails and no more.
func TestTooManyThumbnails(t *testing.T) {
	t.Parallel()
	s := newRepository(t, nil)
	id := s.upload("image/png", "", string(pngFile(t, 150, 150)))
	get := func(width, height int) *httptest.ResponseRecorder {
		q := url.Values{"width": {fmt.Sprint(width)}, "height": {fmt.Sprint(height)}, "method": {"crop"}}
		return do(s, "GET", thumbnails+id+"?"+q.Encode(), "alice", "")
	}
	made := 0
	for width := 100; width < 150; width++ {
		if w := get(width, 149); w.Code == 200 {
			made++
		} else {
			want(t, w, 400, mxerr.MUnknown)
		}
	}
	if made != 48 {
		t.Errorf("%d thumbnails", made)
	}
	picture(t, get(100, 149))  // those that are there
	picture(t, get(1000, 149)) // and the original
}
