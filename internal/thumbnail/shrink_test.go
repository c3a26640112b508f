package thumbnail

import (
	"image"
	"testing"
)

// Means of brightness and colour taken apart are those of the pixels, however colour is sampled.
func TestShrinkYCbCr(t *testing.T) {
	t.Parallel()
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		img := image.NewYCbCr(image.Rect(0, 0, 203, 151), ratio)
		for y := range 151 {
			for x := range 203 {
				img.Y[img.YOffset(x, y)] = uint8(40 + x/2 + y/3)
				img.Cb[img.COffset(x, y)] = uint8(100 + x/4)
				img.Cr[img.COffset(x, y)] = uint8(100 + y/4)
			}
		}
		for _, times := range []int{2, 3, 5, 7} {
			region := image.Rect(11, 3, 203, 150)
			got := shrink(img, region, times)
			want := image.NewRGBA(got.Rect)
			shrinkAny(want, img, region.Min, times)
			for i, v := range want.Pix {
				if d := int(got.Pix[i]) - int(v); d < -4 || d > 4 {
					t.Fatalf("%v by %d: byte %d is %d, want %d", ratio, times, i, got.Pix[i], v)
				}
			}
		}
	}
}
