package thumbnail

// Request is what a client asks for, or the thumbnail that is made for it.
type Request struct {
	Width, Height int  // the least size, in pixels, at least 1
	Crop          bool // the ratio of Width and Height; otherwise that of the image
	Animated      bool // moving, if the image does
}

// The sizes that are prepared (MEDIA-54 and those that go with them), by their
// longer side. Requests are rounded up to them, so that an image has few
// thumbnails whatever clients ask for.
var (
	scaleSizes = [...][2]int{{32, 32}, {96, 96}, {320, 240}, {640, 480}, {800, 600}, {1600, 1200}}
	cropSizes  = [...]int{32, 96, 320, 640, 800, 1600}
)

// Prepared returns the size that serves the request best of those that are made
// whatever the image, and the request itself if it is larger than all of them.
func (r Request) Prepared() Request {
	if r.Crop {
		return r.preparedCrop()
	}
	for _, size := range scaleSizes {
		if size[0] >= r.Width && size[1] >= r.Height {
			r.Width, r.Height = size[0], size[1]
			break
		}
	}
	return r
}

// preparedCrop keeps the ratio exactly (MEDIA-53).
func (r Request) preparedCrop() Request {
	for _, size := range cropSizes {
		if longer := max(r.Width, r.Height); size >= longer {
			d := gcd(r.Width, r.Height)
			unit := longer / d
			times := (size + unit - 1) / unit
			r.Width, r.Height = r.Width/d*times, r.Height/d*times
			break
		}
	}
	return r
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Plan decides which thumbnail of the image serves a request: one of a prepared
// size if the image is large enough for that, else of the size that is asked
// for. ok is false if the original itself is the answer, because it is smaller
// than asked for in a dimension (MEDIA-52) or not larger than what would be made
// of it.
//
// Where the original moves and must not (MEDIA-56), the plan is a still image of
// the original's size. Only GIFs are made smaller while they move; of what else
// moves the original is the answer.
func (i Info) Plan(r Request) (plan Request, ok bool) {
	r.Animated = r.Animated && i.Animated
	still := i.Animated && !r.Animated
	full := Request{Width: i.Width, Height: i.Height}
	switch {
	case r.Animated && i.Type != typeGIF:
		return r, false
	case !i.holds(r):
		return full, still
	}
	plan = r.Prepared()
	if !i.holds(plan) {
		if !r.Crop {
			return full, still
		}
		plan = r
	}
	if w, h := plan.size(i); w >= i.Width && h >= i.Height {
		return full, still
	}
	return plan, true
}

// holds reports whether the image is as large as the request in both dimensions.
func (i Info) holds(r Request) bool { return i.Width >= r.Width && i.Height >= r.Height }

// size is that of the thumbnail of an image that holds r: neither dimension is
// smaller than asked for, and the image's ratio is kept unless it is cropped.
func (r Request) size(i Info) (w, h int) {
	if r.Crop {
		return r.Width, r.Height
	}
	// The dimension that is reduced less decides; the other is rounded up.
	if r.Width*i.Height >= r.Height*i.Width {
		return r.Width, (i.Height*r.Width + i.Width - 1) / i.Width
	}
	return (i.Width*r.Height + i.Height - 1) / i.Height, r.Height
}
