package thumbnail

import (
	"errors"
	"image"

	"golang.org/x/image/draw"
)

var errSize = errors.New("the image has another size than it says")

// render makes the thumbnail of a decoded image.
func render(img image.Image, info Info, plan Request) (*image.RGBA, error) {
	width, height := plan.size(info)
	lying := info.orientation > 4
	shown := img.Bounds().Size()
	if lying {
		width, height = height, width
		shown.X, shown.Y = shown.Y, shown.X
	}
	if shown != image.Pt(info.Width, info.Height) {
		return nil, errSize
	}
	region := img.Bounds()
	if plan.Crop {
		region = center(region, width, height)
	}
	if times := min(region.Dx()/width, region.Dy()/height); times > 1 {
		img = shrink(img, region, times)
		region = img.Bounds()
	}
	small := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.ApproxBiLinear.Scale(small, small.Rect, img, region, draw.Src, nil)
	return turn(small, info.orientation), nil
}

// center returns the largest rectangle with the ratio of width and height in the
// middle of r.
func center(r image.Rectangle, width, height int) image.Rectangle {
	size := r.Size()
	if size.X*height > size.Y*width {
		size.X = max(size.Y*width/height, 1)
	} else {
		size.Y = max(size.X*height/width, 1)
	}
	at := r.Min.Add(r.Size().Sub(size).Div(2))
	return image.Rectangle{at, at.Add(size)}
}

// turn returns the image as an EXIF orientation wants it to be shown.
func turn(img *image.RGBA, orientation int) *image.RGBA {
	if orientation < 2 || orientation > 8 {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	size := image.Rect(0, 0, w, h)
	if orientation > 4 {
		size = image.Rect(0, 0, h, w)
	}
	out := image.NewRGBA(size)
	for y := range h {
		for x := range w {
			tx, ty := x, y
			switch orientation {
			case 2:
				tx = w - 1 - x
			case 3:
				tx, ty = w-1-x, h-1-y
			case 4:
				ty = h - 1 - y
			case 5:
				tx, ty = y, x
			case 6:
				tx, ty = h-1-y, x
			case 7:
				tx, ty = h-1-y, w-1-x
			case 8:
				tx, ty = y, w-1-x
			}
			copy(out.Pix[ty*out.Stride+4*tx:][:4], img.Pix[y*img.Stride+4*x:][:4])
		}
	}
	return out
}
