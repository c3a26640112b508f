package thumbnail

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"io"
)

// orientationTag is the tag of EXIF that says how the camera was held.
const orientationTag = 0x0112

// orientation returns the orientation in EXIF data, 1 to 8, with or without its
// name in front; 1, upright, if it says none.
func orientation(exif []byte) int {
	exif = bytes.TrimPrefix(exif, []byte("Exif\x00\x00"))
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case len(exif) < 8:
		return 1
	case string(exif[:4]) == "MM\x00*":
		order = binary.BigEndian
	case string(exif[:4]) != "II*\x00":
		return 1
	}
	start := uint64(order.Uint32(exif[4:]))
	if start+2 > uint64(len(exif)) {
		return 1
	}
	entries := exif[start+2:]
	for n := order.Uint16(exif[start:]); n > 0 && len(entries) >= 12; n-- {
		const short = 3
		if order.Uint16(entries) == orientationTag && order.Uint16(entries[2:]) == short {
			if value := order.Uint16(entries[8:]); value >= 1 && value <= 8 {
				return int(value)
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// The markers of JPEG that matter here.
const (
	jpegSOF0 = 0xc0 // the first of those that say how the image is coded
	jpegSOF2 = 0xc2 // progressively
	jpegSOF3 = 0xc3
	jpegAPP1 = 0xe1
	jpegSOS  = 0xda
	jpegEOI  = 0xd9
)

// describeJPEG reads the segments up to the frame header.
func describeJPEG(r io.ReadSeeker, _ image.Config, info *Info) (perPixel int64, err error) {
	in := bufio.NewReader(r)
	if _, err := in.Discard(2); err != nil {
		return 0, err
	}
	for {
		marker, err := jpegMarker(in)
		if err != nil {
			return 0, err
		}
		if marker == jpegSOS || marker == jpegEOI {
			return 0, io.ErrUnexpectedEOF
		}
		var size [2]byte
		if _, err := io.ReadFull(in, size[:]); err != nil {
			return 0, err
		}
		length := max(int(binary.BigEndian.Uint16(size[:]))-2, 0)
		if marker >= jpegSOF0 && marker <= jpegSOF3 {
			segment := make([]byte, length)
			if _, err := io.ReadFull(in, segment); err != nil {
				return 0, err
			}
			if length < 6 {
				return 0, io.ErrUnexpectedEOF
			}
			components := int64(segment[5])
			if marker == jpegSOF2 {
				return 5 * components, nil // four bytes for each coefficient, all at once
			}
			return components, nil
		}
		if marker != jpegAPP1 {
			if _, err := in.Discard(length); err != nil {
				return 0, err
			}
			continue
		}
		segment := make([]byte, length)
		if _, err := io.ReadFull(in, segment); err != nil {
			return 0, err
		}
		if bytes.HasPrefix(segment, []byte("Exif\x00\x00")) {
			info.orientation = orientation(segment)
		}
	}
}

// jpegMarker skips to the next marker that has a segment, as lenient as the
// decoder is.
func jpegMarker(in *bufio.Reader) (byte, error) {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if b != 0xff {
			continue
		}
		for b == 0xff {
			if b, err = in.ReadByte(); err != nil {
				return 0, err
			}
		}
		if b == 0 || b >= 0xd0 && b <= 0xd7 { // stuffing, and what stands alone
			continue
		}
		return b, nil
	}
}
