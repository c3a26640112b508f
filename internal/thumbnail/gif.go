package thumbnail

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/draw"
	"image/gif"
	"io"
)

// describeGIF counts the frames and their pixels.
func describeGIF(r io.ReadSeeker, _ image.Config, info *Info) (perPixel int64, err error) {
	n := 0
	err = gifFrames(bufio.NewReader(r), func(width, height int64) {
		n++
		info.frames += width * height
	})
	info.Animated = n > 1
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // the first frame may be whole
	}
	const perPixelOfFrame, perPixelOfCanvas = 1, 4
	return perPixelOfFrame + perPixelOfCanvas, err
}

var errGIFBlock = errors.New("unknown block")

// gifFrames calls each for every frame, without decoding any.
func gifFrames(r *bufio.Reader, each func(width, height int64)) error {
	var head [13]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	if err := skipGIFColors(r, head[10]); err != nil {
		return err
	}
	for {
		block, err := r.ReadByte()
		if err != nil {
			return err
		}
		const extension, frame, trailer = '!', ',', ';'
		switch block {
		case extension:
			if _, err := r.ReadByte(); err != nil { // its label
				return err
			}
		case frame:
			var at [9]byte
			if _, err := io.ReadFull(r, at[:]); err != nil {
				return err
			}
			each(int64(binary.LittleEndian.Uint16(at[4:])), int64(binary.LittleEndian.Uint16(at[6:])))
			if err := skipGIFColors(r, at[8]); err != nil {
				return err
			}
			if _, err := r.ReadByte(); err != nil { // the size of the codes
				return err
			}
		case trailer:
			return nil
		default:
			return errGIFBlock
		}
		for { // the data, in pieces that say their length; an empty one is the last
			size, err := r.ReadByte()
			if err != nil {
				return err
			}
			if size == 0 {
				break
			}
			if _, err := r.Discard(int(size)); err != nil {
				return err
			}
		}
	}
}

func skipGIFColors(r *bufio.Reader, flags byte) error {
	const hasColors = 1 << 7
	if flags&hasColors == 0 {
		return nil
	}
	_, err := r.Discard(3 << (flags&7 + 1))
	return err
}

// decodeGIF puts the first frame where it belongs.
func decodeGIF(r *reading, info Info) (image.Image, error) {
	frame, err := gif.Decode(r)
	if err != nil {
		return nil, err
	}
	whole := image.Rect(0, 0, info.Width, info.Height)
	if frame.Bounds() == whole {
		return frame, nil
	}
	canvas := image.NewRGBA(whole)
	draw.Draw(canvas, frame.Bounds(), frame, frame.Bounds().Min, draw.Src)
	return canvas, nil
}

// resizeGIF makes an animation smaller. It takes pixels and never mixes them, so
// every frame keeps its palette, what it leaves transparent and how it makes way
// for the next.
func resizeGIF(r io.Reader, info Info, plan Request) (Image, error) {
	all, err := gif.DecodeAll(r)
	if err != nil {
		return Image{}, err
	}
	width, height := plan.size(info)
	whole := image.Rect(0, 0, info.Width, info.Height)
	if plan.Crop {
		whole = center(whole, width, height)
	}
	xs, ys := picks(whole.Min.X, whole.Dx(), width), picks(whole.Min.Y, whole.Dy(), height)
	small := &gif.GIF{LoopCount: all.LoopCount, Config: all.Config, BackgroundIndex: all.BackgroundIndex}
	small.Config.Width, small.Config.Height = width, height
	for i, frame := range all.Image {
		left, right := within(xs, frame.Rect.Min.X, frame.Rect.Max.X)
		top, bottom := within(ys, frame.Rect.Min.Y, frame.Rect.Max.Y)
		last := len(small.Delay) - 1
		if left == right || top == bottom { // nothing of it is left but its time
			if last >= 0 {
				small.Delay[last] += all.Delay[i]
			}
			continue
		}
		out := image.NewPaletted(image.Rect(left, top, right, bottom), frame.Palette)
		for y := top; y < bottom; y++ {
			from := frame.Pix[(ys[y]-frame.Rect.Min.Y)*frame.Stride:]
			to := out.Pix[(y-top)*out.Stride:]
			for x := left; x < right; x++ {
				to[x-left] = from[xs[x]-frame.Rect.Min.X]
			}
		}
		small.Image = append(small.Image, out)
		small.Delay = append(small.Delay, all.Delay[i])
		small.Disposal = append(small.Disposal, all.Disposal[i])
	}
	if len(small.Image) == 0 {
		return Image{}, errNoFrame
	}
	var buf bytes.Buffer
	err = gif.EncodeAll(&buf, small)
	return Image{typeGIF, buf.Bytes()}, err
}

// picks says for each of n pixels which one it takes of size that begin at from.
func picks(from, size, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = from + (2*i+1)*size/(2*n)
	}
	return all
}

// within returns the range of picks that lie from low to before high.
func within(picks []int, low, high int) (from, to int) {
	for from < len(picks) && picks[from] < low {
		from++
	}
	for to = from; to < len(picks) && picks[to] < high; to++ {
		continue
	}
	return from, to
}
