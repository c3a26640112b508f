package thumbnail

import (
	"image"
	"image/color"
	"image/draw"
)

// shrink makes one pixel of the mean of each square of times by times pixels of
// a region. What is left over at the right and the bottom is dropped.
func shrink(img image.Image, region image.Rectangle, times int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, region.Dx()/times, region.Dy()/times))
	if photo, ok := img.(*image.YCbCr); ok {
		shrinkYCbCr(out, photo, region.Min, times)
	} else {
		shrinkAny(out, img, region.Min, times)
	}
	return out
}

// shrinkAny goes through the image in strips that are converted by the fast
// paths of image/draw.
func shrinkAny(out *image.RGBA, img image.Image, from image.Point, times int) {
	width, height := out.Rect.Dx(), out.Rect.Dy()
	strip := image.NewRGBA(image.Rect(0, 0, width*times, times))
	sums := make([]uint32, 4*width)
	area := uint32(times * times) //nolint:gosec // images are smaller
	for y := range height {
		draw.Draw(strip, strip.Rect, img, from.Add(image.Pt(0, y*times)), draw.Src)
		clear(sums)
		for row := range times {
			pix := strip.Pix[row*strip.Stride:]
			for x := 0; x < len(sums); x += 4 {
				var r, g, b, a uint32
				for range times {
					r += uint32(pix[0])
					g += uint32(pix[1])
					b += uint32(pix[2])
					a += uint32(pix[3])
					pix = pix[4:]
				}
				sum := sums[x : x+4 : x+4]
				sum[0] += r
				sum[1] += g
				sum[2] += b
				sum[3] += a
			}
		}
		line := out.Pix[y*out.Stride:][:len(sums)]
		for i, sum := range sums {
			line[i] = uint8((sum + area/2) / area) //nolint:gosec // a mean of bytes
		}
	}
}

// shrinkYCbCr takes the means of brightness and colour apart, each of the samples
// there are, which are fewer for colour, and converts only those. Photos come
// this way, and this is half the work.
func shrinkYCbCr(out *image.RGBA, img *image.YCbCr, from image.Point, times int) {
	across, down := 1, 1 // pixels that share a sample of colour
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		across = 2
	case image.YCbCrSubsampleRatio420:
		across, down = 2, 2
	case image.YCbCrSubsampleRatio440:
		down = 2
	case image.YCbCrSubsampleRatio411:
		across = 4
	case image.YCbCrSubsampleRatio410:
		across, down = 4, 2
	}
	width, height := out.Rect.Dx(), out.Rect.Dy()
	bright := plane{img.Y, img.YStride, spans(from.X-img.Rect.Min.X, times, 1, width), make([]uint8, width)}
	colours := spans(from.X-img.Rect.Min.X, times, across, width)
	cb := plane{img.Cb, img.CStride, colours, make([]uint8, width)}
	cr := plane{img.Cr, img.CStride, colours, make([]uint8, width)}
	rows, colourRows := spans(from.Y-img.Rect.Min.Y, times, 1, height), spans(from.Y-img.Rect.Min.Y, times, down, height)
	for y := range height {
		bright.average(rows[y])
		cb.average(colourRows[y])
		cr.average(colourRows[y])
		line := out.Pix[y*out.Stride:][:4*width]
		for x, luma := range bright.means {
			pixel := line[4*x : 4*x+4 : 4*x+4]
			pixel[0], pixel[1], pixel[2] = color.YCbCrToRGB(luma, cb.means[x], cr.means[x])
			pixel[3] = 0xff
		}
	}
}

// span is a range of samples.
type span struct{ from, to int }

// spans returns for each of n pixels which samples it is the mean of: those of
// the times pixels it takes the place of, where shared pixels have one sample.
func spans(from, times, shared, n int) []span {
	all := make([]span, n)
	for i := range all {
		first := from + i*times
		all[i] = span{first / shared, (first+times-1)/shared + 1}
	}
	return all
}

// plane is one component of an image.
type plane struct {
	samples []uint8
	stride  int
	columns []span
	means   []uint8 // of the rows averaged last, one for each of columns
}

func (p *plane) average(rows span) {
	for i, column := range p.columns {
		var sum uint32
		for row := rows.from; row < rows.to; row++ {
			for _, v := range p.samples[row*p.stride+column.from : row*p.stride+column.to] {
				sum += uint32(v)
			}
		}
		n := uint32((column.to - column.from) * (rows.to - rows.from)) //nolint:gosec // images are smaller
		p.means[i] = uint8((sum + n/2) / n)                            //nolint:gosec // a mean of bytes
	}
}
